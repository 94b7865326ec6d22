//! Notices when requests wait although the workers only wait too, and asks for more workers. Workers that burn CPU are
//! left alone: more of them would share the same lock.

use std::time::{Duration, Instant};

use crate::supervisor::{Bridge, Notice};

/// One look at the workers.
const LOOK: Duration = Duration::from_millis(2);
/// As many looks in a row, in which nothing is popped and nobody burns CPU, are a stall: a single one may fall between
/// two workers that hand over the GVL.
const LOOKS: u32 = 3;
/// How often the monitor looks again while there are as many workers as there may be.
const FULL: Duration = Duration::from_millis(50);
/// How often the monitor looks whether it is still needed.
const PATIENCE: Duration = Duration::from_secs(1);

/// Watches until the queue is closed; in a thread of its own, which never touches Ruby.
pub(crate) fn watch(bridge: &Bridge) {
    let mut looks = 0;
    loop {
        let before = bridge.queue.wait_backlog(PATIENCE);
        if before.closed {
            return;
        }
        if before.jobs == 0 || before.idle > 0 {
            looks = 0;
            continue;
        }
        if bridge.room() == 0 {
            // No worker may be added before one has gone, which takes longer than this.
            std::thread::sleep(FULL);
            continue;
        }
        let (cpu, begin) = (bridge.busy_cpu(), Instant::now());
        std::thread::sleep(LOOK);
        let after = bridge.queue.backlog();
        let burned = bridge.busy_cpu().saturating_sub(cpu);
        let stalled = after.jobs > 0
            && after.idle == 0
            && after.popped == before.popped
            && burned * 2 < begin.elapsed()
            && !bridge.is_burning();
        looks = if stalled { looks + 1 } else { 0 };
        if looks == LOOKS {
            looks = 0;
            bridge.notify(Notice::Grow(after.jobs));
        }
    }
}
