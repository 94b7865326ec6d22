//! Random interleavings of what a client may do, against a model that counts bytes: nothing is sent beyond a window,
//! nothing waits while both windows are open, every body arrives whole, and nothing is left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::support::app::pattern;
use crate::support::{Client, Frame, Harness, Kind, get, harness_with, post, reason};

const INITIAL_WINDOW_SIZE: u16 = 4;
const DEFAULT_WINDOW: i64 = 65_535;

#[derive(Clone, Debug)]
enum Step {
    Download { size: usize, streamed: bool },
    Upload,
    Data { stream: usize, size: usize, end: bool },
    StreamWindow { stream: usize, increment: u32 },
    ConnectionWindow { increment: u32 },
    InitialWindow { size: u32 },
    Reset { stream: usize },
}

#[derive(Debug)]
struct Stream {
    window: i64,
    /// What the response has to be; for an upload, what was sent.
    expected: Vec<u8>,
    received: usize,
    /// The request has ended, so that a response is due.
    requested: bool,
    ended: bool,
}

struct Model {
    harness: Harness,
    client: Client,
    streams: BTreeMap<u32, Stream>,
    next_stream: u32,
    initial_window: i64,
    window: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let (size, increment) = (0..200_000usize, 1..100_000u32);
    let stream = 0..8usize;
    prop_oneof![
        3 => (size, any::<bool>()).prop_map(|(size, streamed)| Step::Download { size, streamed }),
        2 => Just(Step::Upload),
        4 => (stream.clone(), 0..16_384usize, any::<bool>())
            .prop_map(|(stream, size, end)| Step::Data { stream, size, end }),
        5 => (stream.clone(), increment.clone())
            .prop_map(|(stream, increment)| Step::StreamWindow { stream, increment }),
        4 => increment.prop_map(|increment| Step::ConnectionWindow { increment }),
        2 => prop_oneof![Just(0), Just(1), 0..100_000u32].prop_map(|size| Step::InitialWindow { size }),
        1 => stream.prop_map(|stream| Step::Reset { stream }),
    ]
}

impl Model {
    async fn new() -> Self {
        let harness = harness_with(|config| {
            config.buffers.response = 20_000;
            config.buffers.response_spill = 50_000;
            config.buffers.max_pending = 60_000;
            config.buffers.request = 10_000;
        });
        let mut client = harness.client().await;
        client.refills = false;
        let (initial_window, window) = (DEFAULT_WINDOW, DEFAULT_WINDOW);
        Model { harness, client, streams: BTreeMap::new(), next_stream: 1, initial_window, window }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Download { size, streamed } => {
                let path = format!("/{}/{size}", if streamed { "stream" } else { "bytes" });
                let id = self.open(pattern(size).to_vec(), true);
                self.client.request(id, &get(&path)).await;
            }
            Step::Upload => {
                let id = self.open(Vec::new(), false);
                self.client.open(id, &post("/echo")).await;
            }
            Step::Data { stream, size, end } => {
                let mut uploads = self.streams.iter_mut().filter(|(_, stream)| !stream.requested);
                let Some((id, upload)) = uploads.nth(stream) else { return };
                let bytes = pattern(size);
                upload.expected.extend(&bytes);
                upload.requested = end;
                let data = Frame::data(*id, bytes);
                self.client.send(if end { data.end() } else { data }).await;
            }
            Step::StreamWindow { stream, increment } => self.widen(stream, increment).await,
            Step::ConnectionWindow { increment } => {
                self.window += i64::from(increment);
                self.client.send(Frame::window_update(0, increment)).await;
            }
            Step::InitialWindow { size } => self.resize(i64::from(size)).await,
            Step::Reset { stream } => {
                let Some(&id) = self.streams.keys().nth(stream) else { return };
                self.streams.remove(&id);
                self.client.send(Frame::reset(id, reason::CANCEL)).await;
            }
        }
    }

    fn open(&mut self, expected: Vec<u8>, requested: bool) -> u32 {
        let id = self.next_stream;
        self.next_stream += 2;
        let stream = Stream { window: self.initial_window, expected, received: 0, requested, ended: false };
        self.streams.insert(id, stream);
        id
    }

    async fn widen(&mut self, stream: usize, increment: u32) {
        let Some((&id, stream)) = self.streams.iter_mut().nth(stream) else { return };
        stream.window += i64::from(increment);
        self.client.send(Frame::window_update(id, increment)).await;
    }

    async fn resize(&mut self, size: i64) {
        for stream in self.streams.values_mut() {
            stream.window += size - self.initial_window;
        }
        self.initial_window = size;
        self.client.send(Frame::settings(&[(INITIAL_WINDOW_SIZE, size as u32)])).await;
    }

    /// Takes all that comes, and holds it against the windows.
    async fn settle(&mut self) {
        while !self.client.is_silent_for(Duration::from_millis(1)).await {
            let frame = self.client.next().await.expect("the connection lives");
            assert_ne!(frame.kind, Kind::GOAWAY, "{frame:?}");
            let size = frame.payload.len();
            if frame.kind == Kind::DATA {
                self.window -= size as i64;
                assert!(self.window >= 0, "beyond the connection window");
            }
            // What was on its way when the stream was reset.
            let Some(stream) = self.streams.get_mut(&frame.stream) else { continue };
            assert_ne!(frame.kind, Kind::RST_STREAM, "stream {}", frame.stream);
            if frame.kind == Kind::DATA {
                stream.window -= size as i64;
                assert!(stream.window >= 0 || size == 0, "beyond the window of stream {}", frame.stream);
                let end = stream.received + size;
                assert_eq!(stream.expected.get(stream.received..end), Some(&frame.payload[..]));
                stream.received = end;
            }
            if frame.is_end() {
                assert_eq!(stream.received, stream.expected.len());
                stream.ended = true;
            }
        }
        self.streams.retain(|_, stream| !stream.ended);
        for (id, stream) in &self.streams {
            let waits = stream.requested && stream.window > 0 && self.window > 0;
            assert!(!waits, "stream {id} waits with {} of {}", stream.window, self.window);
        }
    }

    /// Opens all windows, ends all uploads, and takes what is left.
    async fn finish(mut self) {
        let uploads = self.streams.values().filter(|stream| !stream.requested).count();
        for _ in 0..uploads {
            self.take(Step::Data { stream: 0, size: 1, end: true }).await;
            self.settle().await;
        }
        self.resize(1 << 24).await;
        self.take(Step::ConnectionWindow { increment: 1 << 26 }).await;
        self.settle().await;
        assert!(self.streams.is_empty(), "{:?}", self.streams);
        self.harness.idle().await;
        assert!(self.harness.complaints().is_empty(), "{:?}", self.harness.complaints());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_time: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_are_kept_and_used(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.take(step).await;
                model.settle().await;
            }
            model.finish().await;
        });
    }

    #[test]
    fn steps_that_come_all_at_once_end_as_well(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                // The server may still send by the old size: the model would be ahead of it.
                let shrinks = matches!(step, Step::InitialWindow { .. });
                if shrinks {
                    model.settle().await;
                }
                model.take(step).await;
                if shrinks {
                    model.settle().await;
                }
            }
            model.settle().await;
            model.finish().await;
        });
    }
}
