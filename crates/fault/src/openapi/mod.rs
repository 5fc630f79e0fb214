//! The schema of the envelope, and a response with it, for OpenAPI documents (feature `openapi`).

#[cfg(feature = "derive")]
pub mod details;
pub mod form;
pub mod response;
pub mod schema;
pub mod tree;
