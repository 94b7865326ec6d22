//! The `date` header (RFC 9110, section 6.6.1), formatted once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;

thread_local! {
    static CACHE: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
}

/// The present time as an IMF-fixdate.
pub(crate) fn now() -> HeaderValue {
    let time = SystemTime::now();
    let second = time.duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    CACHE.with_borrow_mut(|(cached, value)| {
        if *cached != second {
            *cached = second;
            *value = HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("an IMF-fixdate is ASCII");
        }
        value.clone()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_an_imf_fixdate() {
        let value = super::now();
        let text = value.to_str().unwrap();
        assert!(httpdate::parse_http_date(text).is_ok(), "{text}");
        assert!(text.ends_with(" GMT"));
    }
}
