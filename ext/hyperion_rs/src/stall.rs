//! Notices when requests wait although the workers only wait too, and asks for more workers. Workers that burn CPU are
//! left alone: more of them would share the same lock.

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
/// Who waits longer than this is held up.
const HELD_UP: Duration = Duration::from_millis(4);
/// When nobody has taken a job for so long, it is not the CPU alone that is missing.
const STUCK: Duration = Duration::from_millis(100);
/// How often the monitor looks again while there are as many workers as there may be.
const FULL: Duration = Duration::from_millis(50);
/// How often the monitor looks whether it is still needed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts the monitor, in a thread of its own, which never touches Ruby. It ends when the queue is closed.
pub(crate) fn start(bridge: Arc<Bridge>) -> io::Result<()> {
    thread::Builder::new().name("hyperion-stall".into()).spawn(move || watch(&bridge)).map(drop)
}

fn watch(bridge: &Bridge) {
    // What was popped when, or when more workers were last asked for because nothing was.
    let (mut popped, mut since) = (0, Instant::now());
    loop {
        let before = bridge.queue.wait_backlog(PATIENCE);
        if before.closed {
            return;
        }
        if !is_standing(&before) {
            continue;
        }
        if bridge.room() == 0 {
            // No worker may be added before one has gone, which takes longer than this.
            thread::sleep(FULL);
            continue;
        }
        let idling = is_idling(bridge);
        let after = bridge.queue.backlog();
        if after.popped != popped {
            (popped, since) = (after.popped, Instant::now());
        }
        if !is_standing(&after) {
            continue;
        }
        let stuck = after.waited >= STUCK && since.elapsed() >= STUCK;
        if stuck {
            since = Instant::now();
        }
        if stuck || (idling && after.waited >= HELD_UP) {
            bridge.notify(Notice::Grow);
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
