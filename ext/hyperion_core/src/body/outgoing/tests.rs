use super::*;

fn channel(memory: usize, spill: u64, connection: usize) -> (BodySender, ResponseBody) {
    let process = SpillBudget::new(std::env::temp_dir(), 1 << 20);
    outgoing(Budgets { memory, spill, connection: ConnectionMemory::new(connection), process })
}

async fn next(body: &mut ResponseBody) -> (Bytes, bool) {
    match body.next().await.unwrap() {
        Chunk::Data { bytes, last, .. } => (bytes, last),
        Chunk::End(_) => (Bytes::new(), true),
        Chunk::Spilled(count) => {
            let charge = body.0.budgets.connection.charge(count as usize);
            match body.load(charge).await.unwrap() {
                Chunk::Data { bytes, last, .. } => (bytes, last),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_last_chunk_is_known_as_such() {
    let (sender, mut body) = channel(10, 0, 10);
    sender.offer(Bytes::from_static(b"a")).unwrap();
    sender.offer(Bytes::from_static(b"b")).unwrap();
    sender.finish(None);
    assert_eq!(next(&mut body).await, (Bytes::from_static(b"a"), false));
    assert_eq!(next(&mut body).await, (Bytes::from_static(b"b"), true));
}

#[tokio::test]
async fn what_memory_cannot_hold_goes_to_the_file_in_order() {
    let (sender, mut body) = channel(4, 6, 100);
    assert!(matches!(sender.offer(Bytes::from_static(b"abcd")).unwrap(), Offer::Taken));
    assert!(matches!(sender.offer(Bytes::from_static(b"efg")).unwrap(), Offer::Full(_)));
    assert!(matches!(sender.offer_spilling(Bytes::from_static(b"efg")).unwrap(), Offer::Taken));
    assert!(matches!(sender.offer_spilling(Bytes::from_static(b"hij")).unwrap(), Offer::Taken));
    let full = sender.offer_spilling(Bytes::from_static(b"k")).unwrap();
    assert!(matches!(full, Offer::Full(chunk) if chunk == "k"));
    assert_eq!(next(&mut body).await.0, "abcd");
    assert_eq!(next(&mut body).await.0, "efghij");
    assert_eq!(body.0.budgets.process.used(), 0, "a drained file is emptied");
    sender.offer(Bytes::from_static(b"k")).unwrap();
    sender.finish(None);
    assert_eq!(next(&mut body).await, (Bytes::from_static(b"k"), true));
}

#[tokio::test]
async fn the_connection_limit_counts_until_the_kernel_has_the_bytes() {
    let (sender, mut body) = channel(100, 100, 4);
    sender.offer(Bytes::from_static(b"abcd")).unwrap();
    let chunk = body.next().await.unwrap();
    assert!(matches!(sender.offer(Bytes::from_static(b"e")).unwrap(), Offer::Full(_)));
    drop(chunk);
    assert!(matches!(sender.offer(Bytes::from_static(b"e")).unwrap(), Offer::Taken));
    drop(body);
    assert_eq!(sender.0.budgets.connection.used(), 0);
}

#[test]
fn a_full_producer_is_woken_when_half_is_gone() {
    let (sender, mut body) = channel(4, 0, 100);
    let mut cx = Context::from_waker(Waker::noop());
    sender.offer(Bytes::from_static(b"abc")).unwrap();
    assert!(matches!(sender.offer_spilling(Bytes::from_static(b"de")).unwrap(), Offer::Full(_)));
    assert!(sender.poll_room(&mut cx).is_pending());
    assert!(body.poll_next(&mut cx).is_ready());
    assert!(sender.poll_room(&mut cx).is_ready());
}

#[tokio::test]
async fn a_lost_sender_fails_the_body_and_a_lost_body_closes_the_sender() {
    let (sender, mut body) = channel(10, 0, 10);
    drop(sender);
    assert!(matches!(body.next().await, Err(BodyFailure::Application)));
    let (sender, body) = channel(10, 0, 10);
    drop(body);
    assert!(matches!(sender.offer(Bytes::from_static(b"a")), Err(PushError::Closed)));
}
