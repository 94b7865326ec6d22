use std::time::Duration;

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn gate() -> (Arc<Traffic>, FrameGate) {
    let traffic = Arc::new(Traffic::default());
    let mut gate = FrameGate::new(traffic.clone(), 1 << 14, 1 << 16);
    let mut start = [PREFACE, &frame(SETTINGS, 0, b"")].concat();
    assert_eq!(gate.admit(&mut start), start.len());
    (traffic, gate)
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test(start_paused = true)]
async fn floods_of_each_kind_are_noticed() {
    let kinds = [
        (SETTINGS, 0, SETTINGS_RATE.0 - 1, &b"123456"[..]),
        (RST_STREAM, 0, CONTROL_RATE.0 + 1, b"1234"),
        (PING, 0, CONTROL_RATE.0, b"12345678"),
        (PING, FLAG_ACK, CONTROL_RATE.0, b"12345678"),
        (PRIORITY, 0, CONTROL_RATE.0, b"12345"),
        (0xfe, 0, CONTROL_RATE.0, b""),
    ];
    for (kind, flags, burst, payload) in kinds {
        let (traffic, mut gate) = gate();
        for _ in 0..burst {
            gate.admit(&mut frame(kind, flags, payload));
        }
        assert_eq!(traffic.violation(), None, "kind {kind}");
        assert_eq!(gate.admit(&mut frame(kind, flags, payload)), 0);
        assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM), "kind {kind}");
        assert!(gate.is_closed());
    }
}

#[tokio::test(start_paused = true)]
async fn answers_to_our_pings_and_data_are_no_flood() {
    let (traffic, mut gate) = gate();
    for _ in 0..10_000 {
        traffic.ping_sent();
        gate.admit(&mut frame(PING, FLAG_ACK, b"12345678"));
        traffic.data_sent(1);
        gate.admit(&mut frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]));
        gate.admit(&mut frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]));
    }
    assert_eq!(traffic.violation(), None);
}

/// As Go's client does, on the stream and on the connection.
#[tokio::test(start_paused = true)]
async fn updates_for_every_four_kilobytes_are_no_flood() {
    for frames_ahead in [1, 64, 1024] {
        let (traffic, mut gate) = gate();
        for _ in 0..100_000_000 / 16_384 / frames_ahead {
            (0..frames_ahead).for_each(|_| traffic.data_sent(16_384));
            for _ in 0..frames_ahead * 8 {
                gate.admit(&mut frame(WINDOW_UPDATE, 0, &[0, 0, 0x10, 0]));
            }
        }
        assert_eq!(traffic.violation(), None, "{frames_ahead} frames ahead");
    }
}

fn reset(number: u32) -> Vec<u8> {
    let mut reset = frame(RST_STREAM, 0, b"1234");
    reset[5..9].copy_from_slice(&(number * 2 + 1).to_be_bytes());
    reset
}

#[tokio::test(start_paused = true)]
async fn resets_of_ever_new_streams_are_noticed_first() {
    let (traffic, mut gate) = gate();
    for number in 0..RESET_RATE.0 {
        gate.admit(&mut reset(number));
    }
    assert_eq!(traffic.violation(), None);
    gate.admit(&mut reset(RESET_RATE.0));
    assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test(start_paused = true)]
async fn each_response_earns_a_reset() {
    let (traffic, mut gate) = gate();
    for number in 0..20_000 {
        traffic.answered();
        gate.admit(&mut reset(number));
    }
    assert_eq!(traffic.violation(), None);
    for number in 0..RESET_RATE.0 {
        gate.admit(&mut reset(20_000 + number));
    }
    assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM), "nothing is earned in advance");
}

/// As haproxy does for each DATA frame that was on its way.
#[tokio::test(start_paused = true)]
async fn a_reset_may_be_repeated_for_our_data() {
    let (traffic, mut gate) = gate();
    for number in 0..20_000 {
        traffic.answered();
        for _ in 0..20 {
            traffic.data_sent(16_384);
            gate.admit(&mut reset(number));
        }
    }
    assert_eq!(traffic.violation(), None);
}

#[tokio::test(start_paused = true)]
async fn large_frames_of_no_use_are_few() {
    for (kind, burst) in [(0xfe, CONTROL_RATE.0), (GOAWAY, CONTROL_RATE.0), (SETTINGS, SETTINGS_RATE.0 - 1)] {
        let (traffic, mut gate) = gate();
        let mut large = frame(kind, 0, b"");
        large[1..3].copy_from_slice(&12_288u16.to_be_bytes());
        large.resize(large.len() + 12_288, 0);
        // Useful frames earn less than such a frame costs.
        let admitted = (0..burst).take_while(|_| {
            gate.admit(&mut frame(DATA, 0, b"x"));
            gate.admit(&mut large) > 0
        });
        assert!(admitted.count() as u32 <= burst / 9, "kind {kind}");
        assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM), "kind {kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn frames_pass_whole_and_data_as_it_comes() {
    let (traffic, mut gate) = gate();
    let mut block =
        [frame(HEADERS, 0, b"\x82\x84\x87"), frame(CONTINUATION, FLAG_END_HEADERS, b"\x84")].concat();
    for cut in 1..block.len() {
        assert_eq!(gate.admit(&mut block[..cut]), 0);
        assert!(traffic.head_since().is_some(), "the head has not ended");
    }
    assert_eq!(gate.admit(&mut block), block.len());
    assert!(traffic.head_since().is_none());
    assert_eq!(gate.admit(&mut frame(DATA, 0, b"abcdef")[..12]), 12);
    assert!(traffic.head_since().is_none(), "a body has a timeout of its own");
    assert_eq!(gate.admit(&mut b"def\0\0".to_vec()), 3);
}

