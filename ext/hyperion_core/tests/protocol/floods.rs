//! Floods: each ends in GOAWAY before it has cost much, and disturbs no other connection.

use crate::support::client::{block, integer, literal};
use crate::support::{Client, Frame, Harness, Kind, get, harness, harness_with, post, reason};

/// Sends frames, as long as the server listens.
async fn flood(client: &mut Client, max: u32, mut frames: impl FnMut(u32) -> Vec<Frame>) {
    for number in 0..max {
        let bytes: Vec<u8> = frames(number).iter().flat_map(Frame::encode).collect();
        if !client.try_write(&bytes).await {
            return;
        }
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

async fn assert_calmed(harness: &Harness, client: &mut Client, code: u32) {
    assert_eq!(client.goaway().await.reason(), code);
    client.rest().await;
    harness.client().await.assert_usable(1).await;
    harness.idle().await;
}

fn stream(number: u32) -> u32 {
    number * 2 + 1
}

#[tokio::test(start_paused = true)]
async fn rapid_resets() {
    let harness = harness();
    let mut client = harness.client().await;
    flood(&mut client, 20_000, |number| {
        let id = stream(number);
        vec![Frame::headers(id, block(&get("/"))).end(), Frame::reset(id, reason::CANCEL)]
    })
    .await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn resets_that_the_server_is_made_to_send() {
    type Provocation = fn(u32) -> Vec<Frame>;
    let provocations: [(&str, Provocation); 8] = [
        ("window overflow", |id| {
            vec![
                Frame::headers(id, block(&post("/echo"))),
                Frame::window_update(id, 0x7fff_ffff),
                Frame::window_update(id, 0x7fff_ffff),
            ]
        }),
        ("zero increment", |id| vec![Frame::headers(id, block(&post("/echo"))), Frame::window_update(id, 0)]),
        ("half-closed", |id| vec![Frame::headers(id, block(&get("/"))).end(), Frame::data(id, *b"late")]),
        ("self-dependency", |id| vec![Frame::headers(id, block(&post("/echo"))), Frame::priority(id, id)]),
        ("head that depends on itself", |id| {
            let payload = [&id.to_be_bytes()[..], &[0], &block(&get("/"))].concat();
            vec![Frame::headers(id, payload).flags(0x20 | 0x4 | 0x1)]
        }),
        ("malformed name", |id| {
            vec![Frame::headers(id, [block(&get("/")), literal(b"X-Upper", b"")].concat()).end()]
        }),
        ("missing path", |id| vec![Frame::headers(id, block(&get("/")[..3])).end()]),
        ("trailers that are none", |id| {
            vec![
                Frame::headers(id, block(&post("/echo"))),
                Frame::headers(id, block(&[(":path", "/")])).end(),
            ]
        }),
    ];
    for (name, provocation) in provocations {
        let harness = harness();
        let mut client = harness.client().await;
        flood(&mut client, 5000, |number| provocation(stream(number))).await;
        let goaway = client.goaway().await.reason();
        let expected = [reason::ENHANCE_YOUR_CALM, reason::PROTOCOL_ERROR, reason::STREAM_CLOSED];
        assert!(expected.contains(&goaway), "{name}: {goaway}");
        client.rest().await;
        harness.client().await.assert_usable(1).await;
        harness.idle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn heads_that_only_the_core_finds_malformed() {
    let harness = harness();
    let mut client = harness.client().await;
    let mut head = get("/");
    head.push(("host", "evil.test"));
    let block = block(&head);
    flood(&mut client, 5000, |number| vec![Frame::headers(stream(number), block.clone()).end()]).await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn control_frames() {
    type Flood = fn(u32) -> Vec<Frame>;
    let floods: [(&str, Flood); 6] = [
        ("SETTINGS", |number| vec![Frame::settings(&[(4, number)])]),
        ("PING", |_| vec![Frame::ping([0; 8])]),
        ("PRIORITY", |number| vec![Frame::priority(stream(number), 0)]),
        ("WINDOW_UPDATE", |_| vec![Frame::window_update(0, 1)]),
        ("unknown", |_| vec![Frame::new(Kind(0xee), 0, 0, [])]),
        ("RST_STREAM", |_| vec![Frame::reset(1, reason::CANCEL)]),
    ];
    for (name, frames) in floods {
        let harness = harness();
        let mut client = harness.client().await;
        client.assert_usable(1).await;
        flood(&mut client, 20_000, frames).await;
        assert_eq!(client.goaway().await.reason(), reason::ENHANCE_YOUR_CALM, "{name}");
        client.rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn empty_data() {
    let harness = harness();
    let mut client = harness.client().await;
    client.open(1, &post("/echo")).await;
    flood(&mut client, 50_000, |_| vec![Frame::data(1, [])]).await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn data_of_one_byte_that_is_not_read() {
    let harness = harness_with(|config| config.buffers.request_buffering = false);
    let mut client = harness.client().await;
    let mut head = post("/manual");
    head.push(("expect", "100-continue"));
    client.open(1, &head).await;
    flood(&mut client, 100_000, |_| vec![Frame::data(1, *b"x")]).await;
    assert_eq!(client.goaway().await.reason(), reason::ENHANCE_YOUR_CALM);
}

#[tokio::test(start_paused = true)]
async fn continuations_without_end() {
    let harness = harness();
    let mut client = harness.client().await;
    client.send(Frame::headers(1, block(&get("/"))).flags(0)).await;
    flood(&mut client, 10_000, |_| vec![Frame::new(Kind::CONTINUATION, 0, 1, [])]).await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn a_field_line_without_end() {
    let harness = harness();
    let mut client = harness.client().await;
    let mut block = block(&get("/"));
    block.extend([0, 1, b'x']);
    integer(1 << 20, 7, 0, &mut block);
    client.send(Frame::headers(1, block).flags(0)).await;
    flood(&mut client, 100, |_| vec![Frame::new(Kind::CONTINUATION, 0, 1, vec![b'v'; 16 * 1024])]).await;
    let reason = client.goaway().await.reason();
    assert!(matches!(reason, reason::ENHANCE_YOUR_CALM | reason::COMPRESSION_ERROR), "{reason}");
    harness.client().await.assert_usable(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_header_bomb() {
    let harness = harness();
    let mut client = harness.client().await;
    // One large entry of the table, referred to sixteen thousand times: 60 MB of fields in one frame.
    let mut bomb = block(&get("/"));
    bomb.extend([0x40, 1, b'x']);
    integer(4000, 7, 0, &mut bomb);
    bomb.extend([b'v'; 4000]);
    bomb.extend([0x80 | 62; 16_000]);
    client.send(Frame::headers(1, bomb).end()).await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_fields() {
    let harness = harness();
    let mut client = harness.client().await;
    let head = [block(&get("/")), literal(b"x", b"").repeat(3000)].concat();
    client.send(Frame::headers(1, head).end()).await;
    assert_eq!(client.response(1).await.status, 431);
    let head = [block(&get("/")), literal(b"x", b"").repeat(20_000)].concat();
    client.send(Frame::headers(3, head).end()).await;
    assert_calmed(&harness, &mut client, reason::ENHANCE_YOUR_CALM).await;
}

#[tokio::test(start_paused = true)]
async fn table_sizes_that_change_all_the_time() {
    let harness = harness();
    let mut client = harness.client().await;
    // Any number of updates may start a block; each one that shrinks the table empties it.
    let block = [[0x20, 0x3f, 0xe1, 0x1f].repeat(4000), block(&get("/"))].concat();
    client.send(Frame::headers(1, block).end()).await;
    assert_eq!(client.response(1).await.status, 200);
    harness.client().await.assert_usable(1).await;
}

#[tokio::test(start_paused = true)]
async fn no_window_for_a_hundred_large_responses() {
    for window in [0, 1] {
        let harness = harness();
        let mut client = harness.client_with(&[(4, window)]).await;
        client.refills = false;
        for number in 0..100 {
            client.request(stream(number), &get("/stream/1000000")).await;
        }
        let mut other = harness.client().await;
        for number in 0..20 {
            other.assert_usable(stream(number)).await;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let mut resets = 0;
        while resets < 100 {
            let frame = client.next().await.unwrap();
            resets += usize::from(frame.kind == Kind::RST_STREAM);
        }
        harness.idle().await;
    }
}
