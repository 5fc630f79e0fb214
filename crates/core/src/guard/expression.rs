//! The regular expressions of a policy. A [`WholeValue`] must match a whole header value (rules G1, G2). An [`InText`]
//! is searched for in a message (R1).
//!
//! Without the feature `pattern`, no setter creates an expression, and a setting that needs one is refused. If a
//! setting that needs an expression were ignored instead, its guard would let every request in.

#[cfg(not(feature = "pattern"))]
mod absent;
#[cfg(feature = "pattern")]
mod compiled;

#[cfg(not(feature = "pattern"))]
pub(crate) use absent::{InText, WholeValue};
#[cfg(feature = "pattern")]
pub(crate) use compiled::{InText, WholeValue};

/// The characters that a kind of value may contain, and the name of that kind.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "pattern"), allow(dead_code, reason = "only patterns use these fields"))]
pub(crate) struct Values {
    pub(super) name: &'static str,
    pub(super) has: fn(u8) -> bool,
    pub(super) may_be_empty: bool,
}

/// The values of headers (RFC 9110 §5.5), as the crate `http` accepts them.
pub(super) const HEADER_VALUES: Values =
    Values { name: "header value", has: |byte| byte == b'\t' || byte >= b' ' && byte != 0x7f, may_be_empty: true };
