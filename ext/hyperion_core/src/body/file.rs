//! A response body read from a file by the core.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// A range of an open file.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    end: u64,
}

impl FileBody {
    /// Opens a regular file for sending it whole. Blocks on the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let check = |metadata: fs::Metadata| match metadata.is_file() {
            true => Ok(metadata),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        };
        // Opening a device may do something. What takes the path's place meanwhile may be a FIFO, whose opening would
        // wait for a writer.
        check(fs::metadata(path)?)?;
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let metadata = check(file.metadata()?)?;
        Ok(FileBody { file: Arc::new(file), offset: 0, end: metadata.len() })
    }

    /// The bytes from `first` to `last`, both included; `None` when the file has not all of them.
    pub fn slice(self, first: u64, last: u64) -> Option<Self> {
        let (offset, end) = (self.offset.checked_add(first)?, self.offset.checked_add(last)?.checked_add(1)?);
        (offset < end && end <= self.end).then_some(FileBody { offset, end, ..self })
    }

    /// Bytes left to send.
    pub fn len(&self) -> u64 {
        self.end - self.offset
    }

    /// Whether nothing is left to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next piece of up to `max` bytes, read on a blocking thread; `None` at the end. A file that has become
    /// shorter is an error.
    pub(crate) async fn read(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        if self.is_empty() {
            return Ok(None);
        }
        let (file, offset, size) = (self.file.clone(), self.offset, self.len().min(max as u64));
        let read = move || {
            let mut buffer = BytesMut::zeroed(size as usize);
            let count = file.read_at(&mut buffer, offset)?;
            buffer.truncate(count);
            Ok::<_, io::Error>(buffer.freeze())
        };
        let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        if piece.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file was truncated while it was sent",
            ));
        }
        self.offset += piece.len() as u64;
        Ok(Some(piece))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn sends_what_the_file_had_when_it_was_opened() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let mut body = FileBody::open(file.path()).unwrap();
        file.write_all(b" more").unwrap();
        assert_eq!(body.len(), 5);
        assert_eq!(body.read(9).await.unwrap().unwrap(), "hello");
        assert!(body.read(9).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn sends_a_part() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let open = || FileBody::open(file.path()).unwrap();
        let mut body = open().slice(1, 3).unwrap();
        assert_eq!(body.len(), 3);
        assert_eq!(body.read(9).await.unwrap().unwrap(), "ell");
        assert!(body.read(9).await.unwrap().is_none());
        assert!(open().slice(4, 4).is_some());
        for (first, last) in [(0, 5), (5, 5), (3, 2), (0, u64::MAX)] {
            assert!(open().slice(first, last).is_none(), "{first}-{last}");
        }
    }

    #[tokio::test]
    async fn a_truncated_file_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"hello").unwrap();
        let mut body = FileBody::open(file.path()).unwrap();
        file.as_file().set_len(0).unwrap();
        assert_eq!(body.read(9).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_directory_is_refused() {
        assert!(FileBody::open(Path::new("/")).is_err());
    }
}
