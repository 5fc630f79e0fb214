//! The access log (rule L2): an event of the target `access` for each request, without its query and without a
//! credential (rule L3). The program's subscriber writes it.
//!
//! A request has a [`record`], from its head to the last byte of its response, or of its upgraded connection. The last
//! holder of the record logs the [`event`] of its [`entry`]. Without an access log there is no record.

mod entry;
mod event;
mod record;

pub(crate) use self::entry::{Entry, Outcome};
pub(crate) use self::record::{AccessRecord, ClientRecords};
