//! Who may be in flight. `HyperionRs::Native::Admission` counts without a lock, and the core asks it itself; any other
//! object with `admit` and `release` is asked by the worker, with the GVL.

use std::sync::Arc;

use hyperion_core::admission::{Admission, Gate};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{Error, RHash, RModule, Ruby, TryConvert, TypedData, Value, function, gc, method};

use crate::gvl;

/// What `HyperionRs::H2Admission` wraps.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Admission", free_immediately)]
pub(crate) struct NativeAdmission(Arc<Admission>);

impl magnus::DataTypeFunctions for NativeAdmission {}

impl NativeAdmission {
    /// Without a maximum there is no cap.
    fn new(max: Option<usize>) -> Self {
        NativeAdmission(max.map_or_else(Admission::unlimited, Admission::new))
    }

    fn admit(&self) -> bool {
        self.0.take()
    }

    fn release(&self) {
        self.0.release();
    }

    fn stats(ruby: &Ruby, rb_self: &Self) -> Result<RHash, Error> {
        let stats = ruby.hash_new();
        stats.aset(ruby.to_symbol("in_flight"), rb_self.0.in_flight())?;
        stats.aset(ruby.to_symbol("rejected"), rb_self.0.rejected())?;
        let max = Some(rb_self.0.max()).filter(|&max| max != usize::MAX);
        stats.aset(ruby.to_symbol("max"), max)?;
        Ok(stats)
    }
}

/// An admission object of the application's. Whoever holds it has it marked.
#[derive(Clone, Copy)]
pub(crate) struct Foreign(Opaque<Value>);

impl Foreign {
    pub(crate) fn mark(&self, marker: &gc::Marker) {
        marker.mark(self.0);
    }

    pub(crate) fn admit(&self, ruby: &Ruby) -> Result<bool, Error> {
        let admitted: Value = ruby.get_inner(self.0).funcall("admit", ())?;
        Ok(admitted.to_bool())
    }

    pub(crate) fn release(&self, ruby: &Ruby) -> Result<(), Error> {
        ruby.get_inner(self.0).funcall::<_, _, Value>("release", ()).map(drop)
    }
}

/// Who decides, for what Ruby hands over: nil, one of ours, or something else.
pub(crate) fn of(value: Value) -> (Gate, Option<Foreign>) {
    if value.is_nil() {
        return (Gate::Core(Admission::unlimited()), None);
    }
    match Obj::<NativeAdmission>::try_convert(value) {
        Ok(native) => (Gate::Core(native.0.clone()), None),
        Err(_) => (Gate::handler(), Some(Foreign(value.into()))),
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Admission", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<NativeAdmission>(ruby);
    class.define_singleton_method("new", function!(NativeAdmission::new, 1))?;
    class.define_method("admit", method!(NativeAdmission::admit, 0))?;
    class.define_method("release", method!(NativeAdmission::release, 0))?;
    class.define_method("stats", method!(NativeAdmission::stats, 0))
}