#[tokio::test(start_paused = true)]
async fn each_unfinished_frame_has_its_own_time() {
    let (traffic, mut gate) = gate();
    let (mut held, ping) = (Vec::new(), frame(PING, FLAG_ACK, b"12345678"));
    // A busy peer, whose reads never end with a frame.
    for _ in 0..20 {
        held.extend([&ping[..], &ping[..5]].concat());
        let admitted = gate.admit(&mut held);
        assert!(traffic.head_since().unwrap().elapsed() < Duration::from_secs(1));
        held.drain(..admitted);
        tokio::time::advance(Duration::from_secs(1)).await;
        held.extend(&ping[5..]);
    }
    // A block of many frames is one head.
    let (traffic, mut gate) = self::gate();
    let mut held = frame(HEADERS, 0, b"\x82");
    for _ in 0..20 {
        assert_eq!(gate.admit(&mut held), 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        held.extend(frame(CONTINUATION, 0, b"\x84"));
    }
    assert!(traffic.head_since().unwrap().elapsed() >= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn data_without_any_is_kept_from_the_decoder() {
    let (traffic, mut gate) = gate();
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x82"));
    let void = frame(DATA, 0, b"");
    for _ in 0..CONTROL_RATE.0 {
        let mut seen = void.clone();
        assert_eq!(gate.admit(&mut seen), void.len());
        assert_eq!(seen, frame(UNASSIGNED, 0, b""));
    }
    assert_eq!(gate.admit(&mut void.clone()), void.len(), "the head has earned some");
    for (flags, payload) in [(FLAG_PADDED, &b"\0"[..]), (FLAG_END_STREAM, b"")] {
        let mut seen = frame(DATA, flags, payload);
        gate.admit(&mut seen);
        assert_eq!(seen, frame(DATA, flags, payload), "what counts or ends something is no void");
    }
    // Its end was seen: what follows is judged.
    assert_eq!(gate.admit(&mut void.clone()), 0);
    assert_eq!(traffic.violation(), Some(Reason::STREAM_CLOSED));
}

#[tokio::test(start_paused = true)]
async fn empty_data_without_end_is_a_flood() {
    let (traffic, mut gate) = gate();
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x82"));
    let passed = (0..100_000).take_while(|_| gate.admit(&mut frame(DATA, 0, b"")) > 0).count();
    assert_eq!(passed as u32, CONTROL_RATE.0 + CONTROL_EARNED);
    assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test(start_paused = true)]
async fn a_frame_of_a_wrong_size_is_not_waited_for() {
    for header in [[1, 0, 0, PING, 0, 0, 0, 0, 0], [0, 0x40, 1, HEADERS, 4, 0, 0, 0, 1]] {
        let (traffic, mut gate) = gate();
        assert_eq!(gate.admit(&mut header.to_vec()), 0);
        assert_eq!(traffic.violation(), Some(Reason::FRAME_SIZE_ERROR));
    }
    let traffic = Arc::new(Traffic::default());
    let mut gate = FrameGate::new(traffic.clone(), 1 << 20, 1 << 16);
    let start = [PREFACE, &frame(SETTINGS, 0, b"")].concat();
    let mut block = [&start[..], &[4, 0, 1, HEADERS, 4, 0, 0, 0, 1]].concat();
    assert_eq!(gate.admit(&mut block), start.len());
    assert_eq!(traffic.violation(), Some(Reason::ENHANCE_YOUR_CALM), "a block that can be none");
}

#[tokio::test(start_paused = true)]
async fn no_head_follows_a_reset() {
    let (traffic, mut gate) = gate();
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x82"));
    gate.admit(&mut frame(RST_STREAM, 0, b"1234"));
    assert_eq!(gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, b"\x82")), 0);
    assert_eq!(traffic.violation(), Some(Reason::STREAM_CLOSED));
}

#[tokio::test(start_paused = true)]
async fn pseudo_headers_are_allowed_in_heads_and_not_in_trailers() {
    let (traffic, mut gate) = gate();
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x82"));
    assert_eq!(traffic.head_flaw(1), None);
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x90"));
    assert!(!traffic.has_bad_trailers(1));
    let parts = [frame(HEADERS, 0, b"\x90"), frame(CONTINUATION, FLAG_END_HEADERS, b"\x82")];
    gate.admit(&mut parts.concat());
    assert!(traffic.has_bad_trailers(1));
}

#[tokio::test(start_paused = true)]
async fn padding_and_priority_are_no_fields() {
    let (traffic, mut gate) = gate();
    gate.admit(&mut frame(HEADERS, FLAG_END_HEADERS, b"\x82"));
    let flags = FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY;
    gate.admit(&mut frame(HEADERS, flags, b"\x03\x82\x82\x82\x82\x82\x90\x82\x82\x82"));
    assert!(!traffic.has_bad_trailers(1));
    assert_eq!(gate.admit(&mut frame(HEADERS, flags, b"\xff\x82")), 11, "left to the decoder");
}
