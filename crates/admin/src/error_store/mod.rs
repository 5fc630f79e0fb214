//! The stored records: the last errors, and the counts of each route and minute.
//!
//! An [observer](store::Store) counts each request when its record is closed, in bounded memory. Bodies, if the policy
//! shows them, go to a thread that removes anything that looks like a credential before they are stored.
//!
//! The counts start and end with the process.

pub(crate) mod error_record;
pub(crate) mod place;
pub(crate) mod recent_errors;
pub(crate) mod redact;
pub(crate) mod requests;
pub(crate) mod store;
pub(crate) mod timeline;
