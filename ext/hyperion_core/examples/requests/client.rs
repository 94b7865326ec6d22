//! A client on a connection in memory, which knows its requests by heart: as good as all that is done meanwhile is the
//! server's doing.

use std::sync::Arc;

use httlib_hpack::Encoder;
use hyperion_core::{Address, Config, Handler, Observer, Peer, Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A failure, in words for the user.
pub(crate) type Error = Box<dyn std::error::Error>;

pub(crate) struct Client {
    io: DuplexStream,
    /// The header block of each request but the first: all of it is in the dynamic table by then.
    block: Vec<u8>,
    body: &'static [u8],
    next_stream: u32,
    /// What was read and not understood yet.
    unread: Vec<u8>,
    /// Bytes of DATA whose window was not given back yet.
    owed: u32,
}

const PIPE: usize = 256 * 1024;
/// Of a stream, and of the connection.
const WINDOW: u32 = 1 << 30;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// How a field goes into the dynamic table (RFC 7541, section 6.2.1).
const INDEXED: u8 = Encoder::WITH_INDEXING | Encoder::BEST_FORMAT;

impl Client {
    /// A client of a new service. It has made its first request, with these fields and this body, and makes the same
    /// one ever after.
    pub(crate) async fn connect(
        config: Config,
        handler: Arc<dyn Handler>,
        observer: Observer,
        fields: &[(&str, &str)],
        body: &'static [u8],
    ) -> Result<Self, Error> {
        let service = Service::new(config, handler, observer);
        let (io, server) = tokio::io::duplex(PIPE);
        let peer = Peer { remote: Address::Unix(None), local: Address::Unix(None), tls: None };
        tokio::spawn(service.serve(server, peer));
        let mut encoder = Encoder::default();
        let (first, block) = (encode(&mut encoder, fields)?, encode(&mut encoder, fields)?);
        let mut client = Client { io, block: first, body, next_stream: 1, unread: Vec::new(), owed: WINDOW };
        let mut hello = PREFACE.to_vec();
        let window = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &WINDOW.to_be_bytes()].concat();
        frame(&mut hello, SETTINGS, 0, 0, &window);
        client.io.write_all(&hello).await?;
        client.exchange(1).await?;
        client.block = block;
        Ok(client)
    }

    /// Sends so many requests at once, and waits for all responses.
    pub(crate) async fn exchange(&mut self, count: u32) -> Result<(), Error> {
        let mut bytes = Vec::new();
        if self.owed > 0 {
            frame(&mut bytes, WINDOW_UPDATE, 0, 0, &self.owed.to_be_bytes());
            self.owed = 0;
        }
        for _ in 0..count {
            let last = if self.body.is_empty() { END_STREAM } else { 0 };
            frame(&mut bytes, HEADERS, END_HEADERS | last, self.next_stream, &self.block);
            if !self.body.is_empty() {
                frame(&mut bytes, DATA, END_STREAM, self.next_stream, self.body);
            }
            self.next_stream += 2;
        }
        self.io.write_all(&bytes).await?;
        let mut open = count;
        while open > 0 {
            if self.io.read_buf(&mut self.unread).await? == 0 {
                return Err("the server has closed the connection".into());
            }
            open -= self.count_ends();
        }
        Ok(())
    }

    /// Responses that have ended in what was read.
    fn count_ends(&mut self) -> u32 {
        let (mut at, mut ends) = (0, 0);
        while let Some(header) = self.unread.get(at..at + FRAME_HEADER) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
            let next = at + FRAME_HEADER + length as usize;
            if self.unread.len() < next {
                break;
            }
            let (kind, flags) = (header[3], header[4]);
            ends += u32::from(kind <= HEADERS && flags & END_STREAM != 0);
            self.owed += if kind == DATA { length } else { 0 };
            at = next;
        }
        self.unread.drain(..at);
        ends
    }
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}

fn encode(encoder: &mut Encoder<'_>, fields: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
    let mut block = Vec::new();
    for (name, value) in fields {
        encoder
            .encode((name.as_bytes().to_vec(), value.as_bytes().to_vec(), INDEXED), &mut block)
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(block)
}
