//! REMOTE_ADDR. The requests of a connection come in a row, so that the last address is kept.

use std::io::Write;
use std::net::IpAddr;

use hyperion_core::Address;
use magnus::Ruby;
use rb_sys::VALUE;

use crate::cache::GvlCell;
use crate::keys::Keys;

struct Last {
    address: Option<IpAddr>,
    /// A frozen String, which the garbage collector finds here.
    text: VALUE,
}

static LAST: GvlCell<Last> = GvlCell::new(Last { address: None, text: 0 });

/// Shows the garbage collector where the String is; called once, by `require`.
pub(crate) fn init(ruby: &Ruby) {
    let slot = LAST.with(ruby, |last| &raw mut last.text);
    // SAFETY: the slot is in a static, and holds a String or Qfalse, which is 0.
    unsafe { rb_sys::rb_gc_register_address(slot) };
}

/// The address of the peer; called inside `build`, which catches what Ruby raises.
pub(super) fn address(ruby: &Ruby, keys: &Keys, remote: &Address) -> VALUE {
    let address = match remote {
        Address::Tcp(address) => address.ip().to_canonical(),
        // A unix socket's peer is on this machine; Rack wants an address.
        Address::Unix(_) => return keys.loopback,
    };
    let known = LAST.with(ruby, |last| (last.address == Some(address)).then_some(last.text));
    known.unwrap_or_else(|| {
        let text = frozen(&address);
        LAST.with(ruby, |last| *last = Last { address: Some(address), text });
        text
    })
}

fn frozen(address: &IpAddr) -> VALUE {
    let mut text = [0; 46];
    let mut rest = &mut text[..];
    // The longest address fits.
    let _ = write!(rest, "{address}");
    let left = rest.len();
    let string = super::string(&text[..text.len() - left]);
    // SAFETY: the GVL is held, and `string` is a String of ours.
    unsafe { rb_sys::rb_str_freeze(string) }
}
