//! The loop of a worker thread: it takes jobs only while it holds the GVL, and leaves the GVL only when there are none,
//! or when other threads have waited for their turn.

use std::time::{Duration, Instant};

use hyperion_core::dispatch::Pop;
use magnus::{Error, Ruby};

use crate::fork::Home;
use crate::gvl;
use crate::site::{Job, Task};
use crate::supervisor::{Bridge, Seat};
use crate::visit::Visit;

/// A worker beyond the minimum that had nothing to do for so long goes.
const RETIREMENT: Duration = Duration::from_secs(10);
/// How long the workers together let another Ruby thread wait for the GVL, once the requests that run are over. Ruby
/// itself would take the GVL from each of them after a tenth of a second only.
const TURN: Duration = Duration::from_millis(6);

/// One worker thread.
struct Worker<'a> {
    ruby: &'a Ruby,
    bridge: &'a Bridge,
    id: usize,
    home: Home,
}

/// Works until the queue is closed, the worker may retire, or something kills the thread.
pub(crate) fn run(ruby: &Ruby, seat: &Seat) -> Result<(), Error> {
    seat.take();
    let bridge = seat.bridge();
    let worker = Worker { ruby, bridge, id: seat.id(), home: seat.home() };
    let mut turn = Instant::now();
    loop {
        match bridge.queue.pop(worker.id) {
            Pop::Job(job) => {
                worker.perform(job)?;
                turn = worker.give_way(turn)?;
            }
            Pop::Closed => return Ok(()),
            Pop::Empty => {
                if !worker.wait()? && seat.retire() {
                    return Ok(());
                }
                turn = Instant::now();
            }
        }
    }
}

impl Worker<'_> {
    /// Waits for a job without the GVL; false when none came in time.
    fn wait(&self) -> Result<bool, Error> {
        let (queue, id) = (&self.bridge.queue, self.id);
        let ready = std::future::poll_fn(|cx| queue.poll_ready(id, cx));
        let waited = gvl::wait_until(self.ruby, ready, Some(Instant::now() + RETIREMENT));
        if !matches!(waited, Ok(Some(()))) {
            queue.leave(id);
        }
        Ok(waited?.is_some())
    }

    /// Passes the GVL on when this worker's turn, which began at `turn`, is over; answers when its present one began.
    fn give_way(&self, turn: Instant) -> Result<Instant, Error> {
        if turn.elapsed() * (self.bridge.workers() as u32) < TURN {
            return Ok(turn);
        }
        gvl::pass(self.ruby)?;
        Ok(Instant::now())
    }

    /// Does one job. The only error is the end of this thread.
    fn perform(&self, job: Job) -> Result<(), Error> {
        let Job { site, task } = job;
        // A site that has closed dropped its application: its clients are gone, or get a 500.
        let Some(roots) = site.roots(self.ruby) else { return Ok(()) };
        let visit = Visit { ruby: self.ruby, site: &site, roots: &roots, home: self.home };
        let performed = match task {
            Task::Serve(exchange) => visit.serve(exchange),
            Task::Finished(id, outcome) => visit.finished(id, outcome),
        };
        // The site may have been closed meanwhile.
        gvl::keep(roots);
        performed
    }
}
