//! The errors page: each route's errors, the responses of clients in the next mode, and the last errors.
//!
//! 1. An [observer](Store) counts each error at once, in bounded memory. Bodies, if the policy shows them, go to a
//!    thread that takes out what looks like a credential before they are stored.
//! 2. The [pages](crate::page) are made from the stored errors at each request.
//!
//! The counts begin with the process, and end with it.

pub(crate) mod clock;
pub(crate) mod draft;
pub(crate) mod error_record;
pub(crate) mod listeners;
pub(crate) mod minutes;
pub(crate) mod path_forms;
pub(crate) mod place;
pub(crate) mod query;
pub(crate) mod readiness;
pub(crate) mod recent_errors;
pub(crate) mod redact;
#[cfg_attr(not(feature = "prometheus"), allow(dead_code, reason = "without a recorder nothing counts requests"))]
pub(crate) mod requests;
pub(crate) mod ring;
pub(crate) mod search;
pub(crate) mod store;
pub(crate) mod tally;
pub(crate) mod timeline;
pub(crate) mod week;

pub(crate) use self::listeners::LIVE;
pub(crate) use self::store::Store;
