//! Request bodies in small pieces: `h2` keeps an account of them that is not the window's.

use hyperion_core::Config;

use crate::support::app::pattern;
use crate::support::{Frame, harness_with, post};
use crate::uploads::streaming;

/// As Go's clients send what an application writes in small pieces; all of it is there at once.
#[tokio::test(start_paused = true)]
async fn a_window_full_of_small_frames_is_no_flood() {
    type Mode = fn(&mut Config);
    let modes: [(usize, usize, Mode); 3] = [
        (1_000_000, 4, |_| {}),
        (1_000_000, 4, streaming),
        (600_000, 10, |config| config.buffers.request = 1000),
    ];
    for (size, piece, mode) in modes {
        let harness = harness_with(mode);
        let mut client = harness.narrow_client(4 << 20);
        client.handshake(&[]).await;
        client.open(1, &post("/echo")).await;
        let body = pattern(size);
        let frames: Vec<u8> = body.chunks(piece).flat_map(|piece| Frame::data(1, piece).encode()).collect();
        client.write(&frames).await;
        client.send(Frame::data(1, []).end()).await;
        assert!(client.response(1).await.body == body);
    }
}
