//! Sends the body of a Rack response, whichever of its shapes it has.

use std::cell::Cell;
use std::path::PathBuf;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_RANGE;
use http::header::UPGRADE;
use hyperion_core::body::FileBody;
use hyperion_core::response::{Head, Responder, Upgrade};
use magnus::prelude::*;
use magnus::rb_sys::AsRawValue;
use magnus::typed_data::Obj;
use magnus::{Error, RArray, RModule, RString, Ruby, Value};

use crate::respond::{self, Triple, Wishes};
use crate::writer::Writer;
use crate::{gvl, hijack, keys};

/// Bytes of a complete body that are handed over in one message; a longer one goes piece by piece.
const WHOLE: usize = 256 * 1024;

/// The Ruby sides of streaming, in `lib/hyperion_rs/streaming.rb`.
#[derive(Clone, Copy)]
pub(crate) struct Streaming {
    /// Iterates `body.each` into a writer.
    pub(crate) each: Value,
    /// The class of the object that a callable body gets.
    pub(crate) stream: Value,
}

/// The body of a Rack response, to be closed once. Lives on the stack of the worker.
pub(crate) struct Body {
    value: Value,
    /// Rack 3 wants `to_ary` to close the body itself.
    to_ary_closes: bool,
    closed: Cell<bool>,
}

impl Body {
    pub(crate) fn new(value: Value, rack_version: (u32, u32)) -> Self {
        Body { value, to_ary_closes: rack_version.0 >= 3, closed: Cell::new(false) }
    }

    /// The whole body, when it says that it is one.
    fn to_array(&self) -> Result<Option<RArray>, Error> {
        if !self.value.respond_to(*keys::TO_ARY, false)? {
            return Ok(None);
        }
        // Nil says that it is none after all, as bodies of Rails do that stream.
        let array = RArray::from_value(self.value.funcall(*keys::TO_ARY, ())?);
        self.closed.set(array.is_some() && self.to_ary_closes);
        Ok(array)
    }

    /// Whether it is an Array and nothing more: no subclass, and without methods of its own.
    pub(crate) fn is_plain(&self) -> bool {
        RArray::from_value(self.value).is_some_and(|array| {
            // SAFETY: an Array is an object on the heap, which begins with an RBasic; the class may be a singleton.
            unsafe { (*(array.as_raw() as *const rb_sys::RBasic)).klass == rb_sys::rb_cArray }
        })
    }

    /// Calls `close`, unless the body was closed.
    pub(crate) fn close(&self) -> Result<(), Error> {
        if self.closed.replace(true) || self.is_plain() || !self.value.respond_to(*keys::CLOSE, false)? {
            return Ok(());
        }
        self.value.funcall::<_, _, Value>(*keys::CLOSE, ()).map(drop)
    }
}

/// Whether the body is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All of it was handed over.
    Whole,
    /// The application keeps the stream, and closes it when it likes.
    Kept,
}

impl Streaming {
    pub(crate) fn find(ruby: &Ruby) -> Result<Self, Error> {
        let module: RModule = ruby.class_object().const_get("HyperionRs")?;
        Ok(Streaming { each: module.const_get("EACH_CHUNK")?, stream: module.const_get("Stream")? })
    }

