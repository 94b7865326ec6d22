//! `rack.input`: a StringIO for a body in memory, a File for one on disk, and for one that is still arriving a reader
//! that `HyperionRs::StreamingInput` wraps.

use std::os::fd::IntoRawFd;
use std::sync::{Mutex, PoisonError};
use std::thread;

use hyperion_core::body::{BodyError, Collected, Incoming, RequestBody};
use magnus::prelude::*;
use magnus::typed_data::Obj;
use magnus::{Error, IntoValue, RClass, RHash, RModule, RString, Ruby, TypedData, Value, method};

use crate::errors::Class;
use crate::fork::Ours;
use crate::supervisor::Bridge;
use crate::{gvl, signals};

/// The Ruby classes that inputs are made of; found once, marked by the server.
#[derive(Clone, Copy)]
pub(crate) struct Classes {
    pub(crate) string_io: RClass,
    pub(crate) streaming: RClass,
    pub(crate) spilled: RClass,
    pub(crate) empty: Value,
}

/// The input of a request.
pub(crate) struct Input {
    pub(crate) value: Value,
    /// Bytes, when all have come.
    pub(crate) length: Option<u64>,
    pub(crate) trailers: Option<Value>,
    end: End,
}

/// What has to be done with an input when the request is over.
enum End {
    /// It is memory of Ruby's.
    Nothing,
    /// The client may stop sending.
    Close,
    /// A temporary file is given back.
    Release(Obj<Lease>),
}

impl Classes {
    pub(crate) fn find(ruby: &Ruby, rack_version: (u32, u32)) -> Result<Self, Error> {
        ruby.require("stringio")?;
        let module: RModule = ruby.class_object().const_get("HyperionRs")?;
        Ok(Classes {
            string_io: ruby.class_object().const_get("StringIO")?,
            streaming: module.const_get(if rack_version.0 < 3 { "PipeInput" } else { "StreamingInput" })?,
            spilled: module.const_get("SpilledInput")?,
            empty: module.const_get("EMPTY_INPUT")?,
        })
    }

    /// The `rack.input` for this body.
    pub(crate) fn input(&self, ruby: &Ruby, body: RequestBody) -> Result<Input, Error> {
        match body {
            RequestBody::Empty => {
                Ok(Input { value: self.empty, length: None, trailers: None, end: End::Nothing })
            }
            RequestBody::Collected(body) => self.collected(ruby, body),
            RequestBody::Incoming(body) => {
                let reader = Reader(Ours::new(body)).into_value_with(ruby);
                let value: Value = self.streaming.funcall("new", (reader,))?;
                // Filled when the body has ended.
                let trailers = value.funcall("trailers", ())?;
                Ok(Input { value, length: None, trailers: Some(trailers), end: End::Close })
            }
        }
    }

    fn collected(&self, ruby: &Ruby, body: Collected) -> Result<Input, Error> {
        let length = Some(body.len());
        let trailers = match body.trailers() {
            Some(fields) => Some(header_hash(ruby, fields)?.as_value()),
            None => None,
        };
        if let Some(bytes) = body.as_memory() {
            let value = self.string_io.funcall("new", (ruby.str_from_slice(bytes),))?;
            return Ok(Input { value, length, trailers, end: End::Nothing });
        }
        let io_error = |error| Error::new(ruby.exception_io_error(), format!("request body: {error}"));
        let file =
            body.file().map_err(io_error)?.ok_or_else(|| io_error(std::io::ErrorKind::NotFound.into()))?;
        // From here on Ruby owns the descriptor, and closes it when the IO is collected at the latest.
        let io: Value = self.spilled.funcall("for_fd", (file.into_raw_fd(), "rb"))?;
        io.funcall::<_, _, Value>("rewind", ())?;
        let lease = ruby.obj_wrap(Lease(Mutex::new(Some(Ours::new(body)))));
        // As long as the IO lives and is open, the bytes count against spill_limit.
        io.funcall::<_, _, Value>("lease=", (lease,))?;
        Ok(Input { value: io, length, trailers, end: End::Release(lease) })
    }
}

