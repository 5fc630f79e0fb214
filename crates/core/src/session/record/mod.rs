//! The record of a request, its notes, and the configuration that sets its observer.

pub(in crate::session) mod body_capture;
mod closing;
pub(in crate::session) mod config;
pub(in crate::session) mod delivery;
pub(in crate::session) mod notes;
pub(in crate::session) mod proxy_error;
pub(in crate::session) mod request_record;
