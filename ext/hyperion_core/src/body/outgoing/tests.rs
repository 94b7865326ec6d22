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

/// What can happen to a body, in any order.
#[derive(Clone, Debug)]
enum Step {
    Offer(usize),
    OfferSpilling(usize),
    Next,
    Load(usize),
    /// The kernel takes the oldest piece that was taken out.
    Written,
    LoseBody,
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::*;
    prop_oneof![
        2 => (0..8usize).prop_map(Step::Offer),
        4 => (0..8usize).prop_map(Step::OfferSpilling),
        4 => Just(Step::Next),
        4 => (1..8usize).prop_map(Step::Load),
        3 => Just(Step::Written),
        1 => Just(Step::LoseBody),
    ]
}

/// Takes the steps; what was accepted comes out in order, and the budgets hold exactly what there is.
async fn check(steps: Vec<Step>) {
    const CONNECTION: usize = 12;
    let process = SpillBudget::new(std::env::temp_dir(), 20);
    let connection = ConnectionMemory::new(CONNECTION);
    let (sender, body) =
        outgoing(Budgets { memory: 6, spill: 16, connection: connection.clone(), process: process.clone() });
    let mut body = Some(body);
    let (mut written, mut count, mut read) = (std::collections::VecDeque::new(), 0u8, Vec::new());
    let (mut spilled, mut cx) = (0, Context::from_waker(Waker::noop()));
    let mut offer =
        |size: usize| -> Bytes { std::iter::repeat_n(count, size).inspect(|_| count += 1).collect() };
    let mut sent = Vec::new();
    for step in steps {
        match step {
            Step::Offer(size) | Step::OfferSpilling(size) => {
                let chunk = offer(size);
                let offered = match step {
                    Step::Offer(_) => sender.offer(chunk.clone()),
                    _ => sender.offer_spilling(chunk.clone()),
                };
                match offered {
                    Ok(Offer::Taken) => sent.extend_from_slice(&chunk),
                    Ok(Offer::Full(back)) => assert_eq!(back, chunk),
                    Err(error) => assert!(body.is_none(), "{error}"),
                }
            }
            Step::Next => {
                let Some(body) = &mut body else { continue };
                match body.poll_next(&mut cx) {
                    Poll::Ready(Ok(Chunk::Data { bytes, charge, .. })) => {
                        read.extend_from_slice(&bytes);
                        written.push_back(charge);
                        spilled = 0;
                    }
                    Poll::Ready(Ok(Chunk::Spilled(bytes))) => spilled = bytes as usize,
                    Poll::Ready(other) => panic!("{other:?}"),
                    Poll::Pending => assert_eq!(read, sent, "nothing is left"),
                }
            }
            Step::Load(size) => {
                let (Some(body), 1..) = (&mut body, spilled) else { continue };
                let size = size.min(spilled);
                match body.load(connection.charge(size)).await.unwrap() {
                    Chunk::Data { bytes, charge, .. } => {
                        assert_eq!(bytes.len(), size);
                        spilled -= size;
                        read.extend_from_slice(&bytes);
                        written.push_back(charge);
                    }
                    other => panic!("{other:?}"),
                }
            }
            Step::Written => drop(written.pop_front()),
            Step::LoseBody => body = None,
        }
        let in_flight: usize = written.iter().map(Charge::bytes).sum();
        let queued = sender.0.lock().queue.memory();
        assert_eq!(connection.used(), in_flight + queued);
        assert!(process.used() <= 16 && (body.is_some() || process.used() == 0));
        assert_eq!(read[..], sent[..read.len()]);
    }
    drop((sender, body, written));
    assert_eq!((connection.used(), process.used()), (0, 0));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn budgets_hold_what_there_is_and_order_is_kept(steps in proptest::collection::vec(step(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(check(steps));
    }
}

#[tokio::test]
async fn an_overdraft_is_for_one_piece_at_a_time() {
    let memory = ConnectionMemory::new(10);
    let _neighbour = memory.charge(10);
    let overdraft = Arc::default();
    let mut piece = memory.overdraw(4, &overdraft).unwrap();
    let part = piece.split(3);
    assert!(memory.overdraw(1, &overdraft).is_none());
    drop(piece);
    overdraft.returned().await;
    assert!(memory.overdraw(1, &overdraft).is_none(), "three bytes are out yet");
    drop(part);
    overdraft.returned().await;
    assert_eq!(memory.used(), 10);
    assert!(memory.overdraw(1, &overdraft).is_some());
}

#[test]
fn a_finished_body_is_taken_whole() {
    let (sender, body) = channel(10, 0, 10);
    sender.offer(Bytes::from_static(b"ab")).unwrap();
    assert!(body.take_whole(|_| true).is_none(), "it is not finished");
    sender.offer(Bytes::from_static(b"c")).unwrap();
    sender.finish(None);
    assert!(body.take_whole(|length| length == 2).is_none(), "its length was promised otherwise");
    let (bytes, charge) = body.take_whole(|length| length == 3).unwrap();
    assert_eq!((bytes.as_ref(), body.0.budgets.connection.used()), (&b"abc"[..], 3));
    drop(charge);
    assert_eq!(body.0.budgets.connection.used(), 0);
}

#[test]
fn a_body_with_trailers_is_not_taken_whole() {
    let (sender, body) = channel(10, 0, 10);
    sender.offer(Bytes::from_static(b"ab")).unwrap();
    sender.finish(Some(HeaderMap::new()));
    assert!(body.take_whole(|_| true).is_none());
}
