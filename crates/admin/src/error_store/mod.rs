//! The stored errors: the last ones, and the counts of each route and minute.
//!
//! An [observer](Store) counts each error at once, in bounded memory. Bodies, if the policy shows them, go to a thread
//! that removes anything that looks like a credential before they are stored.
//!
//! The counts begin with the process, and end with it.

pub(crate) mod error_record;
pub(crate) mod recent_errors;
pub(crate) mod redact;
#[cfg_attr(not(feature = "prometheus"), allow(dead_code, reason = "without a recorder nothing counts requests"))]
pub(crate) mod requests;
pub(crate) mod store;
pub(crate) mod timeline;
