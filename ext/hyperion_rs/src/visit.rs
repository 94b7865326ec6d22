//! One request with the application: from the exchange to the answer, and what follows it.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use hyperion_core::Exchange;
use hyperion_core::body::RequestBody;
use hyperion_core::metrics::{Metric, Timer};
use hyperion_core::report::Level;
use hyperion_core::request::Request;
use hyperion_core::response::{Hijacked, Outcome, Responder};
use magnus::error::ErrorType;
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::{Error, RArray, RHash, Ruby, Value};

use crate::body::{Body, Sent};
use crate::env;
use crate::errors::{self, Class};
use crate::finish::Finish;
use crate::fork::Home;
use crate::handle::Pending;
use crate::hijack::Hijack;
use crate::input::Input;
use crate::respond::Triple;
use crate::roots::Roots;
use crate::site::Site;
use crate::{gvl, jump, keys};

/// What a request is called in the log.
#[derive(Clone, Copy)]
struct RequestLine<'a>(&'a Request);

impl Display for RequestLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.method, self.0.path())
    }
}

/// A worker's visit to the application of a site. The site marks its roots for as long as the visit lasts.
pub(crate) struct Visit<'a> {
    pub(crate) ruby: &'a Ruby,
    pub(crate) site: &'a Arc<Site>,
    pub(crate) roots: &'a Roots,
    /// The process that the worker belongs to.
    pub(crate) home: Home,
}

