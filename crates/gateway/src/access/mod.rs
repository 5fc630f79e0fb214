//! The access log (rule L2): one line for each request, without its query and without a credential (rule L3).
//!
//! 1. A request has a [`record`], from its head to the last byte of its response, or of its upgraded connection. The
//!    last holder of the record writes the [`line`] of the [`fields`] that were chosen.
//! 2. A [`writer`] on a separate thread reads the lines from a bounded queue. If the sink is slow, full or broken,
//!    lines are dropped and counted, but no request is delayed.
//!
//! Without an access log there is no record.

mod entry;
mod fields;
mod line;
mod log;
mod record;
mod writer;

pub(crate) use self::entry::Outcome;
pub use self::fields::AccessField;
pub use self::log::{AccessFormat, AccessLog};
pub(crate) use self::record::{AccessRecord, ClientRecords};
pub use self::writer::AccessSink;
