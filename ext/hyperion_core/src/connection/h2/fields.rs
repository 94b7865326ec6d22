//! Reads the field lines of header blocks (RFC 7541) as far as it takes to see what the `h2` crate does not tell: a
//! pseudo-header among the trailers, which it ignores, and a malformed name or value, which it answers by ending the
//! connection where RFC 9113, section 8.1.1, wants the stream reset; or by a reset of which it allows so many over the
//! life of a connection, where a proxy passes on what its users send. Such a string is blanked in place, so that the
//! decoder passes over it, and its block is reported.
//!
//! Most lines are one indexed byte and cost no more than a comparison. Of the dynamic table only the sizes of entries are
//! remembered, and what is wrong with them. A blanked entry can differ in size from the peer's, which makes the decoder's
//! table keep it longer or shorter, but never confuses one entry with another: they are counted from the newest.

use http::uri::Authority;

use super::huffman;
use super::table::{Entry, Name, Table};
use crate::request::is_target;

/// What a header block has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// It has a pseudo-header.
    pub(super) pseudo: bool,
    /// It has a field that is none, after which there may be no pseudo-header.
    regular: bool,
    /// The pseudo-headers that it has, a bit each.
    seen: u8,
    /// A name or a value of it is none, its order is wrong, or a pseudo-header is there twice.
    pub(super) malformed: bool,
    /// A pseudo-header of it is malformed.
    pub(super) bad_pseudo: bool,
    /// Its `:path` or `:authority` is none, though it is text. Proxies pass on what their users write, and take a reset
    /// for a failure of ours: such a request is answered.
    pub(super) bad_target: bool,
    /// It breaks the coding itself, which ends the connection (RFC 9113, section 4.3).
    pub(super) undecodable: bool,
}

/// The state of one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct FieldScanner {
    table: Table,
    scratch: Vec<u8>,
}

/// What was found of a string.
#[derive(Clone, Copy, Debug)]
struct Checked {
    is_good: bool,
    /// Bytes, decoded.
    length: usize,
}

/// Why a value is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// It has bytes that none may have.
    Value,
    /// It is text, but no target and no authority.
    Target,
}

/// The block ends within a line.
struct Cut;

/// A cursor over a header block.
struct Block<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

/// RFC 9113, section 8.2.2. The `h2` crate knows them too, as it does `te` and what is there twice, but forgets about
/// them when the same frame cuts a line.
const CONNECTION_SPECIFIC: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

const HUFFMAN: u8 = 0x80;
/// Bytes of a decoded string whose room is kept for the next one.
const KEEP: usize = 1024;
/// What a malformed string is replaced by: valid in a name and in most values.
const BLANK: u8 = b'x';

impl Findings {
    fn see(&mut self, name: Name) {
        if name.is_pseudo() {
            let mark = 1 << name as u8;
            self.malformed |= self.regular || self.seen & mark != 0;
            self.pseudo = true;
            self.seen |= mark;
        } else {
            self.malformed |= name == Name::Bad;
            self.regular = true;
        }
    }

    fn find(&mut self, flaw: Flaw, name: Name) {
        match flaw {
            Flaw::Target => self.bad_target = true,
            Flaw::Value => {
                self.malformed = true;
                self.bad_pseudo |= name.is_pseudo();
            }
        }
    }
}

impl FieldScanner {
    /// Reads a whole block.
    pub(super) fn scan(&mut self, bytes: &mut [u8]) -> Findings {
        let findings = self.lines(bytes);
        if self.scratch.capacity() > KEEP {
            self.scratch = Vec::new();
        }
        findings
    }

    fn lines(&mut self, bytes: &mut [u8]) -> Findings {
        let mut block = Block { bytes, at: 0 };
        let mut findings = Findings::default();
        loop {
            match self.line(&mut block, &mut findings) {
                Ok(true) => {}
                Ok(false) => return findings,
                Err(Cut) => return Findings { undecodable: true, ..findings },
            }
        }
    }

    /// One field line; false at the end of the block.
    fn line(&mut self, block: &mut Block<'_>, findings: &mut Findings) -> Result<bool, Cut> {
        let Some(&first) = block.bytes.get(block.at) else { return Ok(false) };
        match first {
            0x80.. => self.indexed(block.integer(7)?, findings),
            0x40.. => {
                let entry = self.literal(block, 6, findings)?;
                self.table.insert(entry);
            }
            0x20.. => {
                let size = block.integer(5)?;
                self.resize(size, findings);
            }
            _ => _ = self.literal(block, 4, findings)?,
        }
        Ok(true)
    }

    /// A change of the table's size: before the first field, and within what we allow (RFC 7541, section 4.2).
    fn resize(&mut self, size: usize, findings: &mut Findings) {
        findings.undecodable |= findings.pseudo || findings.regular || !self.table.resize(size);
    }

    fn indexed(&self, index: usize, findings: &mut Findings) {
        findings.undecodable |= !self.table.contains(index);
        findings.see(self.table.name(index));
        if let Some(entry) = self.table.get(index).filter(|entry| entry.has_bad_value) {
            findings.find(Flaw::Value, entry.name);
        }
    }

