//! The Ruby side of supervision: the thread that called `run` looks after the others.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyperion_core::report::Level;
use magnus::prelude::*;
use magnus::{Error, RArray, Ruby, Thread, Value};
use tokio::sync::mpsc::Receiver;

use super::{Bridge, Notice, Seat};
use crate::log::Logger;
use crate::{gvl, worker};

/// After the connections are closed: for workers to come to an end by themselves.
const JOIN_TIMEOUT: Duration = Duration::from_secs(1);
/// For those that were killed to run their `ensure` clauses, and close their bodies.
const KILL_TIMEOUT: Duration = Duration::from_millis(500);
/// After a thread could not be started: until the next is tried.
const RETRY: Duration = Duration::from_secs(1);

/// Looks after the worker threads of one bridge, on a Ruby thread that does nothing else.
pub(crate) struct Supervisor<'a> {
    ruby: &'a Ruby,
    /// For lines about the workers.
    logger: Logger,
    bridge: Arc<Bridge>,
    notices: &'a mut Receiver<Notice>,
    /// On the stack, where the garbage collector sees it.
    threads: RArray,
    /// When threads may be started again, after one could not be.
    retry: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        ruby: &'a Ruby,
        bridge: Arc<Bridge>,
        notices: &'a mut Receiver<Notice>,
        logger: Logger,
    ) -> Self {
        bridge.set_short(false);
        Supervisor { ruby, logger, bridge, notices, threads: ruby.ary_new(), retry: None }
    }

    /// Starts workers, and keeps them until `finished` is.
    pub(crate) fn supervise(&mut self, finished: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let mut finished = pin!(finished);
        if let Some(shortage) = self.fill()?.filter(|_| self.bridge.workers() == 0) {
            return Err(shortage);
        }
        loop {
            let next = async {
                tokio::select! {
                    notice = self.notices.recv() => notice,
                    () = &mut finished => None,
                }
            };
            match gvl::wait_until(self.ruby, next, self.retry)? {
                Some(Some(notice)) => self.heed(notice)?,
                Some(None) => return Ok(()),
                None => self.set_retry(None),
            }
            self.fill()?;
        }
    }

    /// Lets the workers come to an end, and kills those that do not.
    pub(crate) fn join(&mut self) -> Result<(), Error> {
        self.bridge.queue.close();
        self.wait_for_workers(JOIN_TIMEOUT)?;
        let left = self.bridge.workers();
        if left > 0 {
            self.write(Level::Warn, format!("{left} worker threads did not end in time; killed"))?;
        }
        self.kill()?;
        self.wait_for_workers(KILL_TIMEOUT)
    }

    fn wait_for_workers(&mut self, timeout: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + timeout;
        while self.bridge.workers() > 0 {
            match gvl::wait_until(self.ruby, self.notices.recv(), Some(deadline))? {
                Some(Some(Notice::Tend(site))) => drop(site.tend(self.ruby)?),
                Some(Some(_)) => {}
                Some(None) | None => break,
            }
        }
        Ok(())
    }

    /// Kills the workers that are left.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.bridge.queue.close();
        self.threads.into_iter().try_for_each(|thread| thread.funcall::<_, _, Value>("kill", ()).map(drop))
    }

    fn heed(&mut self, notice: Notice) -> Result<(), Error> {
        match notice {
            Notice::Tend(site) => drop(site.tend(self.ruby)?),
            Notice::Left { died } => {
                self.forget_dead()?;
                if died {
                    self.write(Level::Warn, "a worker thread died and is replaced")?;
                }
            }
            Notice::Grow => self.grow()?,
        }
        Ok(())
    }

    /// Takes care that the workers are not too few.
    fn fill(&mut self) -> Result<Option<Error>, Error> {
        self.add(self.bridge.vacancies())
    }

    /// Adds workers, when what the monitor saw is still so: one for each job, and for each worker that waits. The monitor
    /// cannot tell that from the wait for a GVL whose owner, such as this thread, gets no CPU.
    fn grow(&mut self) -> Result<(), Error> {
        let backlog = self.bridge.queue.backlog();
        if backlog.idle > 0 {
            return Ok(());
        }
        let count = self.count_sleeping()?.min(backlog.jobs).min(self.bridge.room());
        self.add(count).map(drop)
    }

    /// Workers that wait for something else than the GVL.
    fn count_sleeping(&self) -> Result<usize, Error> {
        let mut sleeping = 0;
        for thread in self.threads {
            // False or nil, not a String, once it is dead.
            let status: Value = thread.funcall("status", ())?;
            sleeping += usize::from(status.to_string() == "sleep");
        }
        Ok(sleeping)
    }

    /// Starts so many workers. When the system has no thread to give, it is asked again later; answers its refusal.
    fn add(&mut self, count: usize) -> Result<Option<Error>, Error> {
        if self.retry.is_some() {
            return Ok(None);
        }
        for _ in 0..count {
            match self.spawn() {
                Ok(()) => {}
                Err(shortage) if shortage.is_kind_of(self.ruby.exception_standard_error()) => {
                    self.set_retry(Some(Instant::now() + RETRY));
                    self.write(Level::Warn, format!("a worker thread could not be started: {shortage}"))?;
                    return Ok(Some(shortage));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn set_retry(&mut self, retry: Option<Instant>) {
        self.retry = retry;
        self.bridge.set_short(retry.is_some());
    }

    fn spawn(&mut self) -> Result<(), Error> {
        let seat = self.bridge.seat();
        let name = format!("hyperion-rs {}", seat.id());
        let seat = Arc::new(Mutex::new(Some(seat)));
        let take = |seat: &Mutex<Option<Seat>>| seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        let block = self.ruby.proc_from_fn({
            let seat = seat.clone();
            move |ruby, _, _| {
                let Some(seat) = take(&seat) else { return Ok(()) };
                worker::run(ruby, &seat)
            }
        });
        let started = self.ruby.class_thread().funcall_with_block::<_, _, Thread>("new", (), block);
        let thread = started.inspect_err(|_| {
            if let Some(seat) = take(&seat) {
                seat.vacate();
            }
        })?;
        // What kills a worker is logged, and the worker replaced.
        thread.funcall::<_, _, Value>("report_on_exception=", (false,))?;
        thread.funcall::<_, _, Value>("name=", (name,))?;
        self.threads.push(thread)
    }

    fn forget_dead(&mut self) -> Result<(), Error> {
        let alive = self.ruby.ary_new();
        for thread in self.threads {
            if thread.funcall::<_, _, bool>("alive?", ())? {
                alive.push(thread)?;
            }
        }
        self.threads = alive;
        Ok(())
    }

    fn write(&self, level: Level, line: impl Into<Cow<'static, str>>) -> Result<(), Error> {
        self.logger.write(self.ruby, level, line)
    }
}
