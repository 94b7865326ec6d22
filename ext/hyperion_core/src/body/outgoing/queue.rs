//! The pieces of a body between its producer and the network, in order, some in memory and some in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Charge;

#[derive(Debug, Default)]
pub(super) struct Queue {
    segments: VecDeque<Piece>,
    memory: usize,
}

#[derive(Debug)]
pub(super) enum Piece {
    Memory(Bytes, Charge),
    File(FilePiece),
}

/// A range of the spill file.
#[derive(Debug)]
pub(super) struct FilePiece {
    file: Arc<File>,
    offset: u64,
    len: u64,
}

/// Bytes read from the file at once.
const READ_SIZE: u64 = 256 * 1024;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn has_file(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Piece::File(_)))
    }

    pub(super) fn push_memory(&mut self, bytes: Bytes, charge: Charge) {
        self.memory += bytes.len();
        self.segments.push_back(Piece::Memory(bytes, charge));
    }

    /// Adds a range that was appended to the file; it joins the range before it.
    pub(super) fn push_file(&mut self, file: Arc<File>, offset: u64, len: u64) {
        match self.segments.back_mut() {
            Some(Piece::File(last)) if last.offset + last.len == offset => last.len += len,
            _ => self.segments.push_back(Piece::File(FilePiece { file, offset, len })),
        }
    }

    /// The next piece; a long file range is given out in parts.
    pub(super) fn pop(&mut self) -> Option<Piece> {
        if let Some(Piece::File(front)) = self.segments.front_mut() {
            if front.len > READ_SIZE {
                let part = FilePiece { file: front.file.clone(), offset: front.offset, len: READ_SIZE };
                front.offset += READ_SIZE;
                front.len -= READ_SIZE;
                return Some(Piece::File(part));
            }
        }
        let piece = self.segments.pop_front()?;
        if let Piece::Memory(bytes, _) = &piece {
            self.memory -= bytes.len();
        }
        Some(piece)
    }
}

impl FilePiece {
    /// Reads the range. Blocks on the disk.
    pub(super) fn read(self) -> io::Result<Bytes> {
        let mut buffer = BytesMut::zeroed(self.len as usize);
        self.file.read_exact_at(&mut buffer, self.offset)?;
        Ok(buffer.freeze())
    }
}