    /// A literal value, and its name if that is not indexed. Nothing is blanked before both are known to be whole.
    fn literal(&mut self, block: &mut Block<'_>, prefix: u32, findings: &mut Findings) -> Result<Entry, Cut> {
        let index = block.integer(prefix)?;
        findings.undecodable |= index != 0 && !self.table.contains(index);
        let name_at = block.at;
        if index == 0 {
            block.string()?;
        }
        let value_at = block.at;
        block.string()?;
        let end = block.at;
        let (name, name_length) = if index == 0 {
            self.name(&mut block.bytes[name_at..value_at], findings)
        } else {
            (self.table.name(index), self.table.name_length(index))
        };
        findings.see(name);
        let hurried = !matches!(name, Name::Method | Name::Authority | Name::Te);
        let value = &mut block.bytes[value_at..end];
        let mut flaw = None;
        let value = self.check(value, hurried, blank(name), findings, |value| {
            flaw = flaw_of(name, value);
            flaw.is_none()
        });
        if let Some(flaw) = flaw {
            findings.find(flaw, name);
        }
        Ok(Entry { name, has_bad_value: !value.is_good, name_length, value_length: value.length })
    }

    /// A name, and its length.
    fn name(&mut self, string: &mut [u8], findings: &mut Findings) -> (Name, usize) {
        let mut name = Name::Bad;
        let mut is_pseudo = false;
        let checked = self.check(string, false, BLANK, findings, |bytes| {
            is_pseudo = bytes.first() == Some(&b':');
            name = match bytes {
                b":method" => Name::Method,
                b":authority" => Name::Authority,
                b":path" => Name::Path,
                b":scheme" => Name::Scheme,
                b":protocol" => Name::Protocol,
                b":status" => Name::Status,
                b"te" => Name::Te,
                _ if CONNECTION_SPECIFIC.contains(&bytes) => Name::Bad,
                // An empty one cannot be blanked.
                _ if bytes.iter().all(|&byte| is_token(byte) && !byte.is_ascii_uppercase()) => Name::Regular,
                _ => Name::Bad,
            };
            name != Name::Bad
        });
        findings.pseudo |= is_pseudo;
        (name, checked.length)
    }

    /// Shows the decoded string to `is_good`, and blanks one that is not. A hurried check takes a Huffman-coded string
    /// for good that shows no sign of the bytes that the decoder would end the connection for; the space is none of
    /// them, and the `h2` crate resets the stream for it.
    fn check(
        &mut self,
        string: &mut [u8],
        hurried: bool,
        blank: u8,
        findings: &mut Findings,
        is_good: impl FnOnce(&[u8]) -> bool,
    ) -> Checked {
        let mut cursor = Block { bytes: string, at: 0 };
        let (huffman_coded, range) = (cursor.bytes[0] & HUFFMAN != 0, cursor.string().unwrap_or(0..0));
        let content = &string[range.clone()];
        let decoded = if huffman_coded { huffman::decoded_length(content) } else { Some(content.len()) };
        findings.undecodable |= decoded.is_none();
        let hurried = hurried && !content.is_empty();
        let is_good = if huffman_coded && hurried && !huffman::has_rare_code(content) {
            true
        } else if huffman_coded {
            self.scratch.clear();
            huffman::decode(content, &mut self.scratch);
            is_good(&self.scratch)
        } else {
            is_good(content)
        };
        if !is_good {
            string[0] &= !HUFFMAN;
            let content = &mut string[range];
            content.fill(BLANK);
            if let Some(first) = content.first_mut() {
                *first = blank;
            }
        }
        Checked { is_good, length: decoded.unwrap_or(0) }
    }
}

impl Block<'_> {
    /// An integer (RFC 7541, section 5.1). One that is too large is as good as cut off: the decoder refuses it.
    fn integer(&mut self, prefix: u32) -> Result<usize, Cut> {
        let mask = (1u8 << prefix) - 1;
        let mut number = usize::from(self.byte()? & mask);
        if number < usize::from(mask) {
            return Ok(number);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Cut)
    }

    /// Passes over a string, and says where its content is.
    fn string(&mut self) -> Result<std::ops::Range<usize>, Cut> {
        let length = self.integer(7)?;
        let start = self.at;
        if length > self.bytes.len() - start {
            return Err(Cut);
        }
        self.at += length;
        Ok(start..self.at)
    }

    fn byte(&mut self) -> Result<u8, Cut> {
        let byte = *self.bytes.get(self.at).ok_or(Cut)?;
        self.at += 1;
        Ok(byte)
    }
}

/// What a malformed value begins with after it was blanked.
fn blank(name: Name) -> u8 {
    if name == Name::Path { b'/' } else { BLANK }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What is wrong with a value (RFC 9113, section 8.2.1, and 8.3.1 for pseudo-headers). An empty method cannot be
/// blanked.
fn flaw_of(name: Name, value: &[u8]) -> Option<Flaw> {
    let flaw = |flaw: Flaw, good: bool| if good { None } else { Some(flaw) };
    match name {
        Name::Method => flaw(Flaw::Value, value.iter().all(|&byte| is_token(byte))),
        Name::Authority => flaw(Flaw::Value, is_text(value))
            .or_else(|| flaw(Flaw::Target, Authority::try_from(value).is_ok())),
        // A fragment is not sent (RFC 9110, section 7.1).
        Name::Path => flaw(Flaw::Value, is_text(value) && !value.contains(&b'#'))
            .or_else(|| flaw(Flaw::Target, is_target(value))),
        Name::Protocol | Name::Scheme | Name::Status => flaw(Flaw::Value, is_text(value)),
        // RFC 9113, section 8.2.2.
        Name::Te => flaw(Flaw::Value, value == b"trailers"),
        Name::Regular | Name::Bad => {
            let good = value.iter().all(|&byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t');
            flaw(Flaw::Value, good)
        }
    }
}

fn is_text(value: &[u8]) -> bool {
    let visible = value.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    !value.is_empty() && visible && (value.is_ascii() || std::str::from_utf8(value).is_ok())
}

#[cfg(test)]
mod tests;