    /// Sends the response. Errors are the application's, or say that the client is gone.
    pub(crate) fn send(
        &self,
        ruby: &Ruby,
        responder: Responder,
        triple: Triple,
        body: &Body,
        input: Value,
    ) -> Result<Sent, Error> {
        let Triple { mut head, wishes, .. } = triple;
        let value = body.value;
        let bodiless = matches!(head.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless || responder.is_head() {
            if !bodiless {
                tell_length(ruby, &mut head, body)?;
            }
            responder.respond_empty(head);
            return Ok(Sent::Whole);
        }
        if let Some(upgrade) = responder.upgrade()
            && consents(upgrade, &head, &wishes)
        {
            return switch(ruby, responder, upgrade, head, &wishes, value);
        }
        if head.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(respond::invalid(
                ruby,
                "status 101, and the client has not asked for another protocol",
            ));
        }
        if let Some(callable) = wishes.hijack {
            return hijack::hand_over(ruby, responder, head, callable).map(|()| Sent::Kept);
        }
        if let Some(array) = RArray::from_value(value) {
            return send_array(ruby, responder, head, array);
        }
        if value.respond_to(*keys::TRAILERS, false)? {
            return self.each_with_trailers(ruby, responder, head, value);
        }
        if let Some(file) = open_path(ruby, &head, value)? {
            responder.respond_file(head, file);
            return Ok(Sent::Whole);
        }
        if let Some(array) = body.to_array()? {
            return send_array(ruby, responder, head, array);
        }
        if value.respond_to(*keys::EACH, false)? {
            let writer = ruby.obj_wrap(Writer::new(responder, head, false));
            self.iterate(value, writer)?;
            Writer::finish(ruby, &writer, ruby.qnil().as_value())?;
            return Ok(Sent::Whole);
        }
        if value.respond_to(*keys::CALL, false)? {
            return self.call(ruby, responder, head, value, input);
        }
        // Dropped unused, the responder answers 500.
        Err(respond::invalid(
            ruby,
            format_args!("{} is no body: it has neither each nor call", value.inspect()),
        ))
    }

    /// gRPC and the like: every chunk is a DATA frame of its own, then the trailers.
    fn each_with_trailers(
        &self,
        ruby: &Ruby,
        responder: Responder,
        head: Head,
        body: Value,
    ) -> Result<Sent, Error> {
        let writer = ruby.obj_wrap(Writer::new(responder, head, true));
        self.iterate(body, writer)?;
        let trailers: Value = guarded(&writer, body.funcall(*keys::TRAILERS, ()))?;
        guarded(&writer, Writer::finish(ruby, &writer, trailers))?;
        Ok(Sent::Whole)
    }

    fn iterate(&self, body: Value, writer: Obj<Writer>) -> Result<(), Error> {
        let iterated: Result<Value, Error> = self.each.funcall(*keys::CALL, (body, writer));
        guarded(&writer, iterated).map(drop)
    }

    fn call(
        &self,
        ruby: &Ruby,
        responder: Responder,
        head: Head,
        callable: Value,
        input: Value,
    ) -> Result<Sent, Error> {
        let writer = ruby.obj_wrap(Writer::new(responder, head, true));
        let stream: Value = self.stream.funcall("new", (writer, input))?;
        let called: Result<Value, Error> = callable.funcall(*keys::CALL, (stream,));
        guarded(&writer, called)?;
        Ok(Sent::Kept)
    }
}

/// Whether the application agrees to the protocol that the client has asked for.
fn consents(upgrade: Upgrade, head: &Head, wishes: &Wishes) -> bool {
    let status = head.status();
    let success_says_so = upgrade == Upgrade::Connect || wishes.protocol.is_some();
    status == StatusCode::SWITCHING_PROTOCOLS || status.is_success() && success_says_so
}

/// Switches protocols: the body talks to the client by a socket.
fn switch(
    ruby: &Ruby,
    responder: Responder,
    upgrade: Upgrade,
    head: Head,
    wishes: &Wishes,
    body: Value,
) -> Result<Sent, Error> {
    let callable = match wishes.hijack {
        Some(callable) => callable,
        None if body.respond_to(*keys::CALL, false)? => body,
        // An application that knows nothing of it has answered as it does to a GET.
        None => {
            responder.respond_plain(StatusCode::NOT_IMPLEMENTED);
            return Ok(Sent::Whole);
        }
    };
    let head = match upgrade {
        Upgrade::Connect => head,
        Upgrade::Switch => switching(ruby, head, wishes)?,
    };
    hijack::hand_over(ruby, responder, head, callable).map(|()| Sent::Kept)
}

/// The head that switches protocols in HTTP/1.1, and says to which (RFC 9110, section 15.2.2).
fn switching(ruby: &Ruby, head: Head, wishes: &Wishes) -> Result<Head, Error> {
    let mut head = head.with_status(StatusCode::SWITCHING_PROTOCOLS);
    if !head.contains(&UPGRADE) {
        let protocol = match wishes.protocol {
            Some(protocol) => string(ruby, protocol)?,
            None => return Err(respond::invalid(ruby, "status 101, and no header says which protocol")),
        };
        // SAFETY: nothing of Ruby is called while the slice is in use.
        let pushed = head.push(UPGRADE, unsafe { protocol.as_slice() });
        pushed.map_err(|error| respond::invalid(ruby, error))?;
    }
    Ok(head)
}

