//! What a site needs of Ruby: the application, the logger, the template of the env, and classes of ours.

use std::sync::atomic::{AtomicU64, Ordering};

use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::value::Opaque;
use magnus::{DataTypeFunctions, Error, RHash, RModule, Ruby, TypedData, Value, gc};

use crate::admission::Foreign;
use crate::body::Streaming;
use crate::env::Templates;
use crate::gvl;
use crate::handle::EarlyHints;
use crate::hijack::Hijack;
use crate::input::Classes;
use crate::log::Logger;
use crate::mirror::Mirror;
use crate::settings::Settings;

/// The Ruby objects that serving needs. Whoever serves keeps this object alive, and so does its site.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Roots", free_immediately, mark)]
pub(crate) struct Roots {
    app: Opaque<Value>,
    logger: Logger,
    admission: Option<Foreign>,
    mirror: Option<Mirror>,
    templates: Templates,
    string_io: Opaque<magnus::RClass>,
    streaming_input: Opaque<magnus::RClass>,
    spilled_input: Opaque<magnus::RClass>,
    empty_input: Opaque<Value>,
    each: Opaque<Value>,
    stream: Opaque<Value>,
    /// What `rack.response_finished` callbacks are called with, by number.
    finishing: Opaque<RHash>,
    next_finishing: AtomicU64,
    early_hints: bool,
    rack_version: (u32, u32),
}

/// The arguments of `rack.response_finished`; the env has the callbacks.
type Finishing = (RHash, Value, Value, Value);

impl Roots {
    pub(crate) fn new(
        ruby: &Ruby,
        app: Value,
        logger: Logger,
        admission: Option<Foreign>,
        mirror: Option<Mirror>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let templates = Templates::new(ruby, settings)?;
        let classes = Classes::find(ruby, settings.rack_version)?;
        let streaming = Streaming::find(ruby)?;
        Ok(Roots {
            app: app.into(),
            logger,
            admission,
            mirror,
            templates,
            string_io: classes.string_io.into(),
            streaming_input: classes.streaming.into(),
            spilled_input: classes.spilled.into(),
            empty_input: classes.empty.into(),
            each: streaming.each.into(),
            stream: streaming.stream.into(),
            finishing: ruby.hash_new().into(),
            next_finishing: AtomicU64::new(0),
            early_hints: settings.early_hints,
            rack_version: settings.rack_version,
        })
    }

    pub(crate) fn app(&self, ruby: &Ruby) -> Value {
        ruby.get_inner(self.app)
    }

    pub(crate) fn logger(&self) -> Logger {
        self.logger
    }

    /// Who admits requests, besides the core.
    pub(crate) fn admission(&self) -> Option<Foreign> {
        self.admission
    }

    /// Metrics of the application's, when it has some.
    pub(crate) fn mirror(&self) -> Option<&Mirror> {
        self.mirror.as_ref()
    }

    /// What envs begin with.
    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    pub(crate) fn input_classes(&self, ruby: &Ruby) -> Classes {
        Classes {
            string_io: ruby.get_inner(self.string_io),
            streaming: ruby.get_inner(self.streaming_input),
            spilled: ruby.get_inner(self.spilled_input),
            empty: ruby.get_inner(self.empty_input),
        }
    }

    pub(crate) fn streaming(&self, ruby: &Ruby) -> Streaming {
        Streaming { each: ruby.get_inner(self.each), stream: ruby.get_inner(self.stream) }
    }

    /// `rack.early_hints` of a request, when the server has it.
    pub(crate) fn early_hints(&self, hijack: Obj<Hijack>) -> Option<EarlyHints> {
        self.early_hints.then(|| EarlyHints::new(hijack, self.logger))
    }

    /// Of the Rack that is loaded: major and minor.
    pub(crate) fn rack_version(&self) -> (u32, u32) {
        self.rack_version
    }

    /// Keeps the arguments of `rack.response_finished` until the response is over; answers their number.
    pub(crate) fn remember(
        &self,
        ruby: &Ruby,
        finishing: (RHash, Option<Value>, Option<Value>, Option<Value>),
    ) -> Result<u64, Error> {
        let id = self.next_finishing.fetch_add(1, Ordering::Relaxed);
        ruby.get_inner(self.finishing).aset(id, finishing)?;
        Ok(id)
    }

    /// Takes them back.
    pub(crate) fn recall(&self, ruby: &Ruby, id: u64) -> Result<Option<Finishing>, Error> {
        ruby.get_inner(self.finishing).delete(id)
    }
}

impl DataTypeFunctions for Roots {
    fn mark(&self, marker: &gc::Marker) {
        for value in [self.app, self.empty_input, self.each, self.stream] {
            marker.mark(value);
        }
        self.logger.mark(marker);
        self.admission.iter().for_each(|admission| admission.mark(marker));
        self.mirror.iter().for_each(|mirror| mirror.mark(marker));
        self.templates.mark(marker);
        marker.mark(self.finishing);
        marker.mark(self.string_io);
        marker.mark(self.streaming_input);
        marker.mark(self.spilled_input);
    }
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Roots", ruby.class_object())?;
    class.undef_default_alloc_func();
    gvl::settle_class::<Roots>(ruby);
    Ok(())
}
