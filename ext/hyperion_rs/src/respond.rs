//! From the Rack triple to a response.

use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderValue, StatusCode};
use hyperion_core::response::{Head, InvalidField};
use magnus::prelude::*;
use magnus::r_hash::ForEach;
use magnus::{Error, RArray, RHash, RString, Ruby, TryConvert, Value};

mod names;

/// A Rack response, taken apart.
pub(crate) struct Triple {
    pub(crate) head: Head,
    pub(crate) status: Value,
    pub(crate) headers: Value,
    pub(crate) body: Value,
    /// What the response headers `rack.*` say to the server.
    pub(crate) wishes: Wishes,
}

/// What an application wants of the server beside a response.
#[derive(Default)]
pub(crate) struct Wishes {
    /// `rack.hijack`: a callable that writes the body itself.
    pub(crate) hijack: Option<Value>,
    /// `rack.protocol`: the protocol that is switched to.
    pub(crate) protocol: Option<Value>,
}

impl Triple {
    /// Takes what the application answered. Errors say what is wrong with it.
    pub(crate) fn new(ruby: &Ruby, answer: Value) -> Result<Self, Error> {
        let triple = match RArray::from_value(answer) {
            Some(array) => array,
            None if answer.respond_to("to_ary", false)? => answer.funcall("to_ary", ())?,
            None => {
                return Err(invalid(
                    ruby,
                    format_args!("expected [status, headers, body], got {}", class(answer)),
                ));
            }
        };
        if triple.len() != 3 {
            return Err(invalid(
                ruby,
                format_args!("expected [status, headers, body], got {} elements", triple.len()),
            ));
        }
        let (status, headers, body): (Value, Value, Value) =
            (triple.entry(0)?, triple.entry(1)?, triple.entry(2)?);
        let count = RHash::from_value(headers).map_or(0, |hash| hash.len());
        let mut head = Head::with_capacity(status_code(ruby, status)?, count);
        let wishes = fields(ruby, &mut head, headers)?;
        check_length(ruby, &head)?;
        Ok(Triple { head, status, headers, body, wishes })
    }
}

fn status_code(ruby: &Ruby, status: Value) -> Result<StatusCode, Error> {
    let number: magnus::Integer = match magnus::Integer::from_value(status) {
        Some(number) => number,
        None => status.funcall("to_i", ())?,
    };
    // A number too large for the type is no status either.
    number
        .to_u16()
        .ok()
        .and_then(|number| StatusCode::from_u16(number).ok())
        // The others are sent by other means (RFC 9110, section 15.2).
        .filter(|&status| !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS)
        .ok_or_else(|| {
            invalid(ruby, format_args!("status must be 101 or from 200 to 999, is {}", status.inspect()))
        })
}

/// A length that clients understand in two ways is how one response becomes two (RFC 9112, section 11.2).
fn check_length(ruby: &Ruby, head: &Head) -> Result<(), Error> {
    let mut values = head.get_all(&CONTENT_LENGTH);
    let Some(value) = values.next() else { return Ok(()) };
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) || head.content_length().is_none() {
        let value = String::from_utf8_lossy(value);
        return Err(invalid(ruby, format_args!("content-length must be one number, is {value:?}")));
    }
    if values.next().is_some() {
        return Err(invalid(ruby, "there is more than one content-length"));
    }
    Ok(())
}

/// Adds the fields of a Hash, or of what yields pairs. Answers what is for the server.
pub(crate) fn fields(ruby: &Ruby, head: &mut Head, headers: Value) -> Result<Wishes, Error> {
    let mut wishes = Wishes::default();
    match RHash::from_value(headers) {
        Some(hash) => hash.foreach(|name: Value, value: Value| {
            add(ruby, head, &mut wishes, name, value)?;
            Ok(ForEach::Continue)
        })?,
        None => {
            let pairs: RArray = headers.funcall("to_a", ())?;
            for pair in pairs.into_iter() {
                let (name, value) = <(Value, Value)>::try_convert(pair)?;
                add(ruby, head, &mut wishes, name, value)?;
            }
        }
    }
    Ok(wishes)
}

