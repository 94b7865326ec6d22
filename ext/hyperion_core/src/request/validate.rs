//! The rules of RFC 9113, section 8, that the h2 crate leaves to its user. A request that breaks one is malformed:
//! its stream is reset with PROTOCOL_ERROR and the application never sees it.

use std::net::Ipv6Addr;
use std::str::FromStr;

use http::header::{CONTENT_LENGTH, HOST};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Uri};
use thiserror::Error;

use super::Protocol;

/// Why a request head is malformed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Malformed {
    #[error("a field name or value has a byte that none may have, or a pseudo-header is unknown or empty")]
    Field,
    #[error(":path is no target, or :authority no authority")]
    Target,
    #[error("a field value starts or ends with white space")]
    Padding,
    #[error("content-length is not one number")]
    ContentLength,
    #[error("neither :authority nor one host")]
    NoAuthority,
    #[error(":authority has user information")]
    UserInfo,
    #[error("the host or the port of :authority or host is none")]
    HostOrPort,
    #[error(":authority and host differ")]
    HostMismatch,
    #[error(":path is missing")]
    NoPath,
    #[error(":path does not start with a slash")]
    Path,
}

/// What has to be right of a head over HTTP/2, besides its target: the length of the body, and the authority.
pub(super) fn h2_head(uri: &Uri, headers: &HeaderMap) -> Result<(Option<u64>, HeaderValue), Malformed> {
    fields(headers)?;
    Ok((content_length(headers)?, authority(uri.authority(), headers)?))
}

/// As [`h2_head`], over HTTP/1.1.
pub(super) fn h1_head(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    protocol: Protocol,
) -> Result<(Option<u64>, HeaderValue), Malformed> {
    Ok((content_length(headers)?, h1_authority(method, uri, headers, protocol)?))
}

/// What the `http` crate bears in a target of bytes that should be percent-encoded (RFC 3986, section 2).
pub(crate) fn is_target(value: &[u8]) -> bool {
    if memchr::memchr3(b'<', b'>', b'`', value).is_none() {
        return true;
    }
    let (path, query) = value.split_at(memchr::memchr(b'?', value).unwrap_or(value.len()));
    !path.iter().any(|byte| b"<>`".contains(byte)) && !query.contains(&b'<')
}

/// RFC 9113, section 8.2.1: no value starts or ends with a space or a tab.
fn fields(headers: &HeaderMap) -> Result<(), Malformed> {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let padded = |value: &HeaderValue| blank(value.as_bytes().first()) || blank(value.as_bytes().last());
    if headers.values().any(padded) { Err(Malformed::Padding) } else { Ok(()) }
}

/// RFC 9110, section 8.6: one field line of digits.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let length = number(value.as_bytes()).filter(|_| values.next().is_none());
    length.map(Some).ok_or(Malformed::ContentLength)
}

/// RFC 9113, section 8.3.1: `:authority`, else one `host`; both only when equal; no user information.
fn authority(pseudo: Option<&Authority>, headers: &HeaderMap) -> Result<HeaderValue, Malformed> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Malformed::HostMismatch);
    }
    let authority = match (pseudo, host) {
        (Some(pseudo), Some(host)) if !host.as_bytes().eq_ignore_ascii_case(pseudo.as_str().as_bytes()) => {
            return Err(Malformed::HostMismatch);
        }
        (Some(pseudo), _) => HeaderValue::from_str(pseudo.as_str()).map_err(|_| Malformed::NoAuthority)?,
        (None, Some(host)) => {
            Authority::try_from(host.as_bytes()).map_err(|_| Malformed::NoAuthority)?;
            host.clone()
        }
        (None, None) => return Err(Malformed::NoAuthority),
    };
    if authority.as_bytes().contains(&b'@') {
        return Err(Malformed::UserInfo);
    }
    if is_host_and_port(authority.as_bytes()) { Ok(authority) } else { Err(Malformed::HostOrPort) }
}

/// RFC 3986, section 3.2: a host, and perhaps a port, which is a number or nothing. The host is not empty (RFC 9110,
/// section 4.2.1).
fn is_host_and_port(authority: &[u8]) -> bool {
    let (has_host, port) = match authority.strip_prefix(b"[") {
        Some(literal) => {
            let Some(end) = memchr::memchr(b']', literal) else { return false };
            (is_ipv6(&literal[..end]), &literal[end + 1..])
        }
        None => {
            let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
            (end > 0 && memchr::memchr2(b'[', b']', authority).is_none(), &authority[end..])
        }
    };
    let has_port_or_none = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => number::<u16>(digits).is_some(),
        _ => false,
    };
    has_host && has_port_or_none
}

fn is_ipv6(literal: &[u8]) -> bool {
    std::str::from_utf8(literal).is_ok_and(|literal| literal.parse::<Ipv6Addr>().is_ok())
}

/// A number of decimal digits alone.
fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// RFC 9112, section 3.2: HTTP/1.1 wants one `host`; the authority of an absolute target wins over it.
fn h1_authority(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    protocol: Protocol,
) -> Result<HeaderValue, Malformed> {
    let none_needed = protocol == Protocol::Http10 && !headers.contains_key(HOST);
    let host = if none_needed { HeaderValue::from_static("") } else { authority(None, headers)? };
    match uri.authority() {
        None => Ok(host),
        // The target of CONNECT, which is not served.
        Some(_) if method == Method::CONNECT => Ok(host),
        Some(_) if !matches!(uri.scheme_str(), Some("http" | "https")) => Err(Malformed::Path),
        Some(named) => authority(Some(named), &HeaderMap::new()),
    }
}

