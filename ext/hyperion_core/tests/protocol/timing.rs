//! The time to a connection's first response, when it is asked for.

use hyperion_core::Config;

use crate::support::{Harness, get, harness, harness_with};

fn timings(harness: &Harness) -> Vec<String> {
    harness.events().into_iter().filter(|event| event.contains("first-stream timing")).collect()
}

#[tokio::test(start_paused = true)]
async fn each_connection_that_served_a_stream_reports_once() {
    let harness = harness_with(|config: &mut Config| config.h2_timing = true);
    let idle = harness.client().await;
    let mut client = harness.client().await;
    for stream in [1, 3] {
        client.request(stream, &get("/")).await;
        client.response(stream).await;
    }
    let mut other = harness.client().await;
    other.assert_usable(1).await;
    drop(idle);
    let timings = timings(&harness);
    assert_eq!(timings.len(), 2, "{timings:?}");
    let value = |name: &str| -> f64 {
        let fields = timings[0].split(' ').filter_map(|field| field.split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).unwrap().1.parse().unwrap()
    };
    let parts = value("t0_to_t1_ms") + value("t1_to_t2_enc_ms") + value("t2_enc_to_t2_wire_ms");
    assert!((parts - value("t0_to_t2_wire_ms")).abs() < 1e-9, "{timings:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_reported_unless_asked_for() {
    let harness = harness();
    harness.client().await.assert_usable(1).await;
    assert_eq!(timings(&harness), [] as [String; 0]);
}
