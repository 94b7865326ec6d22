//! A header block in several frames (RFC 9113, section 4.3). It is read when it is complete, and handed on as one frame
//! where it fits one: the `h2` crate takes only a handful of CONTINUATION frames, however small they are, and ends the
//! connection for a malformed field in one of them.

use std::ops::Range;

use h2::Reason;

use super::gate::{
    CONTINUATION, FLAG_END_HEADERS, FLAG_END_STREAM, FLAG_PADDED, FLAG_PRIORITY, FRAME_HEADER_LENGTH, Header,
    UNASSIGNED,
};

/// CONTINUATION frames of a block. Nobody needs as many, and each read looks at all that have come.
const MAX_PARTS: usize = 1024;

/// How large a block may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) frame: usize,
    pub(super) block: usize,
}

impl Limits {
    /// How many bytes the frames are of the block that `bytes` begin with; none when more is to come.
    pub(super) fn measure(self, bytes: &[u8]) -> Result<Option<usize>, Reason> {
        let (mut at, mut size, mut stream_id) = (0, 0, None);
        for _ in 0..=MAX_PARTS {
            let Some(header) = Header::parse(&bytes[at..]) else { return Ok(None) };
            match stream_id {
                None => stream_id = Some(header.stream_id),
                Some(opened) if header.kind == CONTINUATION && header.stream_id == opened => {}
                Some(_) => return Err(Reason::PROTOCOL_ERROR),
            }
            size += header.length;
            if header.length > self.frame {
                return Err(Reason::FRAME_SIZE_ERROR);
            }
            if size > self.block {
                return Err(Reason::ENHANCE_YOUR_CALM);
            }
            at += FRAME_HEADER_LENGTH + header.length;
            if at > bytes.len() {
                return Ok(None);
            }
            if header.flags & FLAG_END_HEADERS != 0 {
                return Ok(Some(at));
            }
        }
        Err(Reason::ENHANCE_YOUR_CALM)
    }
}

/// Where the parts of a complete block are.
#[derive(Debug)]
pub(super) struct Parts {
    flags: u8,
    stream_id: u32,
    priority: Range<usize>,
    fragments: Vec<Range<usize>>,
}

impl Parts {
    /// `frames` are HEADERS, and CONTINUATION to the end of the block.
    pub(super) fn new(frames: &[u8]) -> Result<Self, Reason> {
        let Some(first) = Header::parse(frames) else { return Err(Reason::FRAME_SIZE_ERROR) };
        let end = FRAME_HEADER_LENGTH + first.length;
        let fragment =
            fragment(first.flags, &frames[FRAME_HEADER_LENGTH..end]).ok_or(Reason::PROTOCOL_ERROR)?;
        let fragment = FRAME_HEADER_LENGTH + fragment.start..FRAME_HEADER_LENGTH + fragment.end;
        let before = if first.flags & FLAG_PRIORITY == 0 { 0 } else { PRIORITY_LENGTH };
        let mut parts = Parts {
            flags: first.flags,
            stream_id: first.stream_id,
            priority: fragment.start - before..fragment.start,
            fragments: vec![fragment],
        };
        let mut at = end;
        while let Some(header) = Header::parse(&frames[at..]) {
            let start = at + FRAME_HEADER_LENGTH;
            at = start + header.length;
            parts.fragments.push(start..at);
        }
        Ok(parts)
    }

    /// The whole block.
    pub(super) fn gather(&self, frames: &[u8]) -> Vec<u8> {
        self.fragments.iter().flat_map(|part| &frames[part.clone()]).copied().collect()
    }

    /// Puts `block` in the place of the frames that it was gathered from: as one, if that is not larger than a frame may
    /// be, behind one of no known type in the room that is left. So nothing that follows has to move.
    pub(super) fn replace(&self, frames: &mut [u8], block: &[u8], limits: Limits) {
        let length = self.priority.len() + block.len();
        if length > limits.frame {
            return self.scatter(frames, block);
        }
        let payload_at = frames.len() - block.len();
        frames.copy_within(self.priority.clone(), payload_at - self.priority.len());
        frames[payload_at..].copy_from_slice(block);
        let (filler, headers) = frames.split_at_mut(payload_at - self.priority.len() - FRAME_HEADER_LENGTH);
        let flags = self.flags & (FLAG_END_STREAM | FLAG_PRIORITY) | FLAG_END_HEADERS;
        Header { length, kind: super::gate::HEADERS, flags, stream_id: self.stream_id }.write(headers);
        let length = filler.len() - FRAME_HEADER_LENGTH;
        Header { length, kind: UNASSIGNED, flags: 0, stream_id: 0 }.write(filler);
    }

