//! The response of the service: what its head decides, its body while it is read, and its body while it passes.

pub(in crate::session) mod calls;
pub(in crate::session) mod event_stream;
pub(in crate::session) mod follow;
pub(in crate::session) mod inner_error;
pub(in crate::session) mod passing;
pub(in crate::session) mod reading;
pub(in crate::session) mod responding;
pub(in crate::session) mod rpc_response;
pub(in crate::session) mod step;
