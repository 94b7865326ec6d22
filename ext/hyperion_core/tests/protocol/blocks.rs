//! Header blocks: what codes them (RFC 7541), and the frames that they come in (RFC 9113, sections 4.3 and 6.2).

use bytes::Bytes;

use crate::support::client::{block, literal};
use crate::support::{Frame, Kind, get, harness, harness_with, reason};

#[tokio::test(start_paused = true)]
async fn an_index_that_does_not_exist_is_a_connection_error() {
    let bad: [&[u8]; 7] = [
        b"\x80",                         // index 0
        b"\xff\x80\x80\x01",             // beyond both tables
        b"\x3f\xe2\x1f",                 // a table larger than allowed
        b"\x82\x20",                     // a size update that is not first
        b"\x00\x81\xff\x00",             // a code of nothing but padding
        b"\x00\x84\xff\xff\xff\xff\x00", // the end-of-string symbol
        b"\x00\x81\x18\x00",             // padding that is not ones
    ];
    for block in bad {
        let harness = harness();
        let mut client = harness.client().await;
        client.send(Frame::headers(1, block).end()).await;
        assert_eq!(client.goaway().await.reason(), reason::COMPRESSION_ERROR, "{block:?}");
        client.rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_was_evicted_is_a_connection_error() {
    // With its name and overhead, an entry has 33 bytes more than its value.
    let entry = |size: usize| {
        let mut line = literal(b"x", &vec![b'v'; size]);
        line[0] = 0x40;
        line
    };
    let tables = [
        (entry(4096 - 33), 62, true),
        (entry(4096 - 32), 62, false),
        ([entry(7), entry(4096 - 73)].concat(), 63, true),
        ([entry(7), entry(4096 - 73), entry(0)].concat(), 64, false),
        ([entry(7), entry(4096 - 73), entry(0)].concat(), 63, true),
    ];
    for (table, index, is_valid) in tables {
        let harness = harness();
        let mut client = harness.client().await;
        let head = [block(&get("/")), table, vec![0x80 | index]].concat();
        client.send(Frame::headers(1, head).end()).await;
        if is_valid {
            assert_eq!(client.response(1).await.status, 200);
        } else {
            assert_eq!(client.goaway().await.reason(), reason::COMPRESSION_ERROR);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn padding_and_priority_are_understood_and_ignored() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let payload = [&[3u8, 0, 0, 0, 0, 200][..], &block(&get("/manual")), &[0; 3]].concat();
    client.send(Frame::headers(1, payload).flags(0x4 | 0x1 | 0x8 | 0x20)).await;
    assert_eq!(harness.exchange().await.request.path(), "/manual");
    // A stream that depends on itself (RFC 7540, section 5.3.1).
    let payload = [&[0u8, 0, 0, 3, 200][..], &block(&get("/manual"))].concat();
    client.send(Frame::headers(3, payload).flags(0x4 | 0x1 | 0x20)).await;
    assert_eq!(client.reset_of(3).await, reason::PROTOCOL_ERROR);
}

#[tokio::test(start_paused = true)]
async fn a_head_may_span_continuations() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let block = [block(&get("/manual")), literal(b"x-long", &[b'v'; 3000])].concat();
    let (first, rest) = block.split_at(20);
    client.send(Frame::headers(1, first).flags(0x1)).await;
    let (second, third) = rest.split_at(1500);
    client.send(Frame::new(Kind::CONTINUATION, 0, 1, second)).await;
    client.send(Frame::new(Kind::CONTINUATION, 4, 1, third)).await;
    let exchange = harness.exchange().await;
    assert_eq!(Bytes::copy_from_slice(exchange.request.headers["x-long"].as_bytes()), [b'v'; 3000][..]);
}

#[tokio::test(start_paused = true)]
async fn a_head_may_come_in_the_smallest_parts() {
    let mut harness = harness();
    let mut client = harness.client().await;
    let block = [block(&get("/manual")), literal(b"x-long", &[b'v'; 300])].concat();
    let mut frames = Frame::headers(1, [&[2, 0, 0, 0, 0, 15][..], &block[..1], &[0; 2]].concat())
        .flags(0x1 | 0x8 | 0x20)
        .encode();
    frames.extend(block[1..].iter().flat_map(|&byte| Frame::new(Kind::CONTINUATION, 0, 1, [byte]).encode()));
    frames.extend(Frame::new(Kind::CONTINUATION, 4, 1, []).encode());
    client.write(&frames).await;
    assert_eq!(harness.exchange().await.request.headers["x-long"].len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_head_of_the_largest_size_may_come_in_small_frames() {
    for frame_size in [1 << 14, 1 << 20] {
        let mut harness = harness_with(|config| {
            config.http2.max_header_list_size = 1 << 20;
            config.http2.max_frame_size = frame_size;
        });
        let mut client = harness.client().await;
        let fields = literal(b"x-large", &[b'v'; 9000]).repeat(100);
        let block = [block(&get("/manual")), fields].concat();
        let mut parts = block.chunks(1 << 14).peekable();
        client.send(Frame::headers(1, parts.next().unwrap()).flags(0x1)).await;
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_none() { 0x4 } else { 0 };
            client.send(Frame::new(Kind::CONTINUATION, flags, 1, part)).await;
        }
        let exchange = harness.exchange().await;
        assert_eq!(exchange.request.headers.get_all("x-large").iter().count(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_in_parts_is_checked_all_the_same() {
    for field in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        (":method", "GET"),
        (":unknown", "1"),
        ("X-Upper", "1"),
        ("x", "a\nb"),
    ] {
        let mut head = get("/manual");
        head.extend([("x-first", "1"), field, ("x-last", "2")]);
        let block = block(&head);
        let harness = harness();
        let mut client = harness.client().await;
        for (stream, cut) in (1..).step_by(2).zip(1..block.len()) {
            let (first, rest) = block.split_at(cut);
            client.send(Frame::headers(stream, first).flags(0x1)).await;
            client.send(Frame::new(Kind::CONTINUATION, 4, stream, rest)).await;
            assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR, "{field:?} cut at {cut}");
        }
        client.assert_usable(9999).await;
    }
}

/// Too large for one frame, so that the `h2` crate reads it in parts, of which one ends within a line.
#[tokio::test(start_paused = true)]
async fn a_head_that_fits_no_frame_is_checked_all_the_same() {
    const FRAME: usize = 1 << 14;
    let bad =
        [(":path", "/other"), (":scheme", "http"), (":method", "PUT"), ("te", "gzip"), ("upgrade", "x")];
    for field in bad {
        let harness = harness_with(|config| config.http2.max_frame_size = FRAME as u32);
        let mut client = harness.client().await;
        for (stream, wanted) in [(1, Some(field)), (3, None)] {
            let mut head = get("/");
            head.extend(wanted);
            let block = [block(&head), literal(b"x-large", &[b'v'; 9000]).repeat(3)].concat();
            let (first, rest) = block.split_at(FRAME);
            client.send(Frame::headers(stream, first).flags(0x1)).await;
            client.send(Frame::new(Kind::CONTINUATION, 4, stream, rest)).await;
            if wanted.is_some() {
                assert_eq!(client.reset_of(stream).await, reason::PROTOCOL_ERROR, "{field:?}");
            } else {
                assert_eq!(client.response(stream).await.status, 200);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_may_come_between_continuations() {
    let frames = [
        Frame::ping([0; 8]),
        Frame::data(1, []),
        Frame::headers(3, block(&get("/"))),
        Frame::new(Kind(0xcc), 0, 1, []),
        Frame::new(Kind::CONTINUATION, 4, 3, []),
    ];
    for frame in frames {
        let harness = harness();
        let mut client = harness.client().await;
        client.send(Frame::headers(1, block(&get("/"))).flags(0x1)).await;
        client.send(frame).await;
        assert_eq!(client.goaway().await.reason(), reason::PROTOCOL_ERROR);
    }
}
