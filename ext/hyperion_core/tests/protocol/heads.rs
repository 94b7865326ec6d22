//! Request heads: what is malformed resets its stream, reaches no application, and leaves the connection usable
//! (RFC 9113, sections 8.1.1, 8.2 and 8.3).

use httlib_hpack::Encoder;
use http::Method;

use crate::support::client::{block, compressed};
use crate::support::{Client, Frame, Harness, Kind, get, harness, post, reason};

type Head = Vec<(&'static str, &'static str)>;

const METHOD: usize = 0;
const SCHEME: usize = 1;
const AUTHORITY: usize = 2;
const PATH: usize = 3;

fn with(name: &'static str, value: &'static str) -> Head {
    let mut head = get("/manual");
    head.push((name, value));
    head
}

fn before_path(name: &'static str, value: &'static str) -> Head {
    let mut head = get("/manual");
    head.insert(PATH, (name, value));
    head
}

fn set(at: usize, value: &'static str) -> Head {
    let mut head = get("/manual");
    head[at].1 = value;
    head
}

fn without(at: usize) -> Head {
    let mut head = get("/manual");
    head.remove(at);
    head
}

/// Each head is sent plain and compressed, on one connection each time.
async fn assert_malformed(heads: Vec<Head>) {
    for huffman in [false, true] {
        let mut harness = harness();
        let mut client = harness.client().await;
        let mut encoder = Encoder::default();
        for (number, head) in heads.iter().enumerate() {
            let stream = number as u32 * 2 + 1;
            let block = if huffman { compressed(&mut encoder, head) } else { block(head) };
            client.send(Frame::headers(stream, block).end()).await;
            let frame = client.next().await.unwrap_or_else(|| panic!("the connection died of {head:?}"));
            assert_eq!((frame.kind, frame.stream), (Kind::RST_STREAM, stream), "{head:?} {frame:?}");
            assert_eq!(frame.reason(), reason::PROTOCOL_ERROR, "{head:?}");
        }
        assert!(!harness.was_called());
        client.assert_usable(9999).await;
    }
}

/// The application's view of a good head.
async fn accepted(head: &[(&str, &str)]) -> (Harness, Client, hyperion_core::Exchange) {
    let mut harness = harness();
    let mut client = harness.client().await;
    client.request(1, head).await;
    let exchange = harness.exchange().await;
    (harness, client, exchange)
}

