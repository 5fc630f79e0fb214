//! The contract as an OpenAPI document says it: the envelope, and what each route can answer.
//!
//! 1. [`codes`] lists the codes, [`schema`] says what an envelope is, in [`form`]s that every validator reads alike.
//! 2. [`document`] is a document of its own: the envelope and a response for each status.
//! 3. [`RouteErrors`] is for a document that somebody else writes: of an operation it says which errors the layer itself can
//!    answer with, by the guards that the policy has for it, and adds them to those that are declared.
//!
//! How an error leaves (its status, its name, its shape, in whatever dialect) is asked of an [`Exchange`](crate::exchange::Exchange),
//! so that a document says what a client gets.

pub mod codes;
mod declared;
pub mod document;
mod existing;
pub mod form;
mod operation;
mod response;
mod route;
pub mod schema;
mod shared;
pub mod tree;

pub use self::codes::{Codes, Listed};
pub use self::declared::DeclaredError;
pub use self::operation::{Document, Operation, OperationInput};
pub use self::route::RouteErrors;
pub use self::shared::shared;
