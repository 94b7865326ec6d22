//! What a request asks for, in words.

use std::borrow::Cow;
use std::io::{self, Write};

use http::Method;

use crate::request::{Asked, Protocol};

/// The words of a request line, as far as it has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) query: Option<Cow<'a, str>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(asked: &'a Asked) -> Self {
        match asked {
            Asked::Head(method, target) => Words {
                method: Some(method.as_str()),
                path: target.as_ref().map(|target| target.path().into()),
                query: target.as_ref().and_then(|target| target.query()).map(Cow::Borrowed),
            },
            Asked::Line(line) => Self::of_line(line).unwrap_or_default(),
            Asked::Nothing => Words::default(),
        }
    }

    /// Without a blank behind it, a word may be anything.
    fn of_line(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ');
        let method = words.next().filter(|word| Method::from_bytes(word).is_ok())?;
        let mut target = words.next()?.splitn(2, |&byte| byte == b'?');
        Some(Words {
            method: std::str::from_utf8(method).ok(),
            path: target.next().filter(|path| !path.is_empty()).map(String::from_utf8_lossy),
            query: target.next().map(String::from_utf8_lossy),
        })
    }
}

/// The first line of a request; `-` for what is not known.
pub(super) fn request_line(asked: &Asked, protocol: Protocol, text: &mut Vec<u8>) -> io::Result<()> {
    match asked {
        Asked::Head(method, target) => {
            text.extend_from_slice(method.as_str().as_bytes());
            text.push(b' ');
            escape(target.as_ref().map_or("-", |target| target.as_str()).as_bytes(), text)?;
            text.push(b' ');
            text.extend_from_slice(protocol.name().as_bytes());
            Ok(())
        }
        // Its blanks are between words, or it is malformed for them.
        Asked::Line(line) => {
            let mut words = line.split(|&byte| byte == b' ');
            escape(words.next().unwrap_or_default(), text)?;
            words.try_for_each(|word| {
                text.push(b' ');
                escape(word, text)
            })
        }
        Asked::Nothing => {
            text.push(b'-');
            Ok(())
        }
    }
}

/// What could end a field or a line, or is no printable ASCII, as `\xHH`.
fn escape(word: &[u8], text: &mut Vec<u8>) -> io::Result<()> {
    for &byte in word {
        match byte {
            b'"' | b'\\' | ..=b' ' | 0x7f.. => write!(text, "\\x{byte:02X}")?,
            _ => text.push(byte),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8]) -> Asked {
        Asked::Line(text.into())
    }

    fn common(asked: &Asked) -> String {
        let mut text = Vec::new();
        request_line(asked, Protocol::Http2, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn words<'a>(method: Option<&'a str>, path: Option<&'a str>, query: Option<&'a str>) -> Words<'a> {
        Words { method, path: path.map(Cow::Borrowed), query: query.map(Cow::Borrowed) }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let head = |path: Option<&'static str>| {
            Asked::Head(Method::GET, path.map(http::uri::PathAndQuery::from_static))
        };
        assert_eq!(common(&head(Some("/a?b"))), "GET /a?b HTTP/2");
        assert_eq!(Words::of(&head(Some("/a?b"))), words(Some("GET"), Some("/a"), Some("b")));
        assert_eq!(common(&head(None)), "GET - HTTP/2");
        assert_eq!(Words::of(&head(None)), words(Some("GET"), None, None));
        assert_eq!(common(&Asked::Nothing), "-");
        assert_eq!(Words::of(&Asked::Nothing), Words::default());
    }

    #[test]
    fn a_line_that_is_none_is_told_as_it_came() {
        let told = |bytes: &[u8], text: &str, [method, path, query]: [Option<&str>; 3]| {
            assert_eq!(common(&line(bytes)), text);
            assert_eq!(Words::of(&line(bytes)), words(method, path, query), "{text}");
        };
        told(b"GET /a?b HTTP/1.1", "GET /a?b HTTP/1.1", [Some("GET"), Some("/a"), Some("b")]);
        told(b"GET /a b HTTP/1.1", "GET /a b HTTP/1.1", [Some("GET"), Some("/a"), None]);
        told(b"GET  / HTTP/1.1", "GET  / HTTP/1.1", [Some("GET"), None, None]);
        told(b"GET /slo", "GET /slo", [Some("GET"), Some("/slo"), None]);
        told(b"GET", "GET", [None, None, None]);
        told(b"G\"T / HTTP/1.1", r"G\x22T / HTTP/1.1", [None, None, None]);
        told(b"\x16\x03\x01 \xe9", r"\x16\x03\x01 \xE9", [None, None, None]);
    }

    #[test]
    fn no_word_can_forge_a_line() {
        let mut text = Vec::new();
        escape(b"a\r\n\0 b\x7f", &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), r"a\x0D\x0A\x00\x20b\x7F");
    }
}
