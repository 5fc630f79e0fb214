//! The contract as an OpenAPI document: the envelope, and the possible errors of each route.
//!
//! 1. [`codes`] lists the codes, [`schema`] defines the envelope, in [`form`]s that every validator treats alike.
//! 2. [`document`] writes a separate document: the envelope and a response for each status.
//! 3. [`RouteErrors`] is for an existing document: it lists the errors that the layer itself can return for an
//!    operation, by the policy's guards, and adds them to the declared ones.
//!
//! An [`Exchange`](crate::exchange::Exchange) decides the status, name, shape and dialect of an error, so that the
//! document is true for clients.

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
