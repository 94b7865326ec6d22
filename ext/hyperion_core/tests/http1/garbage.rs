//! Requests with a fault anywhere: nothing may panic, hang, or be left behind.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::harness_with;

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
    "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\na: b\r\n\r\n",
    "HEAD /stream/9 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "GET /stream/99 HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nab",
];
const FAULTS: &[&[u8]] =
    &[b"", b"\r", b"\n", b"\r\n", b" ", b"\0", b":", b"0", b"f", b"\xff", b"chunked", b"\r\n\r\n"];

/// Some requests, and some places in them where something else stands.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let fault = (any::<prop::sample::Index>(), 0..3_usize, select(FAULTS));
    (vec(select(HEADS), 1..4), vec(fault, 0..4)).prop_map(|(heads, faults)| {
        let mut bytes = heads.concat().into_bytes();
        for (place, count, fault) in faults {
            let at = place.index(bytes.len());
            bytes.splice(at..(at + count).min(bytes.len()), fault.iter().copied());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_fault_harms_the_server(bytes in requests(), buffering: bool, step in 1..40_usize) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let harness = harness_with(|config| config.buffers.request_buffering = buffering);
            let mut client = harness.text_client();
            for piece in bytes.chunks(step) {
                client.try_send(piece).await;
                tokio::task::yield_now().await;
            }
            client.shutdown().await;
            client.rest().await;
            harness.idle().await;
            let events = harness.events();
            assert!(!events.iter().any(|event| event.contains("panic")), "{events:?}");
            harness.text_client().assert_usable().await;
        });
    }
}
