//! The Ruby side of supervision: the thread that called `run` looks after the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyperion_core::report::Level;
use hyperion_core::server::Running;
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{Error, RArray, Ruby, TryConvert, Value};
use tokio::sync::mpsc::Receiver;

use super::{Bridge, Notice};
use crate::server::NativeServer;
use crate::{gvl, log, worker};

/// After the connections are closed: for workers to come to an end by themselves.
const JOIN_TIMEOUT: Duration = Duration::from_secs(1);
/// For those that were killed to run their `ensure` clauses, and close their bodies.
const KILL_TIMEOUT: Duration = Duration::from_millis(500);

/// Looks after the worker threads of one server, on the thread that called `run`.
pub(crate) struct Supervisor<'a> {
    pub(crate) ruby: &'a Ruby,
    pub(crate) server: Obj<NativeServer>,
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) notices: Receiver<Notice>,
    /// On the stack, where the garbage collector sees it.
    pub(crate) threads: RArray,
}

impl Supervisor<'_> {
    /// Starts workers, and keeps them until the server has finished.
    pub(crate) fn supervise(&mut self, running: &Running) -> Result<(), Error> {
        self.fill()?;
        loop {
            let next = async {
                tokio::select! {
                    notice = self.notices.recv() => notice,
                    () = running.finished() => None,
                }
            };
            match gvl::wait(self.ruby, next)? {
                Some(notice) => self.heed(notice)?,
                None => return Ok(()),
            }
        }
    }

    /// Lets the workers come to an end, and kills those that do not.
    pub(crate) fn join(&mut self) -> Result<(), Error> {
        self.bridge.queue.close();
        self.wait_for_workers(JOIN_TIMEOUT)?;
        self.kill()?;
        self.wait_for_workers(KILL_TIMEOUT)
    }

    fn wait_for_workers(&mut self, timeout: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + timeout;
        while self.bridge.workers() > 0 {
            match gvl::wait_until(self.ruby, self.notices.recv(), Some(deadline))? {
                Some(Some(Notice::Log(level, line))) => self.write(level, &line)?,
                Some(Some(_)) => {}
                Some(None) | None => break,
            }
        }
        Ok(())
    }

    /// Kills the workers that are left.
    pub(crate) fn kill(&mut self) -> Result<(), Error> {
        self.bridge.queue.close();
        let left = self.bridge.workers();
        if left > 0 {
            self.write(Level::Warn, &format!("{left} worker threads did not end in time; killed"))?;
        }
        self.threads.into_iter().try_for_each(|thread| thread.funcall::<_, _, Value>("kill", ()).map(drop))
    }

    fn heed(&mut self, notice: Notice) -> Result<(), Error> {
        match notice {
            Notice::Log(level, line) => self.write(level, &line)?,
            Notice::Left { died } => {
                self.forget_dead()?;
                if died {
                    self.write(Level::Warn, "a worker thread died and is replaced")?;
                }
            }
            Notice::Grow(wanted) => self.grow(wanted)?,
        }
        self.fill()?;
        match self.bridge.log.take_dropped() {
            0 => Ok(()),
            dropped => {
                self.write(Level::Warn, &format!("{dropped} log lines were dropped: too many at once"))
            }
        }
    }

    /// Takes care that the workers are not too few.
    fn fill(&mut self) -> Result<(), Error> {
        (0..self.bridge.vacancies()).try_for_each(|_| self.spawn())
    }

    /// Adds workers, when what the monitor saw is still so.
    fn grow(&mut self, wanted: usize) -> Result<(), Error> {
        let backlog = self.bridge.queue.backlog();
        if backlog.idle > 0 {
            return Ok(());
        }
        let count = wanted.min(backlog.jobs).min(self.bridge.room());
        (0..count).try_for_each(|_| self.spawn())
    }

    fn spawn(&mut self) -> Result<(), Error> {
        let seat = self.bridge.seat();
        let name = format!("hyperion-rs {}", seat.id());
        let server = Opaque::from(self.server.as_value());
        let thread = self.ruby.thread_create_from_fn(move |ruby| {
            // On the stack: from here on this thread itself keeps the server alive.
            let server = Obj::<NativeServer>::try_convert(ruby.get_inner(server))?;
            worker::run(ruby, server, &seat)
        });
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

    fn write(&self, level: Level, line: &str) -> Result<(), Error> {
        log::write(self.ruby, self.server.roots().logger(self.ruby), level, line)
    }
}
