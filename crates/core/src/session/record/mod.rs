//! What happened to a request: the record, its notes, and the configuration that chooses its observer.

pub(in crate::session) mod body_capture;
pub(in crate::session) mod config;
pub(in crate::session) mod delivery;
pub(in crate::session) mod notes;
pub(in crate::session) mod proxy_error;
pub(in crate::session) mod request_record;
