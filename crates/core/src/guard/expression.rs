//! The regular expressions of a policy: one kind must match a whole header value (rules G1, G2), the other is searched
//! in a message (R1).
//!
//! Without the feature `pattern` there are no expressions: no setter creates one, and a setting that needs one is
//! refused. If the pattern were ignored instead, the guard would let every request in.

#[cfg(not(feature = "pattern"))]
mod absent;
#[cfg(feature = "pattern")]
mod compiled;

#[cfg(not(feature = "pattern"))]
pub(crate) use absent::{InText, WholeValue};
#[cfg(feature = "pattern")]
pub(crate) use compiled::{InText, WholeValue};

/// The characters that may occur in a kind of value, and the name of that kind.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "pattern"), allow(dead_code, reason = "no value is compared with a pattern"))]
pub(crate) struct Values {
    pub(super) name: &'static str,
    pub(super) has: fn(u8) -> bool,
    pub(super) may_be_empty: bool,
}

/// RFC 9110 §5.5, as the crate http implements it.
pub(super) const HEADER_VALUES: Values =
    Values { name: "header value", has: |byte| byte == b'\t' || byte >= b' ' && byte != 0x7f, may_be_empty: true };
