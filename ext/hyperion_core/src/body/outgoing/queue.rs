//! The pieces of a body between its producer and the network, in order, some in memory and some in a file.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Charge;
use crate::body::spill::SpillHandle;

#[derive(Debug, Default)]
pub(super) struct Queue {
    segments: VecDeque<Segment>,
    memory: usize,
}

#[derive(Debug)]
enum Segment {
    Memory(Bytes, Charge),
    File(FilePiece),
}

/// What is at the front.
#[derive(Debug)]
pub(super) enum Piece {
    /// Bytes that were taken out of the queue.
    Memory(Bytes, Charge),
    /// So many bytes in the file, still in the queue.
    File(u64),
}

/// A range of the spill file.
#[derive(Debug)]
pub(super) struct FilePiece {
    file: Arc<SpillHandle>,
    offset: u64,
    len: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn has_file(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::File(_)))
    }

    pub(super) fn push_memory(&mut self, bytes: Bytes, charge: Charge) {
        self.memory += bytes.len();
        self.segments.push_back(Segment::Memory(bytes, charge));
    }

    /// Adds a range that was appended to the file; it joins the range before it.
    pub(super) fn push_file(&mut self, file: Arc<SpillHandle>, offset: u64, len: u64) {
        match self.segments.back_mut() {
            Some(Segment::File(last)) if last.offset + last.len == offset => last.len += len,
            _ => self.segments.push_back(Segment::File(FilePiece { file, offset, len })),
        }
    }

    /// Takes the next piece if it is in memory.
    pub(super) fn pop_memory(&mut self) -> Option<Piece> {
        if let Segment::File(piece) = self.segments.front()? {
            return Some(Piece::File(piece.len));
        }
        let Segment::Memory(bytes, charge) = self.segments.pop_front()? else { return None };
        self.memory -= bytes.len();
        Some(Piece::Memory(bytes, charge))
    }

    /// Takes everything as one piece, when it is all in memory.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        if self.has_file() {
            return None;
        }
        self.memory = 0;
        let mut pieces = self.segments.drain(..).filter_map(|segment| match segment {
            Segment::Memory(bytes, _) => Some(bytes),
            Segment::File(_) => None,
        });
        let first = pieces.next().unwrap_or_default();
        let Some(second) = pieces.next() else { return Some(first) };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        pieces.for_each(|piece| whole.extend_from_slice(&piece));
        Some(whole.freeze())
    }

    /// Takes the first `max` bytes of the range of the file that is next.
    pub(super) fn pop_file(&mut self, max: u64) -> Option<FilePiece> {
        let Segment::File(front) = self.segments.front_mut()? else { return None };
        let part = FilePiece { file: front.file.clone(), offset: front.offset, len: front.len.min(max) };
        front.offset += part.len;
        front.len -= part.len;
        if front.len == 0 {
            self.segments.pop_front();
        }
        Some(part)
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
