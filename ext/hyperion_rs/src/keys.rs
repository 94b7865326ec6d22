//! Strings that every request uses: made once, frozen, never collected.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use magnus::rb_sys::{AsRawValue, FromRawValue};
use magnus::value::LazyId;
use magnus::{RString, Ruby, Value};
use rb_sys::VALUE;

use crate::cache::GvlCell;

macro_rules! keys {
    ($($name:ident = $text:literal,)*) => {
        /// The fixed strings, by name.
        #[derive(Clone, Copy)]
        #[allow(missing_docs)]
        pub(crate) struct Keys {
            $(pub(crate) $name: VALUE,)*
        }

        impl Keys {
            fn new(ruby: &Ruby) -> Self {
                Keys { $($name: pinned(ruby, $text),)* }
            }
        }
    };
}

keys! {
    request_method = "REQUEST_METHOD",
    path_info = "PATH_INFO",
    query_string = "QUERY_STRING",
    request_uri = "REQUEST_URI",
    server_name = "SERVER_NAME",
    server_port = "SERVER_PORT",
    http_host = "HTTP_HOST",
    remote_addr = "REMOTE_ADDR",
    content_type = "CONTENT_TYPE",
    content_length = "CONTENT_LENGTH",
    rack_input = "rack.input",
    early_hints = "rack.early_hints",
    hijack = "rack.hijack",
    hijack_io = "rack.hijack_io",
    response_finished = "rack.response_finished",
    protocol = "rack.protocol",
    trailers = "hyperion_rs.trailers",
    empty = "",
    get = "GET",
    post = "POST",
    head = "HEAD",
    localhost = "localhost",
    loopback = "127.0.0.1",
    port_http = "80",
    port_https = "443",
}

macro_rules! methods {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) static $name: LazyId = LazyId::new($text);)*

        /// Looks the names up before threads compete for it.
        fn intern_methods(ruby: &Ruby) {
            $(LazyId::force(&$name, ruby);)*
        }
    };
}

// Methods that requests are served by.
methods! {
    CALL = "call",
    CLOSE = "close",
    EACH = "each",
    TO_ARY = "to_ary",
    TO_PATH = "to_path",
    TRAILERS = "trailers",
}

struct Tables {
    keys: Keys,
    /// By field name. Seeded at random, so that a peer cannot choose names that collide.
    headers: HashMap<HeaderName, HeaderKey, RandomState>,
}

/// What a field is called in the env.
#[derive(Clone, Copy)]
pub(crate) enum HeaderKey {
    /// A String that lives as long as the process: the same for each request.
    Lasting(VALUE),
    /// A String that was made for this request.
    Passing(VALUE),
    /// The application must not see the field.
    Hidden,
}

static TABLES: GvlCell<Option<Tables>> = GvlCell::new(None);

/// Field names beyond these are a peer's inventions: their keys are made for the request.
const MAX_HEADERS: usize = 512;

/// Makes the fixed strings; called once, by `require`.
pub(crate) fn init(ruby: &Ruby) {
    intern_methods(ruby);
    let keys = Keys::new(ruby);
    let mut headers = HashMap::with_hasher(RandomState::default());
    headers.insert(CONTENT_TYPE, HeaderKey::Lasting(keys.content_type));
    headers.insert(CONTENT_LENGTH, HeaderKey::Lasting(keys.content_length));
    TABLES.with(ruby, |tables| *tables = Some(Tables { keys, headers }));
}

/// The fixed strings.
pub(crate) fn keys(ruby: &Ruby) -> Keys {
    TABLES.with(ruby, |tables| tables.as_ref().expect("made when the library was loaded").keys)
}

/// `rack.response_finished`.
pub(crate) fn response_finished(ruby: &Ruby) -> Value {
    // SAFETY: it is pinned for as long as the process lives.
    unsafe { Value::from_raw(keys(ruby).response_finished) }
}

/// The env key of a field, `HTTP_ACCEPT` for `accept`.
pub(crate) fn header_key(ruby: &Ruby, name: &HeaderName) -> HeaderKey {
    let (known, count) = TABLES.with(ruby, |tables| {
        let headers = &tables.as_ref().expect("made when the library was loaded").headers;
        (headers.get(name).copied(), headers.len())
    });
    known.unwrap_or_else(|| new_key(ruby, name, count < MAX_HEADERS))
}

#[cold]
fn new_key(ruby: &Ruby, name: &HeaderName, lasting: bool) -> HeaderKey {
    let key = if is_hidden(name.as_str()) {
        HeaderKey::Hidden
    } else {
        let string = interned(ruby, &env_name(name));
        if !lasting {
            return HeaderKey::Passing(string.as_raw());
        }
        ruby.gc_register_mark_object(string);
        HeaderKey::Lasting(string.as_raw())
    };
    if lasting {
        TABLES.with(ruby, |tables| tables.as_mut().map(|tables| tables.headers.insert(name.clone(), key)));
    }
    key
}

/// `proxy` would become HTTP_PROXY, which HTTP clients of the application obey; an underscore could pass for the
/// hyphen of a header that a proxy vouches for.
fn is_hidden(name: &str) -> bool {
    name == "proxy" || name.contains('_')
}

fn env_name(name: &HeaderName) -> String {
    let mut key = String::with_capacity(5 + name.as_str().len());
    key.push_str("HTTP_");
    key.extend(name.as_str().chars().map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() }));
    key
}

fn interned(ruby: &Ruby, text: &str) -> RString {
    ruby.str_new(text).to_interned_str()
}

fn pinned(ruby: &Ruby, text: &str) -> VALUE {
    let string = interned(ruby, text);
    ruby.gc_register_mark_object(string);
    string.as_raw()
}
