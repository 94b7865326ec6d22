//! All deadlines of a connection, on one timer that is moved only when it rings.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong, Reason};
use tokio::time::{Instant, Sleep};

use super::outflow::Watch;
use super::traffic::Traffic;
use crate::config::Timeouts;
use crate::writer::Blocked;

/// What the connection has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before the next wake-up.
    Wait,
    /// Say goodbye with this reason and close, whatever is open.
    GoAway(Reason),
    /// Take no new streams and close when the open ones are done.
    Drain,
    /// Close at once: the peer would not hear a goodbye.
    Drop,
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug)]
enum Due {
    Verdict(Verdict),
    /// To send a PING.
    Ping,
}

/// The stages of a connection's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Requests are taken.
    Open,
    /// GOAWAY was sent, open streams are finished.
    Draining(Instant),
    /// The last GOAWAY is on its way.
    Closing(Instant),
}

#[derive(Debug)]
pub(super) struct Clock {
    timeouts: Timeouts,
    blocked: Arc<Blocked>,
    traffic: Arc<Traffic>,
    watch: Watch,
    stage: Stage,
    idle_since: Option<Instant>,
    pings: Option<Pings>,
    alarm: Pin<Box<Sleep>>,
}

struct Pings {
    pings: PingPong,
    /// When the last PING was sent, or the peer last gave a sign of life.
    last: Instant,
    /// The wire's count of those signs, at `last` or before.
    signs: u32,
    /// For an answer.
    waiting: bool,
}

/// For a client to acknowledge the first GOAWAY (a round trip), before an idle connection is closed.
const DRAIN_GRACE: Duration = Duration::from_millis(250);
/// For the last GOAWAY to be written.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

impl Clock {
    pub(super) fn new(timeouts: &Timeouts, blocked: Arc<Blocked>, traffic: Arc<Traffic>) -> Self {
        Clock {
            timeouts: *timeouts,
            blocked,
            watch: Watch::new(traffic.clone(), timeouts.write),
            traffic,
            stage: Stage::Open,
            idle_since: None,
            pings: None,
            alarm: Box::pin(tokio::time::sleep(timeouts.keepalive)),
        }
    }

    /// Sends PINGs to a peer that is silent when the settings want it.
    pub(super) fn watch_pings(&mut self, pings: Option<PingPong>) {
        if let (Some(pings), Some(_)) = (pings, self.timeouts.ping_interval) {
            self.pings = Some(Pings { pings, last: Instant::now(), signs: 0, waiting: false });
        }
    }

    /// A graceful stop has begun.
    pub(super) fn drain(&mut self) {
        if self.stage == Stage::Open {
            self.stage = Stage::Draining(Instant::now());
        }
    }

    /// Judges the peer, and wakes the task when that is to be done again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, has_streams: bool) -> Verdict {
        // What was written of the last response may wait for the peer when its stream is over.
        if has_streams || self.blocked.since().is_some() {
            self.idle_since = None;
        } else if self.idle_since.is_none() {
            self.idle_since = Some(Instant::now());
        }
        if let (Some(reason), Stage::Open | Stage::Draining(_)) = (self.traffic.violation(), self.stage) {
            return self.close(reason);
        }
        self.poll_pings(cx);
        loop {
            let now = Instant::now();
            let queued = self.watch.look(now, self.blocked.relieved());
            let Some((deadline, due)) = self.next_deadline(queued) else { return Verdict::Wait };
            if deadline <= now {
                match due {
                    Due::Verdict(verdict) => return self.pass(verdict),
                    Due::Ping => self.send_ping(cx),
                }
                continue;
            }
            if self.alarm.is_elapsed() || deadline < self.alarm.deadline() {
                self.alarm.as_mut().reset(deadline);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Verdict::Wait;
            }
        }
    }

    fn next_deadline(&self, queued: Option<Instant>) -> Option<(Instant, Due)> {
        let Timeouts { header, write, keepalive, ping_interval, ping, .. } = self.timeouts;
        let (drop, calm) =
            (Due::Verdict(Verdict::Drop), Due::Verdict(Verdict::GoAway(Reason::ENHANCE_YOUR_CALM)));
        if let Stage::Closing(since) = self.stage {
            return Some((since + CLOSE_GRACE, drop));
        }
        let stalled = self.blocked.since().map(|since| (since + write, drop));
        let headless = self.traffic.head_since().map(|since| (since + header, calm));
        let queued = queued.map(|deadline| (deadline, calm));
        let idle = self.idle_since.map(|since| match self.stage {
            Stage::Draining(start) => {
                (since.max(start) + DRAIN_GRACE, Due::Verdict(Verdict::GoAway(Reason::NO_ERROR)))
            }
            _ => (since + keepalive, Due::Verdict(Verdict::Drain)),
        });
        let pinged = self.pings.as_ref().zip(ping_interval).map(|(pings, interval)| match pings.waiting {
            true => (pings.last + ping, drop),
            false => (pings.last + interval, Due::Ping),
        });
        // Behind what the peer has not read yet, a PING waits with it.
        let pinged = pinged.filter(|_| stalled.is_none());
        [stalled, headless, queued, idle, pinged].into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    /// A deadline has passed.
    fn pass(&mut self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::GoAway(reason) => return self.close(reason),
            Verdict::Drain => self.drain(),
            Verdict::Drop | Verdict::Wait => {}
        }
        verdict
    }

    fn close(&mut self, reason: Reason) -> Verdict {
        self.stage = Stage::Closing(Instant::now());
        Verdict::GoAway(reason)
    }

    fn poll_pings(&mut self, cx: &mut Context<'_>) {
        let Some(pings) = &mut self.pings else { return };
        // An error is the connection's, which reports it itself.
        if pings.waiting && matches!(pings.pings.poll_pong(cx), Poll::Ready(Ok(_))) {
            pings.waiting = false;
        }
        let signs = self.blocked.signs();
        if signs != pings.signs {
            (pings.signs, pings.last) = (signs, Instant::now());
        }
    }

    fn send_ping(&mut self, cx: &mut Context<'_>) {
        let Some(pings) = &mut self.pings else { return };
        pings.waiting = pings.pings.send_ping(Ping::opaque()).is_ok();
        pings.last = Instant::now();
        // To write it.
        cx.waker().wake_by_ref();
    }
}

impl std::fmt::Debug for Pings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pings")
            .field("last", &self.last)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}
