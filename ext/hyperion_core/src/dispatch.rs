//! The queue between the reactor and the application's worker threads.
//!
//! At most one woken worker is on its way at a time: a burst of requests would otherwise wake every thread, and all
//! but one would only contend for the application's lock. A worker that finds more than its own job wakes the next.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A queue of jobs for workers that wait in turn.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    /// Tells a monitor that a job came and no worker was idle.
    backlog: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Since when each job waits, and the job.
    jobs: VecDeque<(Instant, T)>,
    /// Waiting workers; the last to come is the first to go, so that the others can retire.
    idle: Vec<(usize, Waker)>,
    /// The worker that was woken and has not popped yet.
    waking: Option<usize>,
    popped: u64,
    /// The monitor sleeps.
    watched: bool,
    closed: bool,
}

/// Whom a change of the queue concerns. Called when the queue is not locked any more: nobody shall wake up only to wait
/// for the lock.
#[must_use]
enum Call {
    Nobody,
    Worker(Waker),
    Monitor,
}

/// What a worker finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Pop<T> {
    /// A job.
    Job(T),
    /// Nothing now: wait.
    Empty,
    /// Nothing ever again.
    Closed,
}

/// What a monitor sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that wait.
    pub jobs: usize,
    /// How long the oldest of them has waited.
    pub waited: Duration,
    /// Workers that wait, or are on their way.
    pub idle: usize,
    /// Jobs popped since the beginning.
    pub popped: u64,
    /// No jobs will come.
    pub closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State {
            jobs: VecDeque::new(),
            idle: Vec::new(),
            waking: None,
            popped: 0,
            watched: false,
            closed: false,
        };
        Queue { state: Mutex::new(state), backlog: Condvar::new() }
    }
}

impl<T> Queue<T> {
    /// Adds a job; gives it back when the queue is closed.
    pub fn push(&self, job: T) -> Result<(), T> {
        self.push_since(Instant::now(), job)
    }

