//! Requests for another protocol than HTTP, as applications know them.

use std::hash::{BuildHasher, Hasher, RandomState};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Whether an extended CONNECT asks for a WebSocket.
pub(super) fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"websocket")
}

/// Whether the client of HTTP/1.1 means its `upgrade` to be read.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && words(headers, &CONNECTION).any(|word| word.eq_ignore_ascii_case(b"upgrade"))
}

/// What a list field has (RFC 9110, section 5.6.1).
pub(super) fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    let words = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    words.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

/// Adds to the head of an extended CONNECT what the upgrade of HTTP/1.1 has (RFC 6455, section 4.1), so that libraries
/// which know that one alone take it.
pub(super) fn dress(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.entry(SEC_WEBSOCKET_KEY).or_insert_with(key);
}

/// A key like any other. It proves to a client of HTTP/1.1 that the server has understood its request; nobody will look
/// at the answer to this one.
fn key() -> HeaderValue {
    let random = || RandomState::new().build_hasher().finish().to_ne_bytes();
    let bytes = [random(), random()].concat();
    HeaderValue::try_from(BASE64_STANDARD.encode(bytes)).expect("base64 is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_16_bytes_and_is_made_anew() {
        let (one, other) = (key(), key());
        assert_ne!(one, other);
        assert_eq!(BASE64_STANDARD.decode(one.as_bytes()).unwrap().len(), 16);
    }

    #[test]
    fn a_key_of_the_client_is_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("own"));
        dress(&mut headers);
        assert_eq!(headers[SEC_WEBSOCKET_KEY], "own");
        assert_eq!(headers[UPGRADE], "websocket");
        assert_eq!(headers[CONNECTION], "Upgrade");
    }
}
