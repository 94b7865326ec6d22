//! A request body collected before the application is called: in memory up to a limit, then in a temporary file.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use thiserror::Error;

use super::incoming::SMALL;
use super::spill::{SpillBudget, SpillFile};

/// A complete request body.
#[derive(Debug)]
pub struct Collected {
    store: Store,
    trailers: Option<HeaderMap>,
}

#[derive(Debug)]
enum Store {
    Memory(Bytes),
    File(SpillFile),
}

/// Why a body could not be collected.
#[derive(Debug, Error)]
pub(crate) enum CollectError {
    #[error("a temporary file failed: {0}")]
    Io(#[from] io::Error),
    #[error("spill_limit is used up")]
    SpillLimit,
}

/// Bytes that are gathered before they go to the file in one write.
const FILE_BATCH: usize = 256 * 1024;

/// Takes a body chunk by chunk.
#[derive(Debug)]
pub(crate) struct Collector {
    first: Option<Bytes>,
    memory: BytesMut,
    limit: usize,
    file: Option<SpillFile>,
    budget: Arc<SpillBudget>,
}

impl Collector {
    pub(crate) fn new(limit: usize, budget: Arc<SpillBudget>) -> Self {
        Collector { first: None, memory: BytesMut::new(), limit, file: None, budget }
    }

    /// Takes one chunk. A large body of one chunk is kept as it came, without a copy.
    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<(), CollectError> {
        let is_first = self.first.is_none() && self.memory.is_empty() && self.file.is_none();
        if is_first && (SMALL..=self.limit).contains(&chunk.len()) {
            self.first = Some(chunk);
            return Ok(());
        }
        if let Some(first) = self.first.take() {
            self.memory.extend_from_slice(&first);
        }
        self.memory.extend_from_slice(&chunk);
        let room = if self.file.is_some() { FILE_BATCH } else { self.limit };
        if self.memory.len() > room { self.flush().await } else { Ok(()) }
    }

    /// The whole body.
    pub(crate) async fn finish(mut self, trailers: Option<HeaderMap>) -> Result<Collected, CollectError> {
        if self.file.is_some() {
            self.flush().await?;
        }
        let memory = |collector: Collector| collector.first.unwrap_or_else(|| collector.memory.freeze());
        let store = match self.file.take() {
            Some(file) => Store::File(file),
            None => Store::Memory(memory(self)),
        };
        Ok(Collected { store, trailers })
    }

    async fn flush(&mut self) -> Result<(), CollectError> {
        let bytes = self.memory.split().freeze();
        self.budget.take(bytes.len() as u64).await;
        let (file, budget) = (self.file.take(), self.budget.clone());
        let write = move || {
            let created = file.map_or_else(|| SpillFile::create(&budget), Ok);
            let mut file = created.inspect_err(|_| budget.give_back(bytes.len() as u64))?;
            file.append(&bytes).map(|()| file)
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?;
        self.file = Some(written?);
        Ok(())
    }
}

impl Collected {
    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        match &self.store {
            Store::Memory(bytes) => bytes.len() as u64,
            Store::File(file) => file.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, when they are all in memory.
    pub fn as_memory(&self) -> Option<&Bytes> {
        match &self.store {
            Store::Memory(bytes) => Some(bytes),
            Store::File(_) => None,
        }
    }

    /// Reads into `buffer` from `offset`; 0 at the end. Blocks on the disk when the body is in a file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.store {
            Store::File(file) => file.read_at(buffer, offset),
            Store::Memory(bytes) => {
                let rest = bytes.get(offset as usize..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
    }

    /// A second handle of the temporary file, positioned anywhere; `None` when the body is in memory.
    pub fn file(&self) -> io::Result<Option<File>> {
        match &self.store {
            Store::Memory(_) => Ok(None),
            Store::File(file) => file.reader().try_clone().map(Some),
        }
    }

    /// The trailers that followed it.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(limit: usize, chunks: &[&'static [u8]]) -> Collected {
        let budget = SpillBudget::new(std::env::temp_dir(), 1 << 20);
        let mut collector = Collector::new(limit, budget);
        for chunk in chunks {
            collector.push(Bytes::from_static(chunk)).await.unwrap();
        }
        collector.finish(None).await.unwrap()
    }

    fn read(body: &Collected) -> Vec<u8> {
        let mut all = vec![0; body.len() as usize + 1];
        let count = body.read_at(&mut all, 0).unwrap();
        all.truncate(count);
        all
    }

    #[tokio::test]
    async fn one_large_chunk_is_not_copied_and_a_small_one_is() {
        static BYTES: [u8; SMALL] = [b'x'; SMALL];
        for (bytes, is_copied) in [(&BYTES[..], false), (&BYTES[1..], true)] {
            let body = collect(SMALL, &[bytes]).await;
            assert_eq!(body.as_memory().unwrap().as_ptr() != bytes.as_ptr(), is_copied);
            assert_eq!(read(&body), bytes);
        }
    }

    #[tokio::test]
    async fn the_limit_is_met_in_memory_and_passed_in_a_file() {
        assert!(collect(6, &[b"abc", b"def"]).await.as_memory().is_some());
        let body = collect(6, &[b"abc", b"def", b"g", b"hi"]).await;
        assert!(body.as_memory().is_none());
        assert_eq!(read(&body), b"abcdefghi");
        assert_eq!(read(&collect(2, &[b"abc"]).await), b"abc");
        assert!(collect(2, &[]).await.is_empty());
    }
}
