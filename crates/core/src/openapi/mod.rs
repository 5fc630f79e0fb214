//! The contract as an OpenAPI document: the envelope, and what each route can answer.
//!
//! 1. [`codes`] lists the codes, [`schema`] defines the envelope, in [`form`]s that every validator reads alike.
//! 2. [`document`] is a document of its own: the envelope and a response for each status.
//! 3. [`RouteErrors`] is for an existing document: it lists the errors with which the layer itself can answer an operation,
//!    by the guards that the policy has for it, and adds them to those that are declared.
//!
//! An [`Exchange`](crate::exchange::Exchange) decides how an error leaves (its status, name, shape and dialect), so that a
//! document states what a client gets.

pub mod codes;
mod declared;
pub mod document;
mod existing;
mod operation;
mod route;
pub mod schema;
mod security;
mod shared;

use error_envelope_fault::openapi::response;
pub use error_envelope_fault::openapi::{form, tree};

pub use self::codes::{Codes, Listed};
pub use self::declared::DeclaredError;
pub use self::operation::{Document, Operation, OperationInput};
pub use self::route::RouteErrors;
pub use self::security::Security;
pub use self::shared::shared;
