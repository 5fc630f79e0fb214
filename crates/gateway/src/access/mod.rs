//! The access log (rule L2) and traces (rule I4): an event of the target `access` and a span for each request, without
//! its query and without a credential (rule L3). The program's subscriber writes the events, and its [`Tracer`] the
//! spans.
//!
//! A request has a [`record`], from its head to the last byte of its response, or of its upgraded connection. The last
//! holder of the record logs the [`event`] of its [`entry`], and ends its [span](trace). Without an access log and a
//! tracer there is no record.

mod entry;
mod event;
mod record;
mod trace;

pub use self::entry::AccessEntry;
pub(crate) use self::entry::Outcome;
pub(crate) use self::record::{AccessRecord, Record, Recording};
pub use self::trace::{RequestSpan, Tracer};
