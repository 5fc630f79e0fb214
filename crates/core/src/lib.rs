//! The decisions of [`tower-error-envelope`](https://docs.rs/tower-error-envelope) without I/O, for authors of
//! adapters.
//!
//! Services use the Tower layer of that crate, which re-exports the parts of this crate that its users need. An adapter
//! for another proxy or framework calls the methods of a [`Session`](session::Session) itself:
//!
//! 1. A [`fault::Fault`] contains a [`code::ErrorCode`], and a [`dialect::Dialect`] writes it as an envelope.
//! 2. The [`guard`]s refuse requests by their head or by the size of their body.
//! 3. [`classify`] chooses the code of an inner error. [`outward`] chooses the code's name, message and status for
//!    clients.
//! 4. The [`policy::Policy`] contains the settings of each route.
//! 5. One [`session::Session`] follows one request through all of these steps.
//!
//! This crate contains no streams of bytes, futures, clocks, random sources or logs. Inputs are arguments, and decisions are
//! values. Only one module reads files, and only if it is enabled: `loader` (feature `policy-file`).

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "foreign"),
    allow(dead_code, unused_imports, unused_mut, reason = "only the readers of foreign shapes use them")
)]
#![allow(rustdoc::private_intra_doc_links, reason = "contributors also follow the links of a room's page")]

#[doc(hidden)]
pub mod absent;
#[cfg(feature = "foreign")]
mod body_shape;
pub mod classify;
#[cfg(feature = "client")]
pub mod client;
pub mod dialect;
pub mod guard;
#[cfg(feature = "policy-file")]
pub mod loader;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod outward;
pub mod page;
pub mod policy;
pub mod session;
mod table;

#[doc(inline)]
pub use error_envelope_fault::{cause, code, fault, request_id};
use error_envelope_fault::{details, rpc};
#[doc(hidden)]
pub use error_envelope_read::grpc_messages;
#[cfg(feature = "redact")]
#[doc(inline)]
pub use error_envelope_read::redact;
use error_envelope_read::{fields, syntax, target};
#[doc(inline)]
pub use error_envelope_text::message;
use error_envelope_text::{issues, json};

/// Sorts a list, and keeps the order of equal elements. All types share one compiled sort, because the standard sort
/// costs the compiler 2,500 lines for each further type.
pub(crate) fn sort_by<T>(list: &mut Vec<T>, is_behind: &dyn Fn(&T, &T) -> bool) {
    let order = order_of(list.len(), &|one, other| is_behind(&list[one], &list[other]));
    let mut values: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(order.into_iter().filter_map(|at| values[at].take()));
}

/// Returns the indices of `count` values in sorted order.
fn order_of(count: usize, is_behind: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|one, other| is_behind(*one, *other).cmp(&is_behind(*other, *one)));
    order
}
