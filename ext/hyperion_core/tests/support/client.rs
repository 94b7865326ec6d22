//! A client that sends whatever a test wants sent, and understands what comes back.

use std::collections::VecDeque;
use std::time::Duration;

use httlib_hpack::{Decoder, Encoder};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::frame::{END_HEADERS, END_STREAM, Frame, Kind, PREFACE};

pub type Field = (String, String);

/// Longer than any timeout of the server: in a test with a paused clock it costs nothing.
const PATIENCE: Duration = Duration::from_secs(600);

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub struct Client {
    io: Box<dyn Io>,
    decoder: Decoder<'static>,
    /// Frames that were read while another stream's were wanted.
    waiting: VecDeque<Frame>,
    /// WINDOW_UPDATE and acknowledgements are kept out of the way, and counted here.
    pub window_updates: Vec<(u32, u32)>,
    pub acks: usize,
    pub server_settings: Vec<(u16, u32)>,
    /// Gives the peer its window back as DATA comes.
    pub refills: bool,
}

/// All that came on one stream.
#[derive(Debug, Default)]
pub struct Response {
    pub informational: Vec<u16>,
    pub status: u16,
    pub fields: Vec<Field>,
    pub body: Vec<u8>,
    pub trailers: Option<Vec<Field>>,
    /// DATA frames, by size.
    pub sizes: Vec<usize>,
    /// The kind of the frame that had END_STREAM, and the reason of a reset.
    pub ended_by: Option<Kind>,
    pub reset: Option<u32>,
}

impl Response {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// The head of a GET.
pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "https"), (":authority", "example.org"), (":path", path)]
}

/// The head of a POST.
pub fn post(path: &str) -> Vec<(&str, &str)> {
    let mut head = get(path);
    head[0].1 = "POST";
    head
}

/// A header block of literals without indexing and without Huffman codes.
pub fn block<'a>(fields: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> Vec<u8> {
    fields.into_iter().flat_map(|(name, value)| literal(name.as_bytes(), value.as_bytes())).collect()
}

/// One literal field line without indexing (RFC 7541, section 6.2.2).
pub fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for string in [name, value] {
        integer(string.len(), 7, 0, &mut bytes);
        bytes.extend(string);
    }
    bytes
}

/// An integer with a prefix of `bits` (RFC 7541, section 5.1).
pub fn integer(mut number: usize, bits: u32, first: u8, bytes: &mut Vec<u8>) {
    let max = (1 << bits) - 1;
    if number < max {
        return bytes.push(first | number as u8);
    }
    bytes.push(first | max as u8);
    number -= max;
    while number >= 128 {
        bytes.push((number % 128) as u8 | 128);
        number /= 128;
    }
    bytes.push(number as u8);
}

/// A header block as a good client encodes it: Huffman codes and a dynamic table, which is `encoder`'s.
pub fn compressed(encoder: &mut Encoder<'_>, fields: &[(&str, &str)]) -> Vec<u8> {
    const FLAGS: u8 =
        Encoder::WITH_INDEXING | Encoder::HUFFMAN_NAME | Encoder::HUFFMAN_VALUE | Encoder::BEST_FORMAT;
    let mut bytes = Vec::new();
    for (name, value) in fields {
        encoder.encode((name.as_bytes().to_vec(), value.as_bytes().to_vec(), FLAGS), &mut bytes).unwrap();
    }
    bytes
}

impl Client {
    /// A client that has sent nothing.
    pub fn new(io: impl Io + 'static) -> Self {
        Client {
            io: Box::new(io),
            decoder: Decoder::default(),
            waiting: VecDeque::new(),
            window_updates: Vec::new(),
            acks: 0,
            server_settings: Vec::new(),
            refills: true,
        }
    }

    /// Sends the preface and SETTINGS, and waits for those of the server and its acknowledgement. Without a dynamic
    /// table a test may pass over heads.
    pub async fn handshake(&mut self, settings: &[(u16, u32)]) {
        const NO_TABLE: (u16, u32) = (1, 0);
        self.write(PREFACE).await;
        self.send(Frame::settings(&[&[NO_TABLE], settings].concat())).await;
        while self.server_settings.is_empty() || self.acks == 0 {
            let frame = self.read().await.expect("SETTINGS of the server");
            self.note(&frame);
        }
        self.send(Frame::settings_ack()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the server reads");
        self.io.flush().await.expect("the server reads");
    }

    /// As [`Client::write`], for a server that may have closed the connection; false when it has.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        let write = timeout(PATIENCE, self.io.write_all(bytes)).await;
        matches!(write, Ok(Ok(())))
    }

    pub async fn send(&mut self, frame: Frame) {
        self.write(&frame.encode()).await;
    }

    pub async fn try_send(&mut self, frame: Frame) -> bool {
        self.try_write(&frame.encode()).await
    }