    fn scatter(&self, frames: &mut [u8], mut block: &[u8]) {
        for part in &self.fragments {
            let (fragment, rest) = block.split_at(part.len());
            frames[part.clone()].copy_from_slice(fragment);
            block = rest;
        }
    }
}

const PRIORITY_LENGTH: usize = 5;

/// Where the field block fragment of HEADERS is, between priority and padding (RFC 9113, section 6.2); none when the
/// padding does not fit.
pub(super) fn fragment(flags: u8, payload: &[u8]) -> Option<Range<usize>> {
    let (mut start, mut end) = (0, payload.len());
    if flags & FLAG_PADDED != 0 {
        start = 1;
        end = end.checked_sub(usize::from(*payload.first()?))?;
    }
    if flags & FLAG_PRIORITY != 0 {
        start += PRIORITY_LENGTH;
    }
    (start <= end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::super::gate::HEADERS;
    use super::*;

    const LIMITS: Limits = Limits { frame: 100, block: 150 };

    fn frame(kind: u8, flags: u8, stream_id: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream_id][..], payload].concat()
    }

    fn joined(frames: &[Vec<u8>], limits: Limits) -> Vec<u8> {
        let mut frames = frames.concat();
        assert_eq!(limits.measure(&frames), Ok(Some(frames.len())));
        let parts = Parts::new(&frames).unwrap();
        let block = parts.gather(&frames);
        parts.replace(&mut frames, &block, limits);
        frames
    }

    #[test]
    fn parts_become_one_frame_behind_one_that_is_ignored() {
        let padded = b"\x02\x00\x00\x00\x03\x0fab\x00\x00";
        let frames = [
            frame(HEADERS, FLAG_END_STREAM | FLAG_PADDED | FLAG_PRIORITY, 1, padded),
            frame(CONTINUATION, 0, 1, b""),
            frame(CONTINUATION, FLAG_END_HEADERS, 1, b"cd"),
        ];
        let filler = frame(UNASSIGNED, 0, 0, b"\0\0\0\0\0\0\0\0\0\0\0\0");
        let flags = FLAG_END_STREAM | FLAG_PRIORITY | FLAG_END_HEADERS;
        let headers = frame(HEADERS, flags, 1, b"\x00\x00\x00\x03\x0fabcd");
        let joined = joined(&frames, LIMITS);
        assert_eq!(joined[..3], filler[..3]);
        assert_eq!(joined[3..9], filler[3..9]);
        assert_eq!(joined[filler.len()..], headers);
    }

    #[test]
    fn parts_that_do_not_fit_a_frame_stay_where_they_are() {
        let frames =
            [frame(HEADERS, 0, 1, &[b'a'; 60]), frame(CONTINUATION, FLAG_END_HEADERS, 1, &[b'b'; 60])];
        assert_eq!(joined(&frames, LIMITS), frames.concat());
    }

    #[test]
    fn a_block_is_waited_for_only_while_it_can_be_one() {
        let head = frame(HEADERS, 0, 1, b"ab");
        let measure = |next: Vec<u8>| LIMITS.measure(&[head.clone(), next].concat());
        assert_eq!(measure(frame(CONTINUATION, 0, 1, b"cd")), Ok(None));
        assert_eq!(measure(frame(CONTINUATION, FLAG_END_HEADERS, 1, b"cd")[..10].to_vec()), Ok(None));
        assert_eq!(measure(frame(CONTINUATION, 0, 3, b"")), Err(Reason::PROTOCOL_ERROR));
        assert_eq!(measure(frame(0, 0, 1, b"")), Err(Reason::PROTOCOL_ERROR));
        assert_eq!(measure(frame(CONTINUATION, 0, 1, &[0; 101])), Err(Reason::FRAME_SIZE_ERROR));
        let large = [frame(CONTINUATION, 0, 1, &[0; 75]), frame(CONTINUATION, 0, 1, &[0; 75])].concat();
        assert_eq!(measure(large), Err(Reason::ENHANCE_YOUR_CALM));
        assert_eq!(measure(frame(CONTINUATION, 0, 1, b"").repeat(MAX_PARTS)), Err(Reason::ENHANCE_YOUR_CALM));
        assert_eq!(measure(frame(CONTINUATION, 0, 1, b"").repeat(MAX_PARTS - 1)), Ok(None));
    }
}