impl Input {
    /// The request is over: gives files and windows back at once.
    pub(crate) fn close(&self) -> Result<(), Error> {
        if let End::Nothing = self.end {
            return Ok(());
        }
        if !self.value.funcall::<_, _, bool>("closed?", ())? {
            self.value.funcall::<_, _, Value>("close", ())?;
        }
        match self.end {
            // Whoever closed it may not have come by way of `SpilledInput#close`.
            End::Release(lease) => Lease::release(&Ruby::get_with(self.value), &lease),
            End::Nothing | End::Close => Ok(()),
        }
    }
}

/// Keeps the temporary file of a body, and its share of `spill_limit`.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Lease", free_immediately)]
struct Lease(Mutex<Option<Ours<Collected>>>);

impl magnus::DataTypeFunctions for Lease {}

impl Lease {
    fn take(&self) -> Option<Ours<Collected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Gives the file back, without the GVL: deleting a large one takes its time.
    fn release(ruby: &Ruby, rb_self: &Self) -> Result<(), Error> {
        match rb_self.take() {
            Some(body) => gvl::block(ruby, || drop(body)),
            None => Ok(()),
        }
    }
}

/// Nobody closed the input: this is the garbage collector, which has the GVL and cannot let go of it.
impl Drop for Lease {
    fn drop(&mut self) {
        let Some(body) = self.take().filter(|body| !body.is_elsewhere()) else { return };
        let delete = move || {
            // Ruby's handle may be the last one: then it closes an empty file, which costs nothing. An error here
            // leaves the whole file to it.
            let _ = body.file().map(|file| file.map(|file| file.set_len(0)));
        };
        // Where no thread can be had, the file is deleted here and now.
        let _ = signals::blocked(|| thread::Builder::new().name("hyperion-delete".into()).spawn(delete));
    }
}

/// A request body that is read while it arrives.
#[derive(TypedData)]
#[magnus(class = "HyperionRs::Native::Reader", free_immediately)]
struct Reader(Ours<Incoming>);

impl magnus::DataTypeFunctions for Reader {}

impl Reader {
    /// The next bytes as a binary String, nil at the end. Waits without the GVL.
    fn read_chunk(ruby: &Ruby, rb_self: &Self) -> Result<Option<RString>, Error> {
        let next = match Bridge::of_this_thread() {
            Some(bridge) => gvl::wait(ruby, bridge.reads.read(&rb_self.0)),
            None => gvl::wait(ruby, std::future::poll_fn(|cx| rb_self.0.poll_read(cx))),
        };
        match next? {
            Ok(chunk) => Ok(chunk.map(|bytes| ruby.str_from_slice(&bytes))),
            Err(error) => {
                let class = match error {
                    BodyError::Disconnected => Class::ClientDisconnected,
                    BodyError::TooLarge => Class::BodyTooLarge,
                    BodyError::TimedOut => Class::BodyTimeout,
                };
                Err(class.error(ruby, error))
            }
        }
    }

    /// Reads no further; what still comes is thrown away.
    fn close(&self) {
        self.0.close();
    }

    /// The trailers as a Hash, once the body has ended; nil when there were none.
    fn trailers(ruby: &Ruby, rb_self: &Self) -> Result<Option<RHash>, Error> {
        rb_self.0.trailers().map(|fields| header_hash(ruby, &fields)).transpose()
    }
}

fn header_hash(ruby: &Ruby, fields: &http::HeaderMap) -> Result<RHash, Error> {
    let hash = ruby.hash_new();
    for name in fields.keys() {
        let values: Vec<&[u8]> = fields.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
        hash.aset(name.as_str(), ruby.str_from_slice(&values.join(&b", "[..])))?;
    }
    Ok(hash)
}

pub(crate) fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let lease = native.define_class("Lease", ruby.class_object())?;
    lease.undef_default_alloc_func();
    lease.define_method("release", method!(Lease::release, 0))?;
    let reader = native.define_class("Reader", ruby.class_object())?;
    reader.undef_default_alloc_func();
    gvl::settle_class::<Lease>(ruby);
    gvl::settle_class::<Reader>(ruby);
    reader.define_method("read_chunk", method!(Reader::read_chunk, 0))?;
    reader.define_method("close", method!(Reader::close, 0))?;
    reader.define_method("trailers", method!(Reader::trailers, 0))
}
