//! Jumps: `Thread#kill`, `throw` and the like on their way through Rust. Ruby keeps where they lead in the thread's
//! `errinfo`, apart from the `magnus::Error` that stands for them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use rb_sys::VALUE;

/// Runs Ruby code while an error is held that has yet to go on. A `rescue` in that code would forget where a jump
/// leads, and the process crash when it goes on.
pub(crate) fn aside<R>(f: impl FnOnce() -> R) -> R {
    let mut call = Call { f: Some(f), result: None };
    // SAFETY: the GVL is held, as an error of Ruby is. `nothing` ends normally, so that `rb_ensure` returns, with the
    // `errinfo` that it found; `run_of` gets a pointer to `call`, which outlives it, and neither raises nor unwinds.
    unsafe { rb_sys::rb_ensure(Some(nothing), 0, Some(run_of(&call)), (&raw mut call) as VALUE) };
    match call.result.expect("rb_ensure runs it always") {
        Ok(result) => result,
        Err(panic) => resume_unwind(panic),
    }
}

struct Call<F, R> {
    f: Option<F>,
    result: Option<thread::Result<R>>,
}

unsafe extern "C" fn nothing(_: VALUE) -> VALUE {
    rb_sys::Qnil as VALUE
}

fn run_of<F: FnOnce() -> R, R>(_: &Call<F, R>) -> unsafe extern "C" fn(VALUE) -> VALUE {
    run::<F, R>
}

/// # Safety
/// `call` points to a `Call<F, R>` that nobody else uses meanwhile.
unsafe extern "C" fn run<F: FnOnce() -> R, R>(call: VALUE) -> VALUE {
    // SAFETY: see above.
    let call = unsafe { &mut *(call as *mut Call<F, R>) };
    call.result = call.f.take().map(|f| catch_unwind(AssertUnwindSafe(f)));
    rb_sys::Qnil as VALUE
}
