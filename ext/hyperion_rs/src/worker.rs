//! The loop of a worker thread: it takes jobs only while it holds the GVL, and leaves the GVL only when there are none.

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
    loop {
        match bridge.queue.pop(worker.id) {
            Pop::Job(job) => worker.perform(job)?,
            Pop::Closed => return Ok(()),
            Pop::Empty => {
                if !worker.wait()? && seat.retire() {
                    return Ok(());
                }
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

    /// Does one job. The only error is the end of this thread.
    fn perform(&self, job: Job) -> Result<(), Error> {
        let Job { site, task } = job;
        // A site that has closed dropped its application: its clients are gone, or get a 500.
        let Some(roots) = site.roots(self.ruby) else { return Ok(()) };
        let visit = Visit { ruby: self.ruby, site: &site, roots: &roots, home: self.home };
        match task {
            Task::Serve(exchange) => visit.serve(*exchange),
            Task::Finished(id, outcome) => visit.finished(id, outcome),
        }?;
        // Metrics of the application's are not told of each response by a call of their own.
        if roots.mirror().is_some() && !self.home.is_elsewhere() { site.tend(self.ruby) } else { Ok(()) }
    }
}
