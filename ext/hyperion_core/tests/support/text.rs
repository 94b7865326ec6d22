//! A client of HTTP/1.1 that sends whatever a test wants sent, and takes responses apart by hand.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::client::Io;

/// Longer than any timeout of the server: in a test with a paused clock it costs nothing.
const PATIENCE: Duration = Duration::from_secs(600);

pub struct TextClient {
    io: Box<dyn Io>,
    /// Read, and not understood yet.
    read: Vec<u8>,
}

/// One response, final or informational.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub version: String,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Of a chunked body.
    pub trailers: Option<Vec<(String, String)>>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is repeated: {self:?}");
        value
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn closes(&self) -> bool {
        self.field("connection") == Some("close")
    }
}

impl TextClient {
    pub fn new(io: impl Io + 'static) -> Self {
        TextClient { io: Box::new(io), read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// As [`TextClient::send`], to a server that may have closed the connection.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        // What it has sent before can be read nevertheless.
        let _ = self.io.write_all(bytes).await;
    }

    /// Ends the sending half.
    pub async fn shutdown(&mut self) {
        self.io.shutdown().await.expect("shutdown");
    }

    /// A GET without a body.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: example.org\r\n\r\n")).await;
        self.answer().await
    }

    /// The next response to anything but HEAD.
    pub async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let coding = answer.field("transfer-encoding").map(str::to_owned);
        let length = answer.field("content-length").map(|length| length.parse::<usize>().unwrap());
        match (coding.as_deref(), length) {
            (Some("chunked"), None) => self.chunks(&mut answer).await,
            (None, Some(length)) => answer.body = self.take(length).await,
            (None, None) if matches!(answer.status, 100..200 | 204 | 304) => {}
            (None, None) => answer.body = self.rest().await,
            framing => panic!("{framing:?}"),
        }
        answer
    }

    /// The next head; of its body nothing is read.
    pub async fn head(&mut self) -> Answer {
        let status_line = self.line().await;
        let mut words = status_line.splitn(3, ' ');
        let (version, status) = (words.next().unwrap(), words.next().unwrap());
        assert!(words.next().is_some_and(|reason| !reason.is_empty()), "{status_line:?}");
        let fields = self.fields().await;
        Answer { version: version.into(), status: status.parse().unwrap(), fields, ..Answer::default() }
    }

    async fn fields(&mut self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                return fields;
            }
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            fields.push((name.to_ascii_lowercase(), value.into()));
        }
    }

    async fn chunks(&mut self, answer: &mut Answer) {
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                let trailers = self.fields().await;
                answer.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
                return;
            }
            answer.body.extend(chunk);
        }
    }

    /// One chunk of a chunked body; the last one is empty, and the trailers follow it.
    pub async fn chunk(&mut self) -> Vec<u8> {
        let line = self.line().await;
        let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("{line:?} is no size"));
        let data = self.take(size).await;
        if size > 0 {
            assert_eq!(self.take(2).await, b"\r\n");
        }
        data
    }

    pub async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.read.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).unwrap();
            }
            assert!(
                self.fill().await > 0,
                "the connection ended in {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.fill().await > 0, "the connection ended {} bytes early", count - self.read.len());
        }
        self.read.drain(..count).collect()
    }

    /// All that comes until the server ends the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        std::mem::take(&mut self.read)
    }

    /// The connection has to end, with nothing more to come.
    pub async fn assert_closed(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.rest().await), "");
    }

    /// Whether nothing comes for `duration`.
    pub async fn is_silent(&mut self, duration: Duration) -> bool {
        self.read.is_empty() && timeout(duration, self.fill()).await.is_err()
    }

    async fn fill(&mut self) -> usize {
        let read = timeout(PATIENCE, self.io.read_buf(&mut self.read)).await.expect("bytes in time");
        // A connection that is cut off ends as well.
        read.unwrap_or(0)
    }

    /// A request that has to be answered, as proof that the connection works.
    pub async fn assert_usable(&mut self) {
        assert_eq!(self.get("/").await.text(), "hello");
    }
}
