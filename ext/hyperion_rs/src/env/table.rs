//! What is done with a Hash as a whole. All of it is called inside `build`, with the GVL, which catches what Ruby raises.

use std::ffi::c_long;

use rb_sys::VALUE;

use super::pairs::BATCH;

/// A new Hash with the pairs of another one.
pub(super) fn copy(hash: VALUE) -> VALUE {
    // SAFETY: the GVL is held; `hash` is a Hash that a `Roots` marks.
    unsafe { rb_sys::rb_hash_dup(hash) }
}

/// A new one without any.
pub(super) fn empty() -> VALUE {
    // SAFETY: the GVL is held.
    unsafe { rb_sys::rb_hash_new() }
}

/// Adds at most a batch of pairs.
pub(super) fn insert(hash: VALUE, keys: &[VALUE], values: &[VALUE]) {
    let mut pairs = [0; 2 * BATCH];
    for (pair, (&key, &value)) in pairs.chunks_exact_mut(2).zip(keys.iter().zip(values)) {
        pair.copy_from_slice(&[key, value]);
    }
    // SAFETY: the GVL is held; `pairs` begins with as many live pairs, and `hash` is a Hash of ours.
    unsafe { rb_sys::rb_hash_bulk_insert(2 * keys.len() as c_long, pairs.as_ptr(), hash) };
}

/// Adds all pairs of another one.
pub(super) fn update(hash: VALUE, other: VALUE) {
    // SAFETY: the GVL is held; both are Hashes, `hash` one of ours.
    unsafe { rb_sys::rb_hash_update_by(hash, other, None) };
}

/// How many pairs it has.
pub(super) fn size(hash: VALUE) -> usize {
    // SAFETY: the GVL is held; `hash` is a Hash.
    unsafe { rb_sys::rb_hash_size_num(hash) as usize }
}

/// Lets nobody change it.
pub(super) fn freeze(hash: VALUE) {
    // SAFETY: the GVL is held; `hash` is a Hash of ours.
    unsafe { rb_sys::rb_hash_freeze(hash) };
}
