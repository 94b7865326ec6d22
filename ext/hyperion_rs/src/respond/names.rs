//! Response header names, from Ruby strings to field names. Applications use the same literals over and over: those
//! seen last are found by their address, and checked by their bytes, because a String may have another's address later.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::HeaderName;
use magnus::rb_sys::AsRawValue;
use magnus::{RString, Ruby};
use rb_sys::VALUE;

use crate::cache::GvlCell;

/// Sets of the cache: a power of two. Together they hold several times the names of a usual application.
const SETS: usize = 64;
/// Names whose addresses lead to the same set.
const WAYS: usize = 4;
/// Names that are kept for ever; others are an application's inventions, and made each time.
const MAX_NAMES: usize = 1024;
/// Longer ones are made each time.
const MAX_LENGTH: usize = 64;

/// A name as an application spells it, and the field that it stands for. Nothing counts how often it is in use, so that
/// the thread of the application and that of the connection do not contend for a counter.
#[derive(Clone, Copy)]
struct Name {
    spelled: &'static [u8],
    field: &'static HeaderName,
}

#[derive(Clone, Copy)]
struct Slot {
    string: VALUE,
    name: Name,
}

#[derive(Clone, Copy, Default)]
struct Set {
    slots: [Option<Slot>; WAYS],
    /// The slot that is given to the next newcomer.
    next: usize,
}

#[derive(Default)]
struct Cache {
    sets: Vec<Set>,
    /// By spelling.
    names: HashMap<&'static [u8], Name, RandomState>,
}

static CACHE: GvlCell<Option<Cache>> = GvlCell::new(None);

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
    CACHE.with(ruby, |cache| {
        let cache = cache.get_or_insert_default();
        match cache.find(string.as_raw(), bytes) {
            Some(field) => Ok(field.clone()),
            None => cache.enter(string.as_raw(), bytes),
        }
    })
}

impl Cache {
    fn find(&self, string: VALUE, bytes: &[u8]) -> Option<&'static HeaderName> {
        let slots = &self.sets.get(set_of(string))?.slots;
        let slot = slots.iter().flatten().find(|slot| slot.string == string)?;
        (*slot.name.spelled == *bytes).then_some(slot.name.field)
    }

    #[cold]
    fn enter(&mut self, string: VALUE, bytes: &[u8]) -> Result<HeaderName, Unusable> {
        let Some(name) = self.names.get(bytes).copied() else { return self.add(bytes) };
        self.sets.resize(SETS, Set::default());
        let set = &mut self.sets[set_of(string)];
        let slot = set.slots.iter().position(|slot| slot.is_some_and(|slot| slot.string == string));
        let slot = slot.unwrap_or_else(|| {
            set.next = (set.next + 1) % WAYS;
            set.next
        });
        set.slots[slot] = Some(Slot { string, name });
        Ok(name.field.clone())
    }

    /// A name that was not seen before.
    fn add(&mut self, bytes: &[u8]) -> Result<HeaderName, Unusable> {
        if bytes.starts_with(b"rack.") || bytes.eq_ignore_ascii_case(b"status") {
            return Err(Unusable::Private(String::from_utf8_lossy(bytes).into_owned()));
        }
        let name = HeaderName::from_bytes(bytes).map_err(|_| Unusable::Invalid)?;
        if self.names.len() < MAX_NAMES && bytes.len() <= MAX_LENGTH {
            let lowered: &'static str = Box::leak(name.as_str().into());
            let field = Box::leak(Box::new(HeaderName::from_static(lowered)));
            let spelled = Box::leak(bytes.into());
            self.names.insert(spelled, Name { spelled, field });
        }
        Ok(name)
    }
}

/// Neighbours on the heap are 40 bytes apart, or a multiple of that: a multiplication spreads them.
fn set_of(string: VALUE) -> usize {
    const GOLDEN: usize = 0x9e37_79b9_7f4a_7c15_u64 as usize;
    (string as usize).wrapping_mul(GOLDEN) >> (usize::BITS - SETS.trailing_zeros())
}
