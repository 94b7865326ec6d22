//! The loop of a worker thread: it takes jobs only while it holds the GVL, and leaves the GVL only when there are none.

use std::fmt::{self, Display};
use std::time::{Duration, Instant};

use http::StatusCode;
use hyperion_core::Exchange;
use hyperion_core::dispatch::Pop;
use hyperion_core::report::Level;
use hyperion_core::request::Request;
use hyperion_core::response::Outcome;
use magnus::error::ErrorType;
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::{Error, RArray, RHash, Ruby, Value};

use crate::body::{Body, Sent};
use crate::env;
use crate::errors::{self, Class};
use crate::fork::Home;
use crate::gvl;
use crate::handle::Pending;
use crate::input::Input;
use crate::respond::Triple;
use crate::server::{NativeServer, Roots};
use crate::supervisor::{Bridge, Job, Seat};
use crate::{jump, keys, log};

/// A worker beyond the minimum that had nothing to do for so long goes.
const RETIREMENT: Duration = Duration::from_secs(10);

/// What a request is called in the log.
#[derive(Clone, Copy)]
struct RequestLine<'a>(&'a Request);

impl Display for RequestLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.method, self.0.path())
    }
}

/// One worker thread. `server` stays on this thread's stack, and keeps all that it refers to alive.
struct Worker<'a> {
    ruby: &'a Ruby,
    server: Obj<NativeServer>,
    bridge: &'a Bridge,
    id: usize,
    home: Home,
}

