//! What a request asks for, in words.

use std::borrow::Cow;
use std::io::{self, Write};

use http::Method;

use crate::request::{Asked, Protocol};

/// The words of a request line, as far as it has them.
pub(super) struct Words<'a> {
    pub(super) method: Option<Cow<'a, Method>>,
    target: Option<Cow<'a, str>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(asked: &'a Asked) -> Self {
        match asked {
            Asked::Head(method, target) => Words {
                method: Some(Cow::Borrowed(method)),
                target: target.as_ref().map(|target| target.as_str().into()),
            },
            Asked::Line(line) => Self::of_line(line),
            Asked::Nothing => Words { method: None, target: None },
        }
    }

    /// Without a blank behind it, a word may be anything.
    fn of_line(line: &'a [u8]) -> Self {
        let mut words = line.split(|&byte| byte == b' ');
        let method = words.next().and_then(|word| Method::from_bytes(word).ok());
        let target = words.next().filter(|target| method.is_some() && !target.is_empty());
        Words {
            method: method.filter(|_| line.contains(&b' ')).map(Cow::Owned),
            target: target.map(String::from_utf8_lossy),
        }
    }

    /// Path and query.
    pub(super) fn path_and_query(&self) -> (Option<&str>, Option<&str>) {
        let Some(target) = self.target.as_deref() else { return (None, None) };
        match target.split_once('?') {
            Some((path, query)) => (Some(path), Some(query)),
            None => (Some(target), None),
        }
    }
}

/// The first line of a request; `-` for what is not known.
pub(super) fn request_line(asked: &Asked, protocol: Protocol, text: &mut Vec<u8>) -> io::Result<()> {
    match asked {
        Asked::Head(method, target) => {
            write!(text, "{method} ")?;
            escape(target.as_ref().map_or("-", |target| target.as_str()).as_bytes(), text)?;
            write!(text, " {}", protocol.name())
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

    /// Method, path and query.
    fn json(asked: &Asked) -> [Option<String>; 3] {
        let words = Words::of(asked);
        let (path, query) = words.path_and_query();
        [words.method.as_deref().map(Method::as_str), path, query].map(|word| word.map(str::to_owned))
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let head = |path: Option<&'static str>| {
            Asked::Head(Method::GET, path.map(http::uri::PathAndQuery::from_static))
        };
        assert_eq!(common(&head(Some("/a?b"))), "GET /a?b HTTP/2");
        assert_eq!(json(&head(Some("/a?b"))), [Some("GET".into()), Some("/a".into()), Some("b".into())]);
        assert_eq!(common(&head(None)), "GET - HTTP/2");
        assert_eq!(json(&head(None)), [Some("GET".into()), None, None]);
        assert_eq!(common(&Asked::Nothing), "-");
        assert_eq!(json(&Asked::Nothing), [None, None, None]);
    }

    #[test]
    fn a_line_that_is_none_is_told_as_it_came() {
        let told = |bytes: &[u8], text: &str, words: [Option<&str>; 3]| {
            assert_eq!(common(&line(bytes)), text);
            assert_eq!(json(&line(bytes)), words.map(|word| word.map(str::to_owned)), "{text}");
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