impl Visit<'_> {
    /// Serves a request. The only error is the end of this thread.
    // A function of its own in every build: bench/instructions counts what happens inside of it.
    #[inline(never)]
    pub(crate) fn serve(&self, exchange: Exchange) -> Result<(), Error> {
        let Exchange { request, body, mut responder } = exchange;
        if responder.is_disconnected() {
            return Ok(());
        }
        let Some(mut responder) = self.admit(responder, &request)? else { return Ok(()) };
        let started = responder.start();
        let hijack = self.ruby.obj_wrap(Hijack::new(responder));
        let served = self.perform(&request, body, hijack, started);
        // The application may have forgotten it.
        gvl::keep(hijack);
        served
    }

    /// Serves a request whose responder is in `hijack`.
    fn perform(
        &self,
        request: &Request,
        body: RequestBody,
        hijack: Obj<Hijack>,
        started: Instant,
    ) -> Result<(), Error> {
        let (roots, pending) = (self.roots, hijack.pending());
        let _guard = Unanswered { pending, home: self.home };
        let input = match roots.input_classes(self.ruby).input(self.ruby, body) {
            Ok(input) => input,
            Err(error) => return self.failed(pending, "request body", error),
        };
        let hints = roots.early_hints(hijack);
        let env =
            env::build(self.ruby, roots.templates(), request, &input, hijack, hints, roots.rack_version());
        let env = match env {
            Ok(env) => env,
            Err(error) => return self.failed(pending, "env", error),
        };
        let ended = self.call(pending, env, &input, RequestLine(request), started);
        if self.home.is_elsewhere() {
            return ended.map(drop);
        }
        // The stream that the application keeps reads from it.
        if let Ok(Sent::Kept) = ended {
            return Ok(());
        }
        and_then_always(ended, || self.tolerate("closing the request body", input.close())).map(drop)
    }

    /// Asks the admission object of the application's, when there is one.
    fn admit(&self, mut responder: Responder, request: &Request) -> Result<Option<Responder>, Error> {
        let Some(admission) = self.roots.admission() else {
            if self.roots.mirror().is_some() {
                responder.hold(Box::new(self.site.stay(false)));
            }
            return Ok(Some(responder));
        };
        // What has been over for a moment does not count against this one.
        self.site.errands.give_back(self.ruby, self.roots)?;
        match admission.admit(self.ruby) {
            Ok(true) => {
                responder.admit();
                responder.hold(Box::new(self.site.stay(true)));
                return Ok(Some(responder));
            }
            Ok(false) => {
                responder.refuse();
                self.site.refused(request);
            }
            Err(error) => self.failed(&Pending::new(responder), "h2_admission", error)?,
        }
        Ok(None)
    }

    /// Calls the application, and sends what it answers.
    fn call(
        &self,
        pending: &Pending,
        env: RHash,
        input: &Input,
        what: RequestLine<'_>,
        started: Instant,
    ) -> Result<Sent, Error> {
        let answered = self.roots.app(self.ruby).funcall::<_, _, Value>(*keys::CALL, (env,));
        if self.home.is_elsewhere() {
            return Err(self.left_behind());
        }
        self.site.metrics.observe(Timer::AppTime, started.elapsed());
        if let Some(hijacked) = pending.hijacked() {
            return self.left_alone(&hijacked, env, answered, what).map(|()| Sent::Kept);
        }
        match answered {
            Ok(answer) => self.answer(pending, env, answer, input, what),
            Err(error) => {
                self.watch_failure(pending, env, &error)?;
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
                    let watched = self.watch_failure(pending, env, &error);
                    let body = RArray::from_value(answer).and_then(|array| array.entry::<Value>(2).ok());
                    watched.and(body.map_or(Ok(()), |body| self.close(&self.body(body))))
                });
                return self.failed(pending, what, error).and(closed).map(|()| Sent::Whole);
            }
        };
        let Triple { status, headers, .. } = triple;
        let body = self.body(triple.body);
        // Of a plain Array the application hears no more.
        let finish =
            (self.has_callbacks(env) || !body.is_plain()).then(|| Finish::of(pending, self.site.clone()));
        let sent = match pending.take() {
            Some(responder) => {
                self.roots.streaming(self.ruby).send(self.ruby, responder, triple, &body, input.value)
            }
            None => Ok(Sent::Whole),
        };
        let sent = match sent {
            Ok(sent) => Ok(sent),
            Err(error) => {
                self.count(&error);
                self.body_failed(what, error).map(|()| Sent::Whole)
            }
        };
        let kept = matches!(sent, Ok(Sent::Kept));
        let closed = and_then_always(sent, || self.close(&body));
        if self.home.is_elsewhere() {
            return closed;
        }
        match finish {
            // The stream that the application keeps may yet add some.
            Some(finish) if kept || self.has_callbacks(env) => and_then_always(closed, || {
                let id = self.roots.remember(self.ruby, (env, Some(status), Some(headers), None))?;
                finish.call_back(id);
                Ok(())
            }),
            _ => closed,
        }
    }

    /// The application has taken the request over: what it has answered counts for nothing, but for a body to be closed.
    fn left_alone(
        &self,
        hijacked: &Hijacked,
        env: RHash,
        answered: Result<Value, Error>,
        what: RequestLine<'_>,
    ) -> Result<(), Error> {
        let ended = match answered {
            Ok(answer) => {
                let body = RArray::from_value(answer).filter(|triple| triple.len() == 3);
                body.map_or(Ok(()), |triple| self.close(&self.body(triple.entry(2)?)))
            }
            Err(error) => self.body_failed(what, error),
        };
        and_then_always(ended, || {
            if self.has_callbacks(env) {
                let id = self.roots.remember(self.ruby, (env, None, None, None))?;
                let site = self.site.clone();
                hijacked.on_finish(move |outcome| site.finish(id, outcome));
            }
            Ok(())
        })
    }

    fn body(&self, value: Value) -> Body {
        Body::new(value, self.roots.rack_version())
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
        self.count(&error);
        let status = self.status_of(&error);
        if let Some(responder) = pending.take() {
            responder.respond_plain(status);
        }
        self.body_failed(what, error)
    }

    /// Counts an error of the application, unless it is the client's.
    fn count(&self, error: &Error) {
        let of_client = [Class::ClientDisconnected, Class::BodyTooLarge, Class::BodyTimeout];
        if !of_client.iter().any(|class| class.is(self.ruby, error)) {
            self.site.metrics.add(Metric::AppErrors, 1);
        }
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
            if self.site.enabled(Level::Debug) {
                self.roots.logger().write(self.ruby, Level::Debug, format!("{what}: {error}"))?;
            }
            return Ok(());
        }
        self.roots.logger().write_exception(self.ruby, what, &error)
    }

    /// Logs what went wrong beside a response that is not touched by it.
    fn tolerate(&self, what: impl Display, result: Result<(), Error>) -> Result<(), Error> {
        match result {
            Err(error) => self.body_failed(what, error),
            Ok(()) => Ok(()),
        }
    }

    /// Whether `rack.response_finished` has any, so far.
    fn has_callbacks(&self, env: RHash) -> bool {
        self.callbacks(env).is_some_and(|callbacks| !callbacks.is_empty())
    }

    fn callbacks(&self, env: RHash) -> Option<RArray> {
        env.get(keys::response_finished(self.ruby)).and_then(RArray::from_value)
    }

    /// Arranges for `rack.response_finished` of a request that ends with `error` instead of a response.
    fn watch_failure(&self, pending: &Pending, env: RHash, error: &Error) -> Result<(), Error> {
        if !self.has_callbacks(env) {
            return Ok(());
        }
        let error = errors::exception(error)?;
        let id = self.roots.remember(self.ruby, (env, None, None, Some(error)))?;
        Finish::of(pending, self.site.clone()).call_back(id);
        Ok(())
    }

    /// Calls `rack.response_finished`, last first.
    pub(crate) fn finished(&self, id: u64, outcome: Outcome) -> Result<(), Error> {
        let Some((env, status, headers, error)) = self.roots.recall(self.ruby, id)? else {
            return Ok(());
        };
        let Some(callbacks) = self.callbacks(env) else { return Ok(()) };
        let error = match outcome {
            Outcome::Sent => error,
            _ if !error.is_nil() => error,
            Outcome::Failed => {
                self.ruby.exception_runtime_error().new_instance(("the response failed",))?.as_value()
            }
            Outcome::Disconnected | Outcome::TimedOut | Outcome::Rejected | Outcome::Refused => {
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

/// Runs `then`, whatever came before. All errors here are the end of the thread, and the first one says which.
fn and_then_always<T>(
    result: Result<T, Error>,
    then: impl FnOnce() -> Result<(), Error>,
) -> Result<T, Error> {
    match result {
        Ok(value) => then().map(|()| value),
        Err(error) => {
            drop(jump::aside(then));
            Err(error)
        }
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
