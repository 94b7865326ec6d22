//! The patience of a connection with its client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Awaited;
use crate::config::Timeouts;
use crate::writer::Blocked;

/// What the task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    /// No request has come for too long.
    Idle,
    /// A head takes too long.
    SlowHead,
    /// The client takes nothing.
    Stalled,
}

#[derive(Debug)]
pub(super) struct Clock {
    header: Duration,
    keepalive: Duration,
    write: Duration,
    blocked: Arc<Blocked>,
    /// Whether a request has come; before, the client may take no longer than with its head.
    served: bool,
    /// Set for the earliest deadline, or an earlier one that has moved: it is armed anew only when it goes off.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(super) fn new(timeouts: &Timeouts, blocked: Arc<Blocked>) -> Self {
        let Timeouts { header, keepalive, write, .. } = *timeouts;
        Clock { header, keepalive, write, blocked, served: false, sleep: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, awaited: Awaited) -> Verdict {
        loop {
            let Some((deadline, verdict)) = self.due(awaited) else { return Verdict::Wait };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.deadline() > deadline {
                sleep.as_mut().reset(deadline);
            }
            if sleep.as_mut().poll(cx) == Poll::Pending {
                return Verdict::Wait;
            }
            if deadline <= Instant::now() {
                return verdict;
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn due(&mut self, awaited: Awaited) -> Option<(Instant, Verdict)> {
        let awaited = match awaited {
            Awaited::Head(since) => Some((since + self.header, Verdict::SlowHead)),
            Awaited::Request(since) => {
                let patience = if self.served { self.keepalive } else { self.header };
                Some((since + patience, Verdict::Idle))
            }
            Awaited::Other => {
                self.served = true;
                None
            }
        };
        let stalled = self.blocked.since().map(|since| (since + self.write, Verdict::Stalled));
        [awaited, stalled].into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }
}