/// RFC 9112, section 3.2.2: of an absolute target the path may be empty, before a query too.
pub(super) fn h1_target(method: &Method, uri: Uri) -> Result<PathAndQuery, Malformed> {
    let is_absolute = uri.authority().is_some();
    let path = uri.into_parts().path_and_query;
    match path {
        Some(query) if is_absolute && query.as_str().starts_with('?') => {
            PathAndQuery::try_from(format!("/{}", query.as_str())).map_err(|_| Malformed::Path)
        }
        path => target(method, path, false),
    }
}

/// RFC 9113, section 8.3.1: a path that starts with a slash, or `*` for OPTIONS; none for an ordinary CONNECT.
pub(super) fn target(
    method: &Method,
    path: Option<PathAndQuery>,
    extended_connect: bool,
) -> Result<PathAndQuery, Malformed> {
    if method == Method::CONNECT && !extended_connect {
        return Ok(PathAndQuery::from_static("/"));
    }
    let path = path.filter(|path| !path.as_str().is_empty()).ok_or(Malformed::NoPath)?;
    let asterisk = method == Method::OPTIONS && path.as_str() == "*";
    if path.as_str().starts_with('/') || asterisk { Ok(path) } else { Err(Malformed::Path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn values_may_not_be_padded() {
        assert_eq!(fields(&headers(&[("a", "b c"), ("d", "")])), Ok(()));
        for padded in [" b", "b ", "\tb", "b\t"] {
            assert_eq!(fields(&headers(&[("a", padded)])), Err(Malformed::Padding), "{padded:?}");
        }
    }

    #[test]
    fn content_length_is_one_number() {
        assert_eq!(content_length(&headers(&[])), Ok(None));
        assert_eq!(content_length(&headers(&[("content-length", "007")])), Ok(Some(7)));
        for bad in ["", "-1", "+1", "1 ", "1,1", "0x1", "99999999999999999999"] {
            assert!(content_length(&headers(&[("content-length", bad)])).is_err(), "{bad:?}");
        }
        assert!(content_length(&headers(&[("content-length", "1"), ("content-length", "1")])).is_err());
    }

    #[test]
    fn authority_wins_and_must_agree_with_host() {
        let pseudo = Authority::from_static("Example.org:8443");
        assert_eq!(authority(Some(&pseudo), &headers(&[])).unwrap(), "Example.org:8443");
        assert_eq!(
            authority(Some(&pseudo), &headers(&[("host", "example.org:8443")])).unwrap(),
            "Example.org:8443"
        );
        assert_eq!(authority(None, &headers(&[("host", "a.test")])).unwrap(), "a.test");
        let mismatch = authority(Some(&pseudo), &headers(&[("host", "evil.test")]));
        assert_eq!(mismatch, Err(Malformed::HostMismatch));
        let twice = authority(None, &headers(&[("host", "a.test"), ("host", "a.test")]));
        assert_eq!(twice, Err(Malformed::HostMismatch));
        assert_eq!(authority(None, &headers(&[])), Err(Malformed::NoAuthority));
        assert_eq!(authority(None, &headers(&[("host", "")])), Err(Malformed::NoAuthority));
        for good in ["a.test:", "a.test:65535", "[::1]", "[::1]:80", "[::1]:"] {
            assert_eq!(authority(None, &headers(&[("host", good)])).unwrap(), good);
        }
        for bad in ["a.test:b", "a.test:65536", "a.test:8a", "[::1]:x", ":80", "[]", "[a.test]", "[1.2.3.4]"]
        {
            assert_eq!(authority(None, &headers(&[("host", bad)])), Err(Malformed::HostOrPort), "{bad:?}");
        }
        for bad in ["[::1]a", "a[::1]", "a]", "[::1", "::1", "a:80:80"] {
            assert!(authority(None, &headers(&[("host", bad)])).is_err(), "{bad:?}");
        }
        let user = Authority::from_static("user@example.org");
        assert_eq!(authority(Some(&user), &headers(&[])), Err(Malformed::UserInfo));
    }

    #[test]
    fn an_absolute_target_may_have_no_path() {
        let path = |uri: &'static str| h1_target(&Method::GET, Uri::from_static(uri));
        for (uri, expected) in
            [("http://a", "/"), ("http://a?b", "/?b"), ("http://a/b?c", "/b?c"), ("/b", "/b")]
        {
            assert_eq!(path(uri).unwrap().as_str(), expected, "{uri:?}");
        }
        assert_eq!(path("*"), Err(Malformed::Path));
    }

    #[test]
    fn a_path_starts_with_a_slash() {
        let path = |text: &'static str| Some(PathAndQuery::from_static(text));
        assert!(target(&Method::GET, path("/a?b"), false).is_ok());
        assert!(target(&Method::OPTIONS, path("*"), false).is_ok());
        assert_eq!(target(&Method::GET, path("*"), false), Err(Malformed::Path));
        assert_eq!(target(&Method::GET, None, false), Err(Malformed::NoPath));
        assert!(target(&Method::CONNECT, None, false).is_ok());
        assert_eq!(target(&Method::CONNECT, None, true), Err(Malformed::NoPath));
    }
}
