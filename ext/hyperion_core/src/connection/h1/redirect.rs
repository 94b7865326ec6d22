//! HTTP in the clear where there is to be none: the client is told where to go instead.

use std::sync::Arc;

use http::StatusCode;
use http::uri::{Authority, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::head::split_field;
use super::inlet::{Awaited, Step};
use super::link::Link;
use super::refusal::{Refusal, answer};
use super::{Linger, SLOW_HEAD, answered, linger, say};
use crate::access_log;
use crate::connection::Rewind;
use crate::peer::Peer;
use crate::request::Protocol;
use crate::service::Context as Server;
use crate::writer::Blocked;

const NO_HOST: Refusal = Refusal::bad_request("the request does not say to which host it goes");
const PLAIN: [(&str, &str); 1] = [("content-type", "text/plain")];
const HTTPS_PORT: u16 = 443;
/// What is said to a client that takes a port with TLS for one without.
const WRONG_PORT: &str = "This port speaks TLS: use https.\n";

/// Answers one request by its https URL, at `port`.
pub(crate) async fn redirect<T>(io: Rewind<T>, port: u16, peer: Peer, server: &Server)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (io, first) = io.into_parts();
    let mut link = Link::new(io, first, server.config.http2.max_header_list_size as usize, Blocked::new());
    let read = timeout(server.config.timeouts.header, read_head(&mut link)).await;
    let location = match read {
        Ok(Some(head)) => head.and_then(|head| location(&head, port).ok_or(NO_HOST)),
        Err(_) if matches!(link.inlet.awaited(), Awaited::Head(_)) => Err(SLOW_HEAD),
        // Gone, or without a word.
        Ok(None) | Err(_) => return,
    };
    match location {
        Ok(location) => {
            let fields = [("location", &*location)];
            conclude(&mut link, StatusCode::PERMANENT_REDIRECT, &fields, "", peer, server).await;
        }
        Err(refusal) => {
            server.count_rejected();
            conclude(&mut link, refusal.status, &PLAIN, refusal.text(), peer, server).await;
        }
    }
}

/// Tells a client that it has taken a port with TLS for one without.
pub(crate) async fn refuse_clear<T>(io: Rewind<T>, peer: Peer, server: &Server)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (io, first) = io.into_parts();
    let mut link = Link::new(io, first, 0, Blocked::new());
    server.count_rejected();
    conclude(&mut link, StatusCode::BAD_REQUEST, &PLAIN, WRONG_PORT, peer, server).await;
}

/// Answers, and ends the connection.
async fn conclude<T>(
    link: &mut Link<T>,
    status: StatusCode,
    fields: &[(&str, &str)],
    body: &str,
    peer: Peer,
    server: &Server,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (asked, since) = (link.inlet.asked(), link.inlet.head_since().into_std());
    let bytes = answer(status, server.config.server_header.as_ref(), fields, body);
    let outcome = say(&mut link.wire, &bytes).await;
    server.turn_away(answered(status, body.len(), outcome), || {
        access_log::Line::refused(asked, Protocol::Http11, 0, Arc::new(peer), since)
    });
    linger(&mut link.wire, Linger::Brief).await;
}

/// The head of a request; nothing when the client has gone.
async fn read_head<T>(link: &mut Link<T>) -> Option<Result<Vec<u8>, Refusal>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match link.inlet.step() {
            Step::Pass => return Some(Ok(link.inlet.ready().to_vec())),
            Step::Refused => return link.inlet.refusal().map(Err),
            Step::Read(room) => {
                let Link { wire, inlet } = &mut *link;
                inlet.read(wire.io_mut(), room).await.ok().filter(|&count| count > 0)?;
            }
        }
    }
}

/// The URL at `port` of what a head asks for; nothing when it does not name one host.
fn location(head: &[u8], port: u16) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n").skip_while(|line| line.is_empty());
    let target: Uri = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.take_while(|line| !line.is_empty());
    let mut hosts = fields.filter_map(|line| {
        let (name, value) = split_field(line.as_bytes()).ok()?;
        name.eq_ignore_ascii_case(b"host").then_some(value)
    });
    let (host, other) = (hosts.next(), hosts.next());
    let path = target.path_and_query().filter(|path| path.as_str().starts_with('/'))?;
    let authority = match target.authority() {
        Some(authority) => authority.clone(),
        None => Authority::try_from(host.filter(|_| other.is_none())?).ok()?,
    };
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    Some(match port {
        HTTPS_PORT => format!("https://{}{path}", authority.host()),
        port => format!("https://{}:{port}{path}", authority.host()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(request_line: &str, fields: &str, port: u16) -> Option<String> {
        location(format!("{request_line}\r\n{fields}\r\n").as_bytes(), port)
    }

    #[test]
    fn the_host_keeps_its_name_and_gets_the_port() {
        let get = "GET /a?b=c HTTP/1.1";
        assert_eq!(to(get, "Host: a.test:80\r\n", 443).unwrap(), "https://a.test/a?b=c");
        assert_eq!(to(get, "x: y\r\nhost: a.test\r\n", 8443).unwrap(), "https://a.test:8443/a?b=c");
        assert_eq!(to(get, "host: [::1]:80\r\n", 8443).unwrap(), "https://[::1]:8443/a?b=c");
        assert_eq!(to("GET http://b.test/x HTTP/1.1", "host: a\r\n", 443).unwrap(), "https://b.test/x");
    }

    #[test]
    fn a_request_that_names_no_host_goes_nowhere() {
        for fields in ["", "host: a\r\nhost: b\r\n", "host:\r\n", "host: u@a\r\n", "host: a/b\r\n"] {
            assert_eq!(to("GET / HTTP/1.1", fields, 443), None, "{fields:?}");
        }
        assert_eq!(to("OPTIONS * HTTP/1.1", "host: a\r\n", 443), None);
        assert_eq!(to("CONNECT a:443 HTTP/1.1", "host: a:443\r\n", 443), None);
    }
}
