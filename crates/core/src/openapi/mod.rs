//! The contract as an OpenAPI document: the envelope, and the possible errors of each route.
//!
//! 1. [`codes`] lists the codes, and [`schema`] defines the envelope. The schema uses only [`form`]s that all
//!    validators read alike.
//! 2. [`document`] writes a separate document with the envelope, and with a response for each status.
//! 3. [`RouteErrors`] completes an existing document. `RouteErrors` lists the errors that the layer itself may return
//!    for an operation because of the policy's guards. It adds these errors to the declared errors.
//!
//! A [`Session`](crate::session::Session) decides the status, the name, the shape and the dialect of an error, so
//! that the document shows what clients really get.

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
pub use error_envelope_fault::openapi::response::any_error;
pub use error_envelope_fault::openapi::{form, tree};

pub use self::codes::{Codes, Listed};
pub use self::declared::DeclaredError;
pub use self::operation::{Document, Operation, OperationInput, VALIDATED};
pub use self::route::RouteErrors;
pub use self::security::Security;
pub use self::shared::shared;
