//! Hashes that have the keys of an env already. To hash its keys is most of what an env costs, and the requests of one
//! client have the same keys in the same order: an env is a copy of an earlier one, with its own values.

use std::ffi::c_int;
use std::slice;

use magnus::rb_sys::FromRawValue;
use magnus::{Ruby, Value, gc};
use rb_sys::{VALUE, st_data_t, st_retval};

use super::pairs::BATCH;
use super::table::{copy, empty, freeze, insert, size, update};
use crate::cache::GvlCell;

/// Shapes that are kept: the last that were used.
const SHAPES: usize = 16;

struct Shape {
    template: VALUE,
    /// The first of an env, in its order. They live as long as the process, and are the same objects each time.
    keys: Box<[VALUE]>,
    /// A frozen Hash of these keys with nil, and then of the template's pairs. Only ObjectSpace shows it to anybody, who
    /// must not change the order that the values rely on.
    blank: VALUE,
}

/// The last shapes of the envs of a site, the latest first; marked by its `Roots`.
pub(super) struct Shapes(GvlCell<Vec<Shape>>);

impl Shapes {
    pub(super) const fn new() -> Self {
        Shapes(GvlCell::new(Vec::new()))
    }

    /// A Hash of these pairs and the template's; none when a key comes twice. Called inside `build`, which catches what
    /// Ruby raises.
    pub(super) fn env(
        &self,
        ruby: &Ruby,
        template: VALUE,
        keys: &[VALUE],
        values: &[VALUE],
    ) -> Option<VALUE> {
        let blank = self.find(ruby, template, keys).or_else(|| self.learn(ruby, template, keys))?;
        let env = copy(blank);
        set_first(env, values);
        Some(env)
    }

    fn find(&self, ruby: &Ruby, template: VALUE, keys: &[VALUE]) -> Option<VALUE> {
        self.0.with(ruby, |shapes| {
            let index = shapes.iter().position(|shape| shape.template == template && *shape.keys == *keys)?;
            if index > 0 {
                shapes[..=index].rotate_right(1);
            }
            shapes.first().map(|shape| shape.blank)
        })
    }

    fn learn(&self, ruby: &Ruby, template: VALUE, keys: &[VALUE]) -> Option<VALUE> {
        let blank = empty();
        insert(blank, keys, &[rb_sys::Qnil as VALUE; BATCH][..keys.len()]);
        update(blank, template);
        if size(blank) != keys.len() + size(template) {
            return None;
        }
        freeze(blank);
        self.0.with(ruby, |shapes| {
            shapes.truncate(SHAPES - 1);
            shapes.insert(0, Shape { template, keys: keys.into(), blank });
        });
        Some(blank)
    }

    pub(super) fn mark(&self, marker: &gc::Marker) {
        // SAFETY: the garbage collector runs with the GVL. It was called by something of Ruby, and so by none of the
        // closures above.
        let ruby = unsafe { Ruby::get_unchecked() };
        self.0.with(&ruby, |shapes| {
            for shape in shapes {
                // SAFETY: it is a Hash, and lives because it is marked here.
                marker.mark(unsafe { Value::from_raw(shape.blank) });
            }
        });
    }
}

/// Gives the first pairs of a Hash these values, in place: no key is hashed, or looked at.
fn set_first(hash: VALUE, values: &[VALUE]) {
    let mut values = values.iter();
    // SAFETY: called inside `build`, with the GVL; `hash` is a Hash that nobody else has, and the callbacks call
    // nothing of Ruby, so that its table stays as it is. `values` outlives the call. `rb_hash_tbl` tells the garbage
    // collector that it will not hear of changes, and so it looks at all values of this Hash itself.
    unsafe {
        let table = rb_sys::rb_hash_tbl(hash, c"env".as_ptr(), 0);
        rb_sys::rb_st_foreach_with_replace(table, Some(wants), Some(set), (&raw mut values) as st_data_t);
    }
}

type Values<'a> = slice::Iter<'a, VALUE>;

/// Whether there is a value for this pair.
///
/// # Safety
/// `values` points to `Values` that nobody else uses meanwhile.
unsafe extern "C" fn wants(_: st_data_t, _: st_data_t, values: st_data_t, _: c_int) -> c_int {
    // SAFETY: see above.
    let values = unsafe { &*(values as *const Values<'_>) };
    (if values.len() == 0 { st_retval::ST_STOP } else { st_retval::ST_REPLACE }) as c_int
}

/// Sets it.
///
/// # Safety
/// As [`wants`]; `value` points to the pair's.
unsafe extern "C" fn set(_: *mut st_data_t, value: *mut st_data_t, values: st_data_t, _: c_int) -> c_int {
    // SAFETY: see above.
    let (values, value) = unsafe { (&mut *(values as *mut Values<'_>), &mut *value) };
    if let Some(&new) = values.next() {
        *value = new;
    }
    st_retval::ST_CONTINUE as c_int
}
