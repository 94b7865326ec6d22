//! Leaving and taking the GVL: the only caller of `rb_thread_*`.
//!
//! The main thread waits in Ruby's own way, see [`main`].
//!
//! Only a thread that Ruby made may come here. What runs without the GVL is `Send`, which no Ruby value is: a closure
//! that touches Ruby does not compile.

mod main;

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use magnus::rb_sys::{AsRawValue, protect};
use magnus::value::ReprValue;
use magnus::{Error, Ruby, TypedData};

/// Has magnus look up the Ruby class of a type now. It does so at the first use otherwise, behind a lock that it holds
/// while it calls Ruby: a second thread that came to that lock with the GVL would stop the process for good.
pub(crate) fn settle_class<T: TypedData>(ruby: &Ruby) {
    T::class(ruby);
}

/// Keeps a Ruby object alive up to here: the garbage collector sees it on the stack or in a register. A reference into
/// what it wraps is no such thing.
pub(crate) fn keep<T: ReprValue>(object: T) {
    std::hint::black_box(object);
}

/// Waits for a future without the GVL. Ruby's interrupts (`Thread#kill`, `Thread#raise`, signals) are served while it
/// waits: an exception that one of them raises ends the wait.
pub(crate) fn wait<F: Future + Send>(ruby: &Ruby, future: F) -> Result<F::Output, Error>
where
    F::Output: Send,
{
    let waited = wait_until(ruby, future, None)?;
    Ok(waited.expect("only a deadline ends the wait early"))
}

/// Takes what waits on this thread will need, so that none of them fails for want of it.
pub(crate) fn prepare(ruby: &Ruby) -> Result<(), Error> {
    if main::is_current(ruby) { main::prepare(ruby) } else { Ok(()) }
}

/// As [`wait`], until `deadline`; `None` when that came first.
pub(crate) fn wait_until<F: Future + Send>(
    ruby: &Ruby,
    future: F,
    deadline: Option<Instant>,
) -> Result<Option<F::Output>, Error>
where
    F::Output: Send,
{
    let mut future = pin!(future);
    if main::is_current(ruby) {
        return main::wait(ruby, future, deadline);
    }
    let parker = Arc::new(Parker::default());
    let waker = Waker::from(parker.clone());
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
        return Ok(Some(output));
    }
    loop {
        match without(|| park(future.as_mut(), &parker, &waker, deadline), &parker) {
            Some(Park::Ready(output)) => return Ok(Some(output)),
            Some(Park::Late) => return Ok(None),
            Some(Park::Interrupted) | None => ruby.thread_check_ints()?,
        }
    }
}

/// Runs work that blocks, but not for long, without the GVL: it cannot be interrupted.
pub(crate) fn block<R: Send>(ruby: &Ruby, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let parker = Parker::default();
    let mut work = Some(work);
    loop {
        let run = || work.take().map(|work| work());
        if let Some(Some(result)) = without(run, &parker) {
            return Ok(result);
        }
        ruby.thread_check_ints()?;
    }
}

/// Lets each Ruby thread that waits for the GVL have its turn, and serves Ruby's interrupts.
pub(crate) fn pass(ruby: &Ruby) -> Result<(), Error> {
    protect(|| {
        // SAFETY: the GVL is held, and `protect` catches what an interrupt raises.
        unsafe { rb_sys::rb_thread_schedule() };
        ruby.qnil().as_raw()
    })
    .map(drop)
}

enum Park<T> {
    Ready(T),
    Late,
    Interrupted,
}

/// Polls the future until it is ready, sleeping between its wake-ups.
fn park<F: Future>(
    mut future: Pin<&mut F>,
    parker: &Parker,
    waker: &Waker,
    deadline: Option<Instant>,
) -> Park<F::Output> {
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
            return Park::Ready(output);
        }
        match parker.sleep(deadline) {
            Signal::Woken => {}
            Signal::Interrupted => return Park::Interrupted,
            Signal::Late => return Park::Late,
        }
    }
}

/// Puts one thread to sleep until its future, or Ruby, wants it.
#[derive(Default)]
struct Parker {
    state: Mutex<Signals>,
    changed: Condvar,
}

#[derive(Default)]
struct Signals {
    woken: bool,
    interrupted: bool,
    /// The thread waits for `changed`: to tell it takes a system call, which a thread that is awake does not need.
    asleep: bool,
}

enum Signal {
    Woken,
    Interrupted,
    Late,
}

impl Parker {
    fn sleep(&self, deadline: Option<Instant>) -> Signal {
        let mut signals = self.lock();
        loop {
            if std::mem::take(&mut signals.interrupted) {
                return Signal::Interrupted;
            }
            if std::mem::take(&mut signals.woken) {
                return Signal::Woken;
            }
            signals.asleep = true;
            signals = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(signals).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Signal::Late,
                Some(left) => {
                    self.changed.wait_timeout(signals, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            signals.asleep = false;
        }
    }

    fn interrupt(&self) {
        self.signal(|signals| signals.interrupted = true);
    }

    fn signal(&self, set: impl FnOnce(&mut Signals)) {
        let mut signals = self.lock();
        set(&mut signals);
        let asleep = signals.asleep;
        drop(signals);
        if asleep {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Signals> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.signal(|signals| signals.woken = true);
    }
}

/// Runs `f` without the GVL; `None` when Ruby had an interrupt waiting and did not run it. Panics of `f` go on from
/// here, with the GVL held again.
fn without<R: Send>(f: impl FnOnce() -> R + Send, parker: &Parker) -> Option<R> {
    let mut call = Call { f: Some(f), result: None };
    // SAFETY: `trampoline` gets a pointer to `call` and `unblock` one to `parker`; both outlive the call, which
    // returns only when the trampoline has. `f` is `Send`, so it holds no Ruby value, and it runs on this thread. The
    // calling thread holds the GVL: it was called by Ruby. This variant neither runs interrupts nor raises, so that
    // no frame of Rust is jumped over.
    unsafe {
        rb_sys::rb_thread_call_without_gvl2(
            Some(trampoline_of(&call)),
            (&raw mut call).cast(),
            Some(unblock),
            ptr::from_ref(parker).cast_mut().cast(),
        );
    }
    match call.result? {
        Ok(result) => Some(result),
        Err(panic) => resume_unwind(panic),
    }
}

struct Call<F, R> {
    f: Option<F>,
    result: Option<Result<R, Box<dyn Any + Send>>>,
}

type Trampoline = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

fn trampoline_of<F: FnOnce() -> R, R>(_: &Call<F, R>) -> Trampoline {
    trampoline::<F, R>
}

/// Calls the closure and keeps its panics from crossing C.
///
/// # Safety
/// `call` points to a `Call<F, R>` that nobody else uses meanwhile.
unsafe extern "C" fn trampoline<F: FnOnce() -> R, R>(call: *mut c_void) -> *mut c_void {
    // SAFETY: see above.
    let call = unsafe { &mut *call.cast::<Call<F, R>>() };
    if let Some(f) = call.f.take() {
        call.result = Some(catch_unwind(AssertUnwindSafe(f)));
    }
    ptr::null_mut()
}

/// Ruby wants the thread back. Called from any thread, with or without the GVL, never from a signal handler.
///
/// # Safety
/// `parker` points to the `Parker` of a call to [`without`] that has not returned.
unsafe extern "C" fn unblock(parker: *mut c_void) {
    // SAFETY: see above. Ruby unregisters this function before the call returns.
    unsafe { &*parker.cast::<Parker>() }.interrupt();
}