/// Works until the queue is closed, the worker may retire, or something kills the thread.
pub(crate) fn run(ruby: &Ruby, server: Obj<NativeServer>, seat: &Seat) -> Result<(), Error> {
    seat.take();
    let bridge = seat.bridge();
    let worker = Worker { ruby, server, bridge, id: seat.id(), home: seat.home() };
    loop {
        match bridge.queue.pop(worker.id) {
            Pop::Job(job) => {
                worker.perform(job)?;
            }
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
        match job {
            Job::Exchange(exchange) => self.serve(*exchange),
            Job::Finished(id, outcome) => self.finished(id, outcome),
        }
    }

    fn roots(&self) -> &Roots {
        self.server.roots()
    }

    fn serve(&self, exchange: Exchange) -> Result<(), Error> {
        let Exchange { request, body, responder } = exchange;
        let roots = self.roots();
        let pending = Pending::new(responder);
        if pending.is_disconnected() {
            return Ok(());
        }
        let input = match roots.input_classes(self.ruby).input(self.ruby, body) {
            Ok(input) => input,
            Err(error) => return self.failed(&pending, "request body", error),
        };
        let template = roots.template(self.ruby);
        let hints = roots.early_hints(&pending);
        let env = match env::build(self.ruby, template, &request, &input, hints, roots.rack_version()) {
            Ok(env) => env,
            Err(error) => return self.failed(&pending, "env", error),
        };
        let ended = self.call(&pending, env, &input, RequestLine(&request));
        if self.home.is_elsewhere() {
            return ended.map(drop);
        }
        let close = || self.tolerate("closing the request body", input.close());
        let closed = match ended {
            // The stream that the application keeps reads from it.
            Ok(Sent::Kept) => Ok(()),
            Ok(Sent::Whole) => close(),
            Err(_) => jump::aside(close),
        };
        ended.and(closed)
    }

    /// Calls the application, and sends what it answers.
    fn call(
        &self,
        pending: &Pending,
        env: RHash,
        input: &Input,
        what: RequestLine<'_>,
    ) -> Result<Sent, Error> {
        let _guard = Unanswered { pending, home: self.home };
        let answered = self.roots().app(self.ruby).funcall::<_, _, Value>(*keys::CALL, (env,));
        if self.home.is_elsewhere() {
            return Err(self.left_behind());
        }
        match answered {
            Ok(answer) => self.answer(pending, env, answer, input, what),
            Err(error) => {
                self.watch(pending, env, None, Some(&error))?;
                self.failed(pending, what, error).map(|()| Sent::Whole)
            }
        }
    }

    /// Sends what the application answered, and closes its body.
    fn answer(
        &self,
        pending: &Pending,
        env: RHash,
        answer: Value,
        input: &Input,
        what: RequestLine<'_>,
    ) -> Result<Sent, Error> {
        let triple = match Triple::new(self.ruby, answer) {
            Ok(triple) => triple,
            Err(error) => {
                let closed = jump::aside(|| {
                    let watched = self.watch(pending, env, None, Some(&error));
                    let body = RArray::from_value(answer).and_then(|array| array.entry::<Value>(2).ok());
                    watched.and(body.map_or(Ok(()), |body| self.close(&self.body(body))))
                });
                return self.failed(pending, what, error).and(closed).map(|()| Sent::Whole);
            }
        };
        self.watch(pending, env, Some(&triple), None)?;
        let body = self.body(triple.body);
        let sent = match pending.take() {
            Some(responder) => {
                self.roots().streaming(self.ruby).send(self.ruby, responder, triple, &body, input.value)
            }
            None => Ok(Sent::Whole),
        };
        let sent = match sent {
            Ok(sent) => Ok(sent),
            Err(error) => self.body_failed(what, error).map(|()| Sent::Whole),
        };
        match sent {
            Ok(sent) => self.close(&body).map(|()| sent),
            Err(_) => sent.and(jump::aside(|| self.close(&body)).map(|()| Sent::Whole)),
        }
    }

    fn body(&self, value: Value) -> Body {
        Body::new(value, self.roots().rack_version())
    }

    /// The application forked, and the child came back here, where no server is: the child ends.
    fn left_behind(&self) -> Error {
        Error::new(self.ruby.exception_system_exit(), "a child process came back from the application")
    }

    /// `body.close`, once, whatever came before.
    fn close(&self, body: &Body) -> Result<(), Error> {
        self.tolerate("closing the response body", body.close())
    }

    /// Answers 500, or what the error stands for, and logs it.
    fn failed(&self, pending: &Pending, what: impl Display, error: Error) -> Result<(), Error> {
        let status = self.status_of(&error);
        if let Some(responder) = pending.take() {
            responder.respond_plain(status);
        }
        self.body_failed(what, error)
    }

    fn status_of(&self, error: &Error) -> StatusCode {
        if Class::BodyTooLarge.is(self.ruby, error) {
            StatusCode::PAYLOAD_TOO_LARGE
        } else if Class::BodyTimeout.is(self.ruby, error) {
            StatusCode::REQUEST_TIMEOUT
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }

    /// Logs an error of the application. A client that went away is none, and the end of the thread goes on.
    fn body_failed(&self, what: impl Display, error: Error) -> Result<(), Error> {
        if let ErrorType::Jump(_) = error.error_type() {
            return Err(error);
        }
        if Class::ClientDisconnected.is(self.ruby, &error) {
            if self.bridge.log.enabled(Level::Debug) {
                let logger = self.roots().logger(self.ruby);
                log::write(self.ruby, logger, Level::Debug, &format!("{what}: {error}"))?;
            }
            return Ok(());
        }
        log::write_exception(self.ruby, self.roots().logger(self.ruby), what, &error)
    }

    /// Logs what went wrong beside a response that is not touched by it.
    fn tolerate(&self, what: impl Display, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(error) => self.body_failed(what, error),
            Ok(()) => Ok(()),
        }
    }

    /// Arranges for `rack.response_finished`, when the application asked for it.
    fn watch(
        &self,
        pending: &Pending,
        env: RHash,
        triple: Option<&Triple>,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        let Some(callbacks) = env.get(keys::response_finished(self.ruby)).and_then(RArray::from_value) else {
            return Ok(());
        };
        if callbacks.is_empty() {
            return Ok(());
        }
        let error = error.map(errors::exception).transpose()?;
        let (status, headers) = triple.map(|triple| (triple.status, triple.headers)).unzip();
        let id = self.roots().remember(self.ruby, (env, status, headers, error, callbacks))?;
        let bridge = self.bridge.this();
        pending.on_finish(move |outcome| {
            // A closed queue has no worker to call them.
            let _ = bridge.queue.push(Job::Finished(id, outcome));
        });
        Ok(())
    }

    /// Calls `rack.response_finished`, last first.
    fn finished(&self, id: u64, outcome: Outcome) -> Result<(), Error> {
        let Some((env, status, headers, error, callbacks)) = self.roots().recall(self.ruby, id)? else {
            return Ok(());
        };
        let error = match outcome {
            Outcome::Sent => error,
            _ if !error.is_nil() => error,
            Outcome::Failed => {
                self.ruby.exception_runtime_error().new_instance(("the response failed",))?.as_value()
            }
            Outcome::Disconnected | Outcome::TimedOut => {
                let error =
                    Class::ClientDisconnected.error(self.ruby, "the client did not take the response");
                errors::exception(&error)?
            }
        };
        for index in (0..callbacks.len()).rev() {
            let callback: Value = callbacks.entry(index as isize)?;
            let called: Result<Value, Error> = callback.funcall("call", (env, status, headers, error));
            self.tolerate("rack.response_finished", called.map(drop))?;
        }
        Ok(())
    }
}

/// Answers a request that nobody did, when the thread dies under it: objects of the application may still hold the
/// responder, and the client must not wait for the garbage collector.
struct Unanswered<'a> {
    pending: &'a Pending,
    home: Home,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.home.is_elsewhere() {
            drop(self.pending.take());
        }
    }
}