#[tokio::test(start_paused = true)]
async fn pseudo_headers_are_complete_known_single_and_first() {
    assert_malformed(vec![
        without(METHOD),
        without(SCHEME),
        without(PATH),
        without(AUTHORITY),
        before_path(":unknown", "1"),
        before_path(":status", "200"),
        before_path(":protocol", "websocket"),
        before_path(":method", "GET"),
        before_path(":scheme", "https"),
        before_path(":authority", "example.org"),
        with(":path", "/manual"),
        before_path("x-early", "1"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn pseudo_header_values_are_checked() {
    assert_malformed(vec![
        set(METHOD, "G T"),
        set(METHOD, "GET\r\n"),
        set(METHOD, "G(T"),
        set(SCHEME, ""),
        set(SCHEME, "h ttps"),
        set(AUTHORITY, ""),
        set(AUTHORITY, "a b"),
        set(AUTHORITY, "user@example.org"),
        set(AUTHORITY, "a\r\nb"),
        set(PATH, ""),
        set(PATH, "manual"),
        set(PATH, "https://example.org/manual"),
        set(PATH, "*"),
        set(PATH, "/manual a"),
        set(PATH, "/manual\r\nx"),
        set(PATH, "/manual\0"),
        set(PATH, "/manual#fragment"),
        set(PATH, "/manual?query#fragment"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_are_lower_case_tokens() {
    assert_malformed(
        ["X-Upper", "x-uppeR", "x y", "x\ty", "x\r\ny", "x\0y", "x:y", "x\x7f", "caf\u{e9}", " x", "x "]
            .map(|name| with(name, "1"))
            .to_vec(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn values_cannot_end_a_line_or_be_padded() {
    let values = ["a\rb", "a\nb", "a\r\nb: c", "a\0b", "\n", "a\x7f", " a", "a ", "\ta", "a\t"];
    assert_malformed(values.map(|value| with("x", value)).to_vec()).await;
}

#[tokio::test(start_paused = true)]
async fn connection_specific_fields_are_malformed() {
    assert_malformed(vec![
        with("connection", "close"),
        with("keep-alive", "timeout=5"),
        with("proxy-connection", "keep-alive"),
        with("transfer-encoding", "chunked"),
        with("upgrade", "h2c"),
        with("te", "gzip"),
        with("te", "trailers, gzip"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn hosts_agree_with_the_authority() {
    assert_malformed(vec![with("host", "evil.test"), with("host", "")]).await;
    let mut twice = without(AUTHORITY);
    twice.extend([("host", "example.org"), ("host", "example.org")]);
    assert_malformed(vec![twice]).await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_the_table_stays_malformed() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let mut encoder = Encoder::default();
    for stream in [1, 3, 5] {
        let block = compressed(&mut encoder, &with("X-Upper", "1"));
        client.send(Frame::headers(stream, block).end()).await;
        assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR);
    }
    assert!(!harness.was_called());
    // The table is in step all the same.
    for stream in [7, 9] {
        let block = compressed(&mut encoder, &with("x-good", "the value"));
        client.send(Frame::headers(stream, block).end()).await;
        let exchange = harness.exchange().await;
        assert_eq!(exchange.request.headers["x-good"], "the value");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_checked_all_the_same() {
    let mut harness = harness();
    let mut client = harness.client().await;
    for (stream, head) in [(1, with("X-Upper", "1")), (3, with("x-good", "1"))] {
        for byte in Frame::headers(stream, block(&head)).end().encode() {
            client.write(&[byte]).await;
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(client.reset_of(1).await, reason::PROTOCOL_ERROR);
    assert_eq!(harness.exchange().await.request.stream_id, 3);
}

#[tokio::test(start_paused = true)]
async fn fields_reach_the_application_as_they_were_sent() {
    let mut head = set(PATH, "/manual/%2e%2F?a=b&c?d");
    head.extend([
        ("x-tab", "a\tb"),
        ("x-high", "caf\u{e9}"),
        ("x-empty", ""),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]);
    head.extend([("te", "trailers"), ("host", "EXAMPLE.org")]);
    let (_harness, _client, exchange) = accepted(&head).await;
    let request = &exchange.request;
    assert_eq!((request.path(), request.query()), ("/manual/%2e%2F", "a=b&c?d"));
    assert_eq!(request.authority, "example.org");
    assert_eq!(request.headers["x-tab"], "a\tb");
    assert_eq!(request.headers["x-high"].as_bytes(), "caf\u{e9}".as_bytes());
    assert_eq!(request.headers["x-empty"], "");
    let cookies: Vec<_> = request.headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"], "joining crumbs is the application's side");
    assert!(!request.headers.contains_key("host"));
}

#[tokio::test(start_paused = true)]
async fn host_stands_in_for_a_missing_authority() {
    let mut head = without(AUTHORITY);
    head.push(("host", "example.org:8443"));
    let (_harness, _client, exchange) = accepted(&head).await;
    assert_eq!(exchange.request.authority, "example.org:8443");
}

#[tokio::test(start_paused = true)]
async fn any_method_that_is_a_token_passes() {
    let (_harness, _client, exchange) = accepted(&set(METHOD, "M-SEARCH")).await;
    assert_eq!(exchange.request.method, Method::from_bytes(b"M-SEARCH").unwrap());
}

#[tokio::test(start_paused = true)]
async fn options_may_ask_about_the_server_as_a_whole() {
    let harness = harness();
    let mut client = harness.client().await;
    let mut head = get("*");
    head[METHOD].1 = "OPTIONS";
    client.request(1, &head).await;
    assert_eq!(client.response(1).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_application_is_not_called_for_a_length_that_is_none() {
    let lengths = ["-5", "+5", "5 ", "0x5", "5,5", "", "99999999999999999999999"];
    assert_malformed(lengths.map(|length| with("content-length", length)).to_vec()).await;
    let mut twice = with("content-length", "0");
    twice.push(("content-length", "0"));
    // Nothing may follow, and nothing does, but twice is twice.
    assert_malformed(vec![twice, with("content-length", "5")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_as_long_as_its_head_says() {
    for (said, parts) in [("5", &["abc"][..]), ("5", &["abc", "def"]), ("0", &["a"])] {
        let mut harness = harness();
        let mut client = harness.client().await;
        let mut head = post("/manual");
        head.push(("content-length", said));
        client.open(1, &head).await;
        for (number, part) in parts.iter().enumerate() {
            let data = Frame::data(1, part.as_bytes());
            client.send(if number + 1 == parts.len() { data.end() } else { data }).await;
        }
        assert_eq!(client.reset_of(1).await, reason::PROTOCOL_ERROR, "{said} {parts:?}");
        assert!(!harness.was_called());
        client.assert_usable(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_end_of_a_stream() {
    let head = |id| Frame::headers(id, block(&get("/")));
    let late = [Frame::data(1, *b"late"), head(1), head(1).end()];
    for frame in late {
        let harness = harness();
        let mut client = harness.client().await;
        client.send(head(1).end()).await;
        client.send(frame).await;
        assert_eq!(client.goaway().await.reason(), reason::STREAM_CLOSED);
        client.rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_head_follows_a_reset_by_the_client() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    client.send(Frame::reset(1, reason::CANCEL)).await;
    client.request(1, &get("/")).await;
    assert_eq!(client.goaway().await.reason(), reason::STREAM_CLOSED);
}

#[tokio::test(start_paused = true)]
async fn stream_identifiers_are_odd_and_rise() {
    for (first, second) in [(3, 1), (5, 4)] {
        let harness = harness();
        let mut client = harness.client().await;
        client.assert_usable(first).await;
        client.request(second, &get("/")).await;
        assert_eq!(client.goaway().await.reason(), reason::PROTOCOL_ERROR);
        client.rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_rejection_is_reported_once_whoever_decides_it() {
    let harness = harness();
    let mut client = harness.client().await;
    // The first is refused by the `h2` crate, the second by us.
    for (stream, field) in [(1, ("te", "gzip")), (3, ("connection", "close"))] {
        client.request(stream, &[&get("/")[..], &[field]].concat()).await;
        assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR);
    }
    client.assert_usable(5).await;
    let events = harness.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("stream 1: ") && events[1].contains("stream 3: "), "{events:?}");
}
