//! The forms that a fault's body can have.

use bytes::Bytes;

use super::Fault;
use crate::request_id::RequestId;

/// A form that [`Fault::to_body`] writes: a `policy::Dialect` of `tower-error-envelope`.
pub trait BodyForm {
    /// The body of an error with this id.
    fn body_of(&self, fault: &Fault, id: RequestId) -> Bytes;
}