    /// A request without a body.
    pub async fn request(&mut self, stream: u32, head: &[(&str, &str)]) {
        self.send(Frame::headers(stream, block(head)).end()).await;
    }

    /// The head of a request whose body follows.
    pub async fn open(&mut self, stream: u32, head: &[(&str, &str)]) {
        self.send(Frame::headers(stream, block(head))).await;
    }

    /// Closes the sending half.
    pub async fn shutdown(&mut self) {
        self.io.shutdown().await.expect("shutdown");
    }

    async fn read(&mut self) -> Option<Frame> {
        let read = timeout(PATIENCE, Frame::read(&mut self.io)).await.expect("a frame in time");
        read.ok().flatten()
    }

    /// The next frame that is not bookkeeping, `None` when the connection is over.
    pub async fn next(&mut self) -> Option<Frame> {
        match self.waiting.pop_front() {
            Some(frame) => Some(frame),
            None => self.next_fresh().await,
        }
    }

    async fn next_fresh(&mut self) -> Option<Frame> {
        loop {
            let frame = self.read().await?;
            if !self.note(&frame) {
                if frame.kind == Kind::DATA && self.refills && !frame.payload.is_empty() {
                    let size = frame.payload.len() as u32;
                    self.try_send(Frame::window_update(0, size)).await;
                    if !frame.is_end() {
                        self.try_send(Frame::window_update(frame.stream, size)).await;
                    }
                }
                return Some(frame);
            }
        }
    }

    fn note(&mut self, frame: &Frame) -> bool {
        match frame.kind {
            Kind::WINDOW_UPDATE => self.window_updates.push((frame.stream, frame.increment())),
            Kind::SETTINGS if frame.is_ack() => self.acks += 1,
            Kind::SETTINGS => self.server_settings = frame.pairs(),
            _ => return false,
        }
        true
    }

    /// Whether nothing comes for `duration`.
    pub async fn is_silent_for(&mut self, duration: Duration) -> bool {
        match timeout(duration, self.next()).await {
            Ok(Some(frame)) => {
                self.waiting.push_front(frame);
                false
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// The next frame of this stream; frames of others wait.
    pub async fn next_on(&mut self, stream: u32) -> Frame {
        if let Some(at) = self.waiting.iter().position(|frame| frame.stream == stream) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            let frame = self.next_fresh().await.expect("a frame before the end of the connection");
            if frame.stream == stream {
                return frame;
            }
            self.waiting.push_back(frame);
        }
    }

    pub fn decode(&mut self, block: &[u8]) -> Vec<Field> {
        let (mut block, mut fields) = (block.to_vec(), Vec::new());
        self.decoder.decode(&mut block, &mut fields).expect("a valid header block");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        fields.into_iter().map(|(name, value, _)| (text(name), text(value))).collect()
    }

    /// All of a response, to its END_STREAM or a reset.
    pub async fn response(&mut self, stream: u32) -> Response {
        let mut response = Response::default();
        loop {
            let frame = self.next_on(stream).await;
            match frame.kind {
                Kind::HEADERS => {
                    assert!(frame.flags & END_HEADERS != 0, "the tests' heads fit a frame");
                    let mut fields = self.decode(&frame.payload);
                    if fields.first().is_some_and(|(name, _)| name == ":status") {
                        let status = fields.remove(0).1.parse().unwrap();
                        match status {
                            100..200 => response.informational.push(status),
                            _ => (response.status, response.fields) = (status, fields),
                        }
                    } else {
                        response.trailers = Some(fields);
                    }
                }
                Kind::DATA => {
                    response.sizes.push(frame.payload.len());
                    response.body.extend(&frame.payload);
                }
                Kind::RST_STREAM => {
                    response.reset = Some(frame.reason());
                    return response;
                }
                kind => panic!("{kind:?} in a response"),
            }
            if frame.flags & END_STREAM != 0 {
                response.ended_by = Some(frame.kind);
                return response;
            }
        }
    }

    /// The reason of the reset that has to be this stream's next frame.
    pub async fn reset_of(&mut self, stream: u32) -> u32 {
        let frame = self.next_on(stream).await;
        assert_eq!(frame.kind, Kind::RST_STREAM, "{frame:?}");
        frame.reason()
    }

    /// The next GOAWAY, whatever comes before it.
    pub async fn goaway(&mut self) -> Frame {
        loop {
            let frame = self.next().await.expect("GOAWAY before the end of the connection");
            if frame.kind == Kind::GOAWAY {
                return frame;
            }
        }
    }

    /// Waits for the end of the connection, whatever comes before it, and answers that.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut rest = Vec::new();
        while let Some(frame) = self.next().await {
            rest.push(frame);
        }
        rest
    }

    /// A request that has to be answered, as proof that the connection works.
    pub async fn assert_usable(&mut self, stream: u32) {
        self.request(stream, &get("/")).await;
        assert_eq!(self.response(stream).await.status, 200);
    }
}
