//! What a connection holds while nothing is asked of it.

use hyperion_core::tls::Tls;
use hyperion_core::{Address, Peer};

use crate::support::harness;

/// The task of a connection holds boxes, of which the handshake's goes when it is over. A stage that came to be a part
/// of the task would cost each idle connection kilobytes for ever.
const TASK: usize = 1024;

#[tokio::test(start_paused = true)]
async fn the_task_of_a_connection_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = Tls::development(dir.path()).unwrap();
    let service = harness().service;
    let unknown = Address::Unix(None);
    let (_client, io) = tokio::io::duplex(1);
    let encrypted = service.serve_tls(io, &tls, unknown.clone(), unknown.clone());
    assert!(size_of_val(&encrypted) <= TASK, "{}", size_of_val(&encrypted));
    let (_client, io) = tokio::io::duplex(1);
    let clear = service.serve(io, Peer { remote: unknown.clone(), local: unknown, tls: None });
    assert!(size_of_val(&clear) <= TASK, "{}", size_of_val(&clear));
}
