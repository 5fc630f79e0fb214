//! Stores the last errors, and counts the requests of each route and minute.
//!
//! An [observer](store::Store) counts each request when its record is closed, in bounded memory. If the policy shows
//! bodies, a separate thread removes anything that looks like a credential from them, and then stores them.
//!
//! The counts begin when the process starts, and are lost when it ends.

pub(crate) mod error_record;
pub(crate) mod place;
pub(crate) mod recent_errors;
pub(crate) mod redact;
pub(crate) mod requests;
pub(crate) mod store;
pub(crate) mod timeline;