fn add(ruby: &Ruby, head: &mut Head, wishes: &mut Wishes, name: Value, value: Value) -> Result<(), Error> {
    let name = match RString::from_value(name) {
        Some(name) => name,
        None => name.funcall("to_s", ())?,
    };
    match names::lookup(ruby, name) {
        Ok(field) => push(ruby, head, field, value),
        Err(unusable) => wish(ruby, wishes, unusable, name, value),
    }
}

/// What no client is sent.
#[cold]
fn wish(
    ruby: &Ruby,
    wishes: &mut Wishes,
    unusable: names::Unusable,
    name: RString,
    value: Value,
) -> Result<(), Error> {
    let names::Unusable::Private(private) = unusable else {
        return Err(invalid(ruby, format_args!("{} is no header name", name.inspect())));
    };
    let wish = match private.as_str() {
        "rack.hijack" => &mut wishes.hijack,
        "rack.protocol" => &mut wishes.protocol,
        _ => return Ok(()),
    };
    *wish = Some(value).filter(|value| !value.is_nil());
    Ok(())
}

#[inline]
fn push(ruby: &Ruby, head: &mut Head, name: HeaderName, value: Value) -> Result<(), Error> {
    match RString::from_value(value) {
        Some(string) => push_lines(ruby, head, name, string),
        None => push_other(ruby, head, name, value),
    }
}

#[cold]
fn push_other(ruby: &Ruby, head: &mut Head, name: HeaderName, value: Value) -> Result<(), Error> {
    if let Some(values) = RArray::from_value(value) {
        return values.into_iter().try_for_each(|value| push(ruby, head, name.clone(), value));
    }
    if value.is_nil() {
        return Ok(());
    }
    push_lines(ruby, head, name, value.funcall("to_s", ())?)
}

/// One field for each line: Rack 2 joins repeated headers with newlines.
#[inline]
fn push_lines(ruby: &Ruby, head: &mut Head, name: HeaderName, value: RString) -> Result<(), Error> {
    // SAFETY: nothing below calls Ruby before the slice's last use, but for the error, which ends it.
    let bytes = unsafe { value.as_slice() };
    match head.push(name, bytes) {
        Ok(()) => Ok(()),
        Err(error) => split(ruby, head, bytes, error),
    }
}

/// A value that is more than one line, or none.
#[cold]
fn split(ruby: &Ruby, head: &mut Head, value: &[u8], error: InvalidField) -> Result<(), Error> {
    let pushed = match error {
        InvalidField::Byte { name, byte: b'\n' } => value
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .try_for_each(|line| head.push(name.clone(), line)),
        error => Err(error),
    };
    pushed.map_err(|error| invalid(ruby, error))
}

/// Turns the trailers of a body into a head, whose fields they become.
pub(crate) fn trailers(ruby: &Ruby, trailers: Value) -> Result<Option<Head>, Error> {
    if trailers.is_nil() {
        return Ok(None);
    }
    let hash: RHash = match RHash::from_value(trailers) {
        Some(hash) => hash,
        None => trailers.funcall("to_h", ())?,
    };
    let mut head = Head::new(StatusCode::OK);
    hash.foreach(|name: Value, value: Value| {
        let name: RString = name.funcall("to_s", ())?;
        // SAFETY: the bytes are compared, and nothing of Ruby is called meanwhile.
        if !unsafe { name.as_slice() }.starts_with(b":") {
            add(ruby, &mut head, &mut Wishes::default(), name.as_value(), value)?;
        }
        Ok(ForEach::Continue)
    })?;
    Ok(Some(head).filter(|head| !head.is_empty()))
}

/// Adds `content-length`, when the application did not.
pub(crate) fn add_length(head: &mut Head, length: u64) {
    if !head.contains(&CONTENT_LENGTH) {
        let value = HeaderValue::from(length);
        // Digits are no control characters.
        let _ = head.push(CONTENT_LENGTH, value.as_bytes());
    }
}

/// An answer that is no Rack response.
pub(crate) fn invalid(ruby: &Ruby, reason: impl std::fmt::Display) -> Error {
    Error::new(ruby.exception_arg_error(), format!("invalid Rack response: {reason}"))
}

// A class name cannot be had of a BasicObject; its inspection would fail alike.
#[allow(deprecated)]
fn class(value: Value) -> String {
    // SAFETY: the name is copied before anything else is called.
    unsafe { value.classname() }.into_owned()
}
