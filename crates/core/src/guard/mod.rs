//! The guards, which refuse requests by their head or by the size of their body (rules G1–G4).

pub mod auth;
pub(crate) mod body_limit;
pub(crate) mod call_path;
pub mod content_type;
pub(crate) mod expression;
pub mod header;
pub(crate) mod method;
pub(crate) mod pattern;
pub(crate) mod reading;