    /// As [`Queue::push`], for a job that waits since then.
    pub fn push_since(&self, since: Instant, job: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(job);
        }
        state.jobs.push_back((since, job));
        let call = state.next();
        drop(state);
        self.make(call);
        Ok(())
    }

    /// Takes the next job, for the worker `id`.
    pub fn pop(&self, id: usize) -> Pop<T> {
        let mut state = self.lock();
        if state.waking == Some(id) {
            state.waking = None;
        }
        let Some((_, job)) = state.jobs.pop_front() else {
            return if state.closed { Pop::Closed } else { Pop::Empty };
        };
        state.popped += 1;
        let call = state.next();
        drop(state);
        self.make(call);
        Pop::Job(job)
    }

    /// Ready when the worker `id` should pop.
    pub fn poll_ready(&self, id: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.closed || state.waking == Some(id) || !state.jobs.is_empty() {
            state.idle.retain(|(worker, _)| *worker != id);
            return Poll::Ready(());
        }
        match state.idle.iter_mut().find(|(worker, _)| *worker == id) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => state.idle.push((id, cx.waker().clone())),
        }
        Poll::Pending
    }

    /// The worker `id` waits no longer, for whatever reason; if it was woken, another goes in its place.
    pub fn leave(&self, id: usize) {
        let mut state = self.lock();
        state.idle.retain(|(worker, _)| *worker != id);
        if state.waking == Some(id) {
            state.waking = None;
            let call = state.next();
            drop(state);
            self.make(call);
        }
    }

    /// Takes no more jobs; those that wait are still popped. Wakes everybody.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let idle = std::mem::take(&mut state.idle);
        drop(state);
        idle.into_iter().for_each(|(_, waker)| waker.wake());
        self.backlog.notify_all();
    }

    /// How things stand.
    pub fn backlog(&self) -> Backlog {
        self.lock().backlog()
    }

    /// Blocks until a job came while no worker was idle, or the queue is closed, or `timeout` is over.
    pub fn wait_backlog(&self, timeout: Duration) -> Backlog {
        let sleeps = |state: &mut State<T>| {
            state.watched = !state.closed && (state.jobs.is_empty() || state.backlog().idle > 0);
            state.watched
        };
        let waited = self.backlog.wait_timeout_while(self.lock(), timeout, sleeps);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.watched = false;
        state.backlog()
    }

    fn make(&self, call: Call) {
        match call {
            Call::Nobody => {}
            Call::Worker(waker) => waker.wake(),
            Call::Monitor => self.backlog.notify_one(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Who has to come for the jobs that wait.
    fn next(&mut self) -> Call {
        if self.jobs.is_empty() || self.waking.is_some() {
            return Call::Nobody;
        }
        match self.idle.pop() {
            Some((id, waker)) => {
                self.waking = Some(id);
                Call::Worker(waker)
            }
            None if std::mem::take(&mut self.watched) => Call::Monitor,
            None => Call::Nobody,
        }
    }

    fn backlog(&self) -> Backlog {
        Backlog {
            jobs: self.jobs.len(),
            waited: self.jobs.front().map_or(Duration::ZERO, |(since, _)| since.elapsed()),
            idle: self.idle.len() + usize::from(self.waking.is_some()),
            popped: self.popped,
            closed: self.closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn waiting(queue: &Queue<u8>, id: usize) -> Arc<Count> {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(queue.poll_ready(id, &mut Context::from_waker(&waker)).is_pending());
        count
    }

    #[test]
    fn a_burst_wakes_one_worker_which_wakes_the_next() {
        let queue = Queue::default();
        let (first, second) = (waiting(&queue, 1), waiting(&queue, 2));
        for job in [1, 2, 3] {
            queue.push(job).unwrap();
        }
        assert_eq!((first.0.load(Relaxed), second.0.load(Relaxed)), (0, 1));
        assert_eq!(queue.pop(2), Pop::Job(1));
        assert_eq!(first.0.load(Relaxed), 1);
        assert_eq!(queue.pop(2), Pop::Job(2));
        assert_eq!(queue.pop(1), Pop::Job(3));
        assert_eq!(queue.pop(1), Pop::Empty);
    }

    /// Counts the wake-ups that find the queue unlocked.
    struct Unlocked(Arc<Queue<u8>>, AtomicUsize);

    impl Wake for Unlocked {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(usize::from(self.0.state.try_lock().is_ok()), Relaxed);
        }
    }

    #[test]
    fn who_is_woken_finds_the_queue_unlocked() {
        let queue = Arc::new(Queue::default());
        let woken = Arc::new(Unlocked(queue.clone(), AtomicUsize::new(0)));
        let waker = Waker::from(woken.clone());
        for id in [1, 2, 3, 4] {
            assert!(queue.poll_ready(id, &mut Context::from_waker(&waker)).is_pending());
        }
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.pop(4), Pop::Job(1));
        queue.leave(3);
        queue.close();
        assert_eq!(woken.1.load(Relaxed), 4, "by push, pop, leave and close");
    }

    #[test]
    fn a_woken_worker_that_leaves_is_replaced() {
        let queue = Queue::default();
        let (first, second) = (waiting(&queue, 1), waiting(&queue, 2));
        queue.push(1).unwrap();
        queue.leave(2);
        assert_eq!((first.0.load(Relaxed), second.0.load(Relaxed)), (1, 1));
        assert_eq!(queue.pop(1), Pop::Job(1));
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_nothing() {
        let queue = Queue::default();
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err(2));
        assert_eq!(queue.pop(1), Pop::Job(1));
        assert_eq!(queue.pop(1), Pop::Closed);
    }

    #[test]
    fn the_monitor_hears_of_jobs_that_nobody_is_free_for() {
        let queue = Queue::default();
        assert_eq!(queue.wait_backlog(Duration::ZERO).jobs, 0);
        queue.push(1).unwrap();
        let backlog = queue.wait_backlog(Duration::from_secs(60));
        assert_eq!((backlog.jobs, backlog.idle, backlog.popped), (1, 0, 0));
    }

    #[test]
    fn the_monitor_hears_how_long_the_oldest_job_has_waited() {
        let queue = Queue::default();
        let begin = Instant::now();
        queue.push(1).unwrap();
        while begin.elapsed() < Duration::from_millis(2) {}
        queue.push(2).unwrap();
        let backlog = queue.backlog();
        assert!(backlog.waited > Duration::from_millis(1) && backlog.waited <= begin.elapsed());
        assert_eq!((queue.pop(1), queue.pop(1)), (Pop::Job(1), Pop::Job(2)));
        assert_eq!(queue.backlog().waited, Duration::ZERO);
    }
}
