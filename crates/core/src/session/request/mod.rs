//! The head of a request: its id (I1–I4), the guards (G0–G4), and the state that a session keeps of it.
//!
//! `scan` notes the facts of the headers in [`sent`], [`identity`] chooses the id, and [`guarded`] decides what the body limit
//! counts (P1) and runs the guards. [`facts`] stores the facts that later decisions need.

pub(in crate::session) mod accept;
pub(in crate::session) mod auth;
pub(in crate::session) mod body_context;
pub(in crate::session) mod facts;
pub(in crate::session) mod guarded;
pub(in crate::session) mod header_use;
pub(in crate::session) mod identity;
mod scan;
pub(in crate::session) mod sent;
pub(in crate::session) mod state;
pub(in crate::session) mod view;
