//! Response header names, from Ruby strings to field names. Applications use the same literals over and over, so that
//! the last ones seen are kept by their address, and checked by their bytes.

use http::HeaderName;
use magnus::rb_sys::AsRawValue;
use magnus::{RString, Ruby};
use rb_sys::VALUE;

use crate::cache::GvlCell;

/// Slots of the cache: a power of two, several times the names of a usual application.
const SLOTS: usize = 256;
/// Longer names are looked up each time.
const MAX_LENGTH: usize = 64;

struct Slot {
    string: VALUE,
    bytes: Box<[u8]>,
    name: HeaderName,
}

static CACHE: GvlCell<Vec<Option<Slot>>> = GvlCell::new(Vec::new());

/// Why a name cannot be sent.
pub(super) enum Unusable {
    /// It is for the server: `rack.*`, and `status`, which Rack keeps for CGI.
    Private(String),
    /// It is no token (RFC 9110, section 5.1).
    Invalid,
}

/// The field name of a Ruby string; capitals are lowered.
pub(super) fn lookup(ruby: &Ruby, string: RString) -> Result<HeaderName, Unusable> {
    // SAFETY: nothing below calls Ruby while the slice is in use.
    let bytes = unsafe { string.as_slice() };
    let raw = string.as_raw();
    // Objects are at least 40 bytes apart.
    let index = (raw as usize >> 3) % SLOTS;
    let cached = CACHE.with(ruby, |cache| {
        let slot = cache.get(index)?.as_ref()?;
        (slot.string == raw && *slot.bytes == *bytes).then(|| slot.name.clone())
    });
    if let Some(name) = cached {
        return Ok(name);
    }
    if bytes.starts_with(b"rack.") || bytes.eq_ignore_ascii_case(b"status") {
        return Err(Unusable::Private(String::from_utf8_lossy(bytes).into_owned()));
    }
    let name = HeaderName::from_bytes(bytes).map_err(|_| Unusable::Invalid)?;
    if bytes.len() <= MAX_LENGTH {
        let slot = Slot { string: raw, bytes: bytes.into(), name: name.clone() };
        CACHE.with(ruby, |cache| {
            cache.resize_with(SLOTS, || None);
            cache[index] = Some(slot);
        });
    }
    Ok(name)
}