/// A body that failed is not whole: the client must see that.
fn guarded<T>(writer: &Writer, result: Result<T, Error>) -> Result<T, Error> {
    result.inspect_err(|_| writer.abort())
}

fn send_array(ruby: &Ruby, responder: Responder, mut head: Head, array: RArray) -> Result<Sent, Error> {
    if array.len() == 1 {
        let only = string(ruby, array.entry(0)?)?;
        if only.len() <= WHOLE {
            // SAFETY: the bytes are copied before anything of Ruby is called.
            let bytes = Bytes::copy_from_slice(unsafe { only.as_slice() });
            responder.respond_full(head, bytes);
            return Ok(Sent::Whole);
        }
    }
    let size = size_of(ruby, array)?;
    if size <= WHOLE {
        let mut bytes = Vec::with_capacity(size);
        for index in 0..array.len() {
            let part = string(ruby, array.entry(index as isize)?)?;
            // SAFETY: as above.
            bytes.extend_from_slice(unsafe { part.as_slice() });
        }
        responder.respond_full(head, bytes.into());
        return Ok(Sent::Whole);
    }
    respond::add_length(&mut head, size as u64);
    let writer = Writer::new(responder, head, false);
    let sent =
        array.into_iter().try_for_each(|part| Writer::write(ruby, &writer, string(ruby, part)?).map(drop));
    guarded(&writer, sent)?;
    Writer::finish(ruby, &writer, ruby.qnil().as_value())?;
    Ok(Sent::Whole)
}

/// Says in answer to HEAD how long the body would be, as GET does (RFC 9110, section 9.3.2). Of an empty one that is not
/// known: `Rack::Head` may have emptied it.
fn tell_length(ruby: &Ruby, head: &mut Head, body: &Body) -> Result<(), Error> {
    if let Some(array) = body.to_array()? {
        let size = size_of(ruby, array)?;
        if size > 0 {
            respond::add_length(head, size as u64);
        }
    }
    Ok(())
}

fn size_of(ruby: &Ruby, array: RArray) -> Result<usize, Error> {
    (0..array.len()).try_fold(0, |size, index| Ok(size + string(ruby, array.entry(index as isize)?)?.len()))
}

fn string(ruby: &Ruby, part: Value) -> Result<RString, Error> {
    RString::from_value(part)
        .ok_or_else(|| respond::invalid(ruby, format_args!("a body yields Strings, not {}", part.inspect())))
}

/// The file of a body that has a path, when it can be sent as it is: whole, or the part that the head says, and as long
/// as it says.
fn open_path(ruby: &Ruby, head: &Head, body: Value) -> Result<Option<FileBody>, Error> {
    if !body.respond_to(*keys::TO_PATH, false)? {
        return Ok(None);
    }
    let Some(path) = body.funcall::<_, _, Option<PathBuf>>(*keys::TO_PATH, ())? else { return Ok(None) };
    let opened = gvl::block(ruby, || FileBody::open(&path))?;
    let fits = |file: &FileBody| head.content_length().is_none_or(|length| length == file.len());
    let cut = |file: FileBody| match content_range(head) {
        Some((first, last)) => file.slice(first, last),
        None => Some(file),
    };
    // What cannot be opened is left to `each`, whose error says more.
    Ok(opened.ok().and_then(cut).filter(fits))
}

/// The bytes that a partial response has (RFC 9110, section 14.4).
fn content_range(head: &Head) -> Option<(u64, u64)> {
    if head.status() != StatusCode::PARTIAL_CONTENT {
        return None;
    }
    let range = std::str::from_utf8(head.get(&CONTENT_RANGE)?).ok()?.strip_prefix("bytes ")?;
    let (first, last) = range.split_once('/')?.0.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
