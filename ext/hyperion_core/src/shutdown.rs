//! Graceful stop by ownership: every task holds a [`Permit`], and the stop is complete when the last is dropped.

use std::time::Duration;

use tokio::sync::watch;

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Not begun.
    Serving,
    /// Nothing new is taken; what was accepted is finished.
    Draining,
    /// What is left is dropped.
    Closing,
}

/// Starts and awaits the stop.
#[derive(Debug)]
pub(crate) struct Drain(watch::Sender<Phase>);

/// Held by a task that the stop waits for, and tells it how far the stop has come.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    phase: watch::Receiver<Phase>,
    /// The stop had begun when it was given.
    late: bool,
}

/// From the beginning of a stop to the end of conversations that have none: requests that are in flight may have
/// something to say to them.
pub(crate) const PARTING: Duration = Duration::from_secs(1);
/// From the beginning of a stop to the end of handshakes that were on their way: a request may be right behind.
const GREETING: Duration = Duration::from_millis(250);
/// For what is dropped at [`Phase::Closing`] to go.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

impl Drain {
    pub(crate) fn new() -> Self {
        Drain(watch::Sender::new(Phase::Serving))
    }

    pub(crate) fn permit(&self) -> Permit {
        let phase = self.0.subscribe();
        let late = *phase.borrow() >= Phase::Draining;
        Permit { phase, late }
    }

    /// Stops within `timeout`, and shortly after it drops what is left.
    pub(crate) async fn stop(&self, timeout: Duration) {
        self.0.send_replace(Phase::Draining);
        if tokio::time::timeout(timeout, self.0.closed()).await.is_err() {
            self.0.send_replace(Phase::Closing);
            // A task that does not end even now is dropped with the runtime.
            let _ = tokio::time::timeout(CLOSING_TIMEOUT, self.0.closed()).await;
        }
    }
}

impl Permit {
    /// Resolves when the stop has begun, and conversations without an end have had their time to part.
    pub(crate) async fn parted(mut self) {
        self.reached(Phase::Draining).await;
        tokio::time::sleep(PARTING).await;
    }

    /// Resolves when the stop has begun, and clients that had connected before could say what they want. To those who
    /// come later nobody listens.
    pub(crate) async fn greeted(&mut self) {
        self.reached(Phase::Draining).await;
        if !self.late {
            tokio::time::sleep(GREETING).await;
        }
    }

    /// Whether the stop has come as far as `phase`.
    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase
    }

    /// Resolves when the stop has come as far as `phase`.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // The sender is dropped only when the stop is over.
        let _ = self.phase.wait_for(|&reached| reached >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_last_permit() {
        let drain = Drain::new();
        let mut permit = drain.permit();
        let task = tokio::spawn(async move {
            permit.reached(Phase::Draining).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
        });
        let begin = tokio::time::Instant::now();
        drain.stop(Duration::from_secs(30)).await;
        assert!(task.is_finished());
        assert_eq!(begin.elapsed(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_told_to_close() {
        let drain = Drain::new();
        let mut permit = drain.permit();
        let task = tokio::spawn(async move { permit.reached(Phase::Closing).await });
        let begin = tokio::time::Instant::now();
        drain.stop(Duration::from_secs(5)).await;
        task.await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(5));
    }
}
