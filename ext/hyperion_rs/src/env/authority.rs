//! SERVER_NAME and SERVER_PORT from the authority. A server has few names, so that their strings are kept.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use hyperion_core::Address;
use hyperion_core::request::Request;
use magnus::Ruby;
use magnus::prelude::*;
use magnus::rb_sys::AsRawValue;
use rb_sys::VALUE;

use crate::cache::GvlCell;
use crate::keys::Keys;

/// By authority. Seeded at random, so that a peer cannot choose some that collide.
type Names = HashMap<Box<[u8]>, (VALUE, VALUE), RandomState>;

/// Without TLS, and with it: the default port differs.
static NAMES: GvlCell<Option<[Names; 2]>> = GvlCell::new(None);

/// Authorities beyond these are a peer's inventions: their strings are made for the request.
const MAX_NAMES: usize = 128;

/// SERVER_NAME and SERVER_PORT; 443 or 80 when the authority has no port.
pub(super) fn server_names(ruby: &Ruby, keys: &Keys, request: &Request) -> (VALUE, VALUE) {
    let tls = request.peer.tls.is_some();
    let authority = request.authority.as_bytes();
    let (known, count) = NAMES.with(ruby, |names| {
        let names = &names.get_or_insert_default()[usize::from(tls)];
        (names.get(authority).copied(), names.len())
    });
    if let Some(known) = known {
        return known;
    }
    let (host, port) = split(authority);
    let text = |bytes: &[u8]| {
        let string = ruby.str_from_slice(bytes);
        string.freeze();
        string
    };
    let name = if host.is_empty() { None } else { Some(text(host)) };
    let port = if port.is_empty() { None } else { Some(text(port)) };
    if count < MAX_NAMES {
        name.iter().chain(&port).for_each(|string| ruby.gc_register_mark_object(*string));
    }
    let default_port = match request.peer.local {
        Address::Tcp(_) | Address::Unix(_) if tls => keys.port_https,
        _ => keys.port_http,
    };
    let names =
        (name.map_or(keys.localhost, |name| name.as_raw()), port.map_or(default_port, |port| port.as_raw()));
    if count < MAX_NAMES {
        NAMES.with(ruby, |cache| {
            cache.get_or_insert_default()[usize::from(tls)].insert(authority.into(), names)
        });
    }
    names
}

/// Host and port; the brackets of an IPv6 address stay, as in a URL.
fn split(authority: &[u8]) -> (&[u8], &[u8]) {
    match authority.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !authority[colon..].contains(&b']') => (&authority[..colon], &authority[colon + 1..]),
        _ => (authority, b""),
    }
}
