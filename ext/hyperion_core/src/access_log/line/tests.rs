use http::{HeaderMap, HeaderValue, Method};

use super::*;

fn request(target: &str, remote: Address) -> Request {
    Request {
        method: Method::GET,
        target: target.parse().unwrap(),
        authority: HeaderValue::from_static("example.org"),
        headers: HeaderMap::new(),
        content_length: None,
        connect_protocol: None,
        protocol: Protocol::Http2,
        stream_id: 7,
        peer: Arc::new(Peer { remote, local: Address::Unix(None), tls: None }),
        received_at: Instant::now(),
    }
}

fn tcp() -> Address {
    Address::Tcp("[::1]:4000".parse().unwrap())
}

/// A line that is complete.
pub(crate) fn line_to(target: &str) -> Line {
    let request = request(target, tcp());
    let mut line = *Line::new(&request);
    let (status, outcome) = (Some(200), Outcome::Sent);
    line.end(End { at: Instant::now(), status, bytes: 0, queue_wait: None, outcome });
    line
}

/// The line of a request that took 1.5 ms, and waited for half of that.
fn written(format: Format, request: &Request, status: Option<u16>) -> String {
    let mut writer = Writer::new(format);
    let line = Line::new(request);
    let end = End {
        at: request.received_at + Duration::from_micros(1500),
        status,
        bytes: 12,
        queue_wait: status.map(|_| Duration::from_micros(750)),
        outcome: Outcome::Sent,
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_769_903_999_123);
    let clock = Clock { instant: end.at + Duration::from_secs(86_400), time };
    match format {
        Format::Json => writer.json(&line, end, clock).unwrap(),
        Format::Common => writer.common(&line, end, clock).unwrap(),
    }
    String::from_utf8(writer.text).unwrap()
}

#[test]
fn a_line_of_json() {
    let line = written(Format::Json, &request("/a?b=c", tcp()), Some(200));
    let expected = r#"{"time":"2026-01-30T23:59:59.123Z","peer":"[::1]:4000","method":"GET","path":"/a","query":"b=c","protocol":"HTTP/2","status":200,"bytes":12,"duration":0.0015,"queue_wait":0.00075,"stream_id":7,"outcome":"sent"}"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn a_common_line() {
    let line = written(Format::Common, &request("/a?b=c", tcp()), Some(200));
    let expected =
        r#"::1 - - [30/Jan/2026:23:59:59 +0000] "GET /a?b=c HTTP/2" 200 12 0.001500 0.000750 7 sent"#;
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn a_request_without_a_response_has_no_status() {
    let json = written(Format::Json, &request("/", Address::Unix(None)), None);
    assert!(json.contains(r#""path":"/","protocol""#), "{json}");
    assert!(json.contains(r#""status":null"#) && json.contains(r#""queue_wait":null"#), "{json}");
    let common = written(Format::Common, &request("/", Address::Unix(None)), None);
    assert!(common.starts_with("unix: - - ["), "{common}");
    assert!(common.ends_with("\"GET / HTTP/2\" - 12 0.001500 - 7 sent\n"), "{common}");
}

#[test]
fn no_target_can_forge_a_line() {
    let target = "/\"\\|é";
    let json = written(Format::Json, &request(target, tcp()), Some(200));
    assert!(json.contains(r#""path":"/\"\\|é""#), "{json}");
    let common = written(Format::Common, &request(target, tcp()), Some(200));
    assert!(common.contains(r#""GET /\x22\x5C|\xC3\xA9 HTTP/2""#), "{common}");
}
