//! The measures by which a peer is judged: progress against a timeout, and frames against a rate.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that a peer must move within a timeout for it to count as progress: a byte now and then does not.
pub(crate) const MIN_PROGRESS: usize = 1024;
/// Bytes a second that an upload brings at least, on average over a timeout, as long as it is collected: until it is
/// whole, it holds a place in `max_in_flight`.
const MIN_UPLOAD_RATE: u64 = 256;
/// The time in which it brings at least as much again as it has brought: the more it holds of `spill_limit`, the sooner
/// it is whole.
const MAX_DOUBLING: Duration = Duration::from_secs(4 * 3600);

/// Tells a transfer that moves from one that stalls or dribbles.
#[derive(Debug)]
pub(crate) struct Stall {
    timeout: Duration,
    since: Instant,
    moved: usize,
    /// Bytes that are progress.
    enough: usize,
}

impl Stall {
    pub(crate) fn new(timeout: Duration) -> Self {
        Stall { timeout, since: Instant::now(), moved: 0, enough: MIN_PROGRESS }
    }

    /// What has been collected of an upload is `bytes` long.
    pub(crate) fn collected(&mut self, bytes: u64) {
        let rate = MIN_UPLOAD_RATE.max(bytes / MAX_DOUBLING.as_secs());
        let enough = rate.saturating_mul(self.timeout.as_secs());
        self.enough = usize::try_from(enough).unwrap_or(usize::MAX).max(MIN_PROGRESS);
    }

    /// The peer moved `bytes`; true when that makes enough for patience to begin anew.
    pub(crate) fn progress(&mut self, bytes: usize) -> bool {
        self.moved += bytes;
        let enough = self.moved >= self.enough;
        if enough {
            self.restart();
        }
        enough
    }

    /// The wait was not the peer's.
    pub(crate) fn restart(&mut self) {
        self.since = Instant::now();
        self.moved = 0;
    }

    /// The wait was the peer's only from `instant` on; false when that was known.
    pub(crate) fn restart_at(&mut self, instant: Instant) -> bool {
        let later = instant > self.since;
        if later {
            self.since = instant;
            self.moved = 0;
        }
        later
    }

    /// When patience ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.since + self.timeout
    }
}

/// How long a response waits for its client. It shares the connection with others: while the client takes those, its
/// turn may not have come.
#[derive(Debug)]
pub(crate) struct Patience {
    stall: Stall,
    extensions: u32,
}

/// Extensions of a wait for the sake of other responses, without progress of the own one: as many timeouts, at most.
const MAX_EXTENSIONS: u32 = 10;

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Patience { stall: Stall::new(timeout), extensions: 0 }
    }

    /// The client has not been waited for until now.
    pub(crate) fn restart(&mut self) {
        self.stall.restart();
        self.extensions = 0;
    }

    /// The client gave room for `bytes`.
    pub(crate) fn progress(&mut self, bytes: usize) {
        if self.stall.progress(bytes) {
            self.extensions = 0;
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.stall.deadline()
    }

    /// At the deadline: whether there is a later one, because the client took something as late as `moved_at`. It took
    /// `moved` bytes of this response since it was last asked.
    pub(crate) fn extend(&mut self, moved: usize, moved_at: Instant) -> bool {
        self.extensions = if moved >= MIN_PROGRESS { 0 } else { self.extensions + 1 };
        self.extensions <= MAX_EXTENSIONS && self.stall.restart_at(moved_at)
    }
}

/// A leaky bucket: events may come in bursts of `burst` and at `per_second` for ever.
#[derive(Debug)]
pub(crate) struct Rate {
    burst: u32,
    per_second: u32,
    level: u32,
    leaked_at: Instant,
}

impl Rate {
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        Rate { burst, per_second, level: 0, leaked_at: Instant::now() }
    }

    /// Counts `events`; false when they are too many. The clock is read only when the burst is used up.
    pub(crate) fn allow(&mut self, events: u32) -> bool {
        self.level = self.level.saturating_add(events);
        if self.level <= self.burst {
            return true;
        }
        let now = Instant::now();
        let leaked = now.duration_since(self.leaked_at).as_millis() * u128::from(self.per_second) / 1000;
        if leaked > 0 {
            self.level = self.level.saturating_sub(u32::try_from(leaked).unwrap_or(u32::MAX));
            self.leaked_at = now;
        }
        self.level <= self.burst
    }

    /// Takes back `events` that useful work has earned.
    pub(crate) fn earn(&mut self, events: u32) {
        self.level = self.level.saturating_sub(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_moves_the_faster_the_more_it_holds() {
        let mut stall = Stall::new(Duration::from_secs(30));
        stall.collected(0);
        assert!(!stall.progress(256 * 30 - 1));
        assert!(stall.progress(1));
        stall.collected(1 << 30);
        let share = (1 << 30) / (4 * 3600) * 30;
        assert!(!stall.progress(share - 1));
        assert!(stall.progress(1));
        let mut hasty = Stall::new(Duration::from_millis(500));
        hasty.collected(0);
        assert!(!hasty.progress(MIN_PROGRESS - 1), "no timeout is so short that nothing is progress");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dribble_is_no_progress() {
        let mut stall = Stall::new(Duration::from_secs(30));
        let first = stall.deadline();
        tokio::time::advance(Duration::from_secs(10)).await;
        stall.progress(MIN_PROGRESS - 1);
        assert_eq!(stall.deadline(), first);
        stall.progress(1);
        assert_eq!(stall.deadline(), first + Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_allows_its_burst_and_refills() {
        let mut rate = Rate::new(10, 5);
        assert!((0..10).all(|_| rate.allow(1)));
        assert!(!rate.allow(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(rate.allow(1));
        assert!(!rate.allow(5));
        rate.earn(6);
        assert!(rate.allow(1));
    }
}
