//! The Rack environment of a request, built in one pass: its pairs are gathered, and a Hash made for them that has the
//! pairs of a template too. The Hash is the application's for ever.

use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use hyperion_core::request::Request;
use magnus::rb_sys::{AsRawValue, FromRawValue, protect};
use magnus::typed_data::Obj;
use magnus::{Error, IntoValue, RHash, Ruby, Value};
use rb_sys::VALUE;

use crate::handle::EarlyHints;
use crate::hijack::Hijack;
use crate::input::Input;
use crate::keys::{self, HeaderKey, Keys};

mod authority;
mod pairs;
mod peer;
mod shapes;
mod table;
mod templates;

use pairs::Pairs;

pub(crate) use peer::init;
pub(crate) use templates::Templates;

/// The Rack that knows the path of `OPTIONS *`.
const ASTERISK: (u32, u32) = (3, 1);

/// The env of one request.
pub(crate) fn build(
    ruby: &Ruby,
    templates: &Templates,
    request: &Request,
    input: &Input,
    hijack: Obj<Hijack>,
    hints: Option<EarlyHints>,
    rack_version: (u32, u32),
) -> Result<RHash, Error> {
    let hints = hints.map(|hints| hints.into_value_with(ruby));
    let keys = keys::keys(ruby);
    let env = protect(|| {
        // Every value made here is on this stack frame, in `Pairs`, or in the new Hash.
        let mut pairs = Pairs::new(templates.of(ruby, request).as_raw());
        request_line(ruby, &keys, &mut pairs, request, rack_version);
        pairs.push(keys.remote_addr, peer::address(ruby, &keys, &request.peer.remote));
        pairs.push(keys.rack_input, input.value.as_raw());
        pairs.push(keys.hijack, hijack.as_raw());
        if let Some(hints) = hints {
            pairs.push(keys.early_hints, hints.as_raw());
        }
        // SAFETY: the GVL is held.
        pairs.push(keys.response_finished, unsafe { rb_sys::rb_ary_new() });
        headers(ruby, &mut pairs, &request.headers, rack_version);
        body(&keys, &mut pairs, request, input);
        pairs.env(ruby, &templates.shapes)
    })?;
    // SAFETY: `env` answers a Hash.
    let env = unsafe { RHash::from_value(Value::from_raw(env)).unwrap_unchecked() };
    hijack.belong_to(env);
    Ok(env)
}

fn request_line(ruby: &Ruby, keys: &Keys, pairs: &mut Pairs, request: &Request, rack_version: (u32, u32)) {
    pairs.push(keys.request_method, method(keys, &request.method));
    let path = match request.path() {
        // Earlier ones want a slash, or nothing.
        "*" if rack_version < ASTERISK => keys.empty,
        path => string(path.as_bytes()),
    };
    pairs.push(keys.path_info, path);
    let query = request.query();
    pairs.push(keys.query_string, if query.is_empty() { keys.empty } else { string(query.as_bytes()) });
    pairs.push(keys.request_uri, string(request.target.as_str().as_bytes()));
    protocols(keys, pairs, request);
    let names = authority::server_names(ruby, keys, request);
    pairs.push(keys.server_name, names.0);
    pairs.push(keys.server_port, names.1);
    if !request.authority.is_empty() {
        pairs.push(keys.http_host, string(request.authority.as_bytes()));
    }
}

/// Of those that the client would rather speak there are few.
fn protocols(keys: &Keys, pairs: &mut Pairs, request: &Request) {
    let mut protocols = request.protocols().peekable();
    if protocols.peek().is_some() {
        // SAFETY: the GVL is held.
        let array = unsafe { rb_sys::rb_ary_new() };
        pairs.push(keys.protocol, array);
        for protocol in protocols {
            // SAFETY: the GVL is held; the Array is in `pairs`, and the String on the stack until the Array has it.
            unsafe { rb_sys::rb_ary_push(array, string(protocol)) };
        }
    }
}

fn headers(ruby: &Ruby, pairs: &mut Pairs, headers: &HeaderMap, rack_version: (u32, u32)) {
    let repeats = headers.len() != headers.keys_len();
    // Without repeats no name has to be looked up again for its values.
    for (name, value) in headers {
        // Rack 2 has the protocol's version in HTTP_VERSION.
        if rack_version.0 < 3 && name.as_str() == "version" {
            continue;
        }
        let key = keys::header_key(ruby, name);
        if matches!(key, HeaderKey::Hidden) {
            continue;
        }
        if repeats && !is_first(headers, name, value) {
            continue;
        }
        let string = string(value.as_bytes());
        if repeats {
            join(string, name, headers);
        }
        match key {
            HeaderKey::Lasting(key) => pairs.push(key, string),
            HeaderKey::Passing(key) => pairs.push_passing(key, string),
            HeaderKey::Hidden => {}
        }
    }
}

/// Whether it is the field line that stands for all of its name.
fn is_first(headers: &HeaderMap, name: &HeaderName, value: &HeaderValue) -> bool {
    headers.get(name).is_some_and(|first| std::ptr::eq(first, value))
}

/// Repeated fields are joined: cookie crumbs as RFC 9113, section 8.2.3, says, others as RFC 9110, section 5.3.
fn join(first: VALUE, name: &HeaderName, headers: &HeaderMap) {
    let separator: &[u8] = if *name == COOKIE { b"; " } else { b", " };
    for value in headers.get_all(name).iter().skip(1) {
        append(first, separator);
        append(first, value.as_bytes());
    }
}

fn body(keys: &Keys, pairs: &mut Pairs, request: &Request, input: &Input) {
    if let (Some(length), None) = (input.length, request.content_length) {
        let mut text = itoa_buffer();
        pairs.push(keys.content_length, string(decimal(&mut text, length)));
    }
    if let Some(trailers) = input.trailers {
        pairs.push(keys.trailers, trailers.as_raw());
    }
}

fn itoa_buffer() -> [u8; 20] {
    [0; 20]
}

fn decimal(buffer: &mut [u8; 20], mut number: u64) -> &[u8] {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

fn method(keys: &Keys, method: &Method) -> VALUE {
    match *method {
        Method::GET => keys.get,
        Method::POST => keys.post,
        Method::HEAD => keys.head,
        _ => string(method.as_str().as_bytes()),
    }
}

/// A new binary String.
fn string(bytes: &[u8]) -> VALUE {
    // SAFETY: called inside `build`, with the GVL; Ruby copies the bytes.
    unsafe { rb_sys::rb_str_new(bytes.as_ptr().cast(), bytes.len() as _) }
}

fn append(string: VALUE, bytes: &[u8]) {
    // SAFETY: called inside `build`, with the GVL; `string` is a String of ours, and Ruby copies the bytes.
    unsafe { rb_sys::rb_str_cat(string, bytes.as_ptr().cast(), bytes.len() as _) };
}
