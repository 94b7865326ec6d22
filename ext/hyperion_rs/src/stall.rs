//! Notices when requests wait although the workers only wait too, and asks for more workers. Workers that burn CPU are
//! left alone: more of them would share the same lock. Where there may be no more, a worker is taken from a client that
//! has been silent for too long.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hyperion_core::dispatch::Backlog;

use crate::supervisor::{Bridge, Notice};

/// One look at the workers.
const LOOK: Duration = Duration::from_millis(2);
/// As many looks tell whether they burn CPU: a single one may fall between two workers that hand over the GVL.
const LOOKS: u32 = 3;
/// How often the monitor looks again while there are as many workers as there may be.
const FULL: Duration = Duration::from_millis(50);
/// How often the monitor looks whether it is still needed.
const PATIENCE: Duration = Duration::from_secs(1);

/// What can be done about a stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// A worker is added.
    Grow,
    /// The client that has been silent for longest is let go, and with it the worker that waits for it.
    Relieve,
}

impl Remedy {
    /// Who waits longer than this is held up. A conversation that rests is ended only for somebody who would notice.
    fn held_up(self) -> Duration {
        match self {
            Remedy::Grow => Duration::from_millis(4),
            Remedy::Relieve => Duration::from_secs(1),
        }
    }

    /// When nobody has taken a job for so long, it is not the CPU alone that is missing.
    fn stuck(self) -> Duration {
        match self {
            Remedy::Grow => Duration::from_millis(100),
            Remedy::Relieve => Duration::from_secs(1),
        }
    }
}

/// Starts the monitor, in a thread of its own, which never touches Ruby. It ends when the queue is closed.
pub(crate) fn start(bridge: Arc<Bridge>) -> io::Result<()> {
    let monitor = Monitor { bridge, popped: 0, since: Instant::now(), relieved: None };
    thread::Builder::new().name("hyperion-stall".into()).spawn(move || monitor.watch()).map(drop)
}

struct Monitor {
    bridge: Arc<Bridge>,
    /// Jobs that were popped, at the last look.
    popped: u64,
    /// Since when there are no more, or when something was last done because of that.
    since: Instant,
    /// As many were popped when a client was last let go: its worker comes for the next one.
    relieved: Option<u64>,
}

impl Monitor {
    fn watch(mut self) {
        loop {
            let backlog = self.bridge.queue.wait_backlog(PATIENCE);
            if backlog.closed {
                return;
            }
            if !is_standing(&backlog) {
                continue;
            }
            if let Some(remedy) = self.remedy() {
                let idling = is_idling(&self.bridge);
                if self.is_due(remedy, idling) {
                    self.apply(remedy);
                }
            }
        }
    }

    /// What there is to be done now, if need be.
    fn remedy(&self) -> Option<Remedy> {
        if self.bridge.room() > 0 {
            return Some(Remedy::Grow);
        }
        // No worker may be added before one has gone, which takes longer than this, and so does the end of a request.
        thread::sleep(FULL);
        self.bridge.reads.has_overdue().then_some(Remedy::Relieve)
    }

    /// Whether it has come to the worst.
    fn is_due(&mut self, remedy: Remedy, idling: bool) -> bool {
        let backlog = self.bridge.queue.backlog();
        if backlog.popped != self.popped {
            (self.popped, self.since) = (backlog.popped, Instant::now());
        }
        if !is_standing(&backlog) {
            return false;
        }
        let stuck = backlog.waited >= remedy.stuck() && self.since.elapsed() >= remedy.stuck();
        if stuck {
            self.since = Instant::now();
        }
        let is_on_the_way = remedy == Remedy::Relieve && self.relieved == Some(self.popped);
        stuck || (idling && backlog.waited >= remedy.held_up() && !is_on_the_way)
    }

    fn apply(&mut self, remedy: Remedy) {
        match remedy {
            // The supervisor looks again by itself.
            Remedy::Grow => {
                self.bridge.notify(Notice::Grow);
            }
            Remedy::Relieve => {
                if self.bridge.reads.end_longest() {
                    (self.relieved, self.since) = (Some(self.popped), Instant::now());
                }
            }
        }
    }
}

/// Whether jobs wait, and nobody is free or on the way.
fn is_standing(backlog: &Backlog) -> bool {
    backlog.jobs > 0 && backlog.idle == 0
}

/// Watches for a moment whether the workers leave most of a CPU unused, and do so of their own accord. That a CPU is
/// missing is looked up only when their clocks stand still: to look costs more than a request.
fn is_idling(bridge: &Bridge) -> bool {
    let is_most = |burned: Duration, begin: Instant| burned * 2 >= begin.elapsed();
    let (before, begin) = (bridge.cpu(), Instant::now());
    let (mut cpu, mut burning) = (before, 0);
    for _ in 0..LOOKS {
        let look = Instant::now();
        thread::sleep(LOOK);
        let now = bridge.cpu();
        burning += u32::from(is_most(now.saturating_sub(cpu), look) || bridge.is_burning());
        cpu = now;
    }
    !is_most(cpu.saturating_sub(before), begin) && burning * 2 < LOOKS
}
