//! The error that the client gets, or would get: its status, its head and its body.

pub(in crate::session) mod body;
pub(in crate::session) mod changes;
pub(in crate::session) mod fill;
pub(in crate::session) mod head;
pub(in crate::session) mod observe;
pub(in crate::session) mod outcome;
pub(in crate::session) mod refusals;
pub(in crate::session) mod reply;
pub(in crate::session) mod response_id;
pub(in crate::session) mod writer;
