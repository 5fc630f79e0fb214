//! What a reader of a body knows in addition to the body.

use http::HeaderMap;

use super::foreign::custom::CustomShape;
use super::table::Dialect;
use crate::code::CodeSet;
use crate::target::Target;

/// The parts of the policy, the request and the response that are needed to read a body.
#[derive(Clone, Copy)]
pub struct Readable<'k> {
    pub codes: &'k CodeSet,
    /// The policy's own shapes, in the order in which they are tried (R15).
    pub shapes: &'k [CustomShape],
    /// The dialect that the client gets.
    pub dialect: Dialect,
    /// The target of the request.
    pub target: &'k Target,
    /// The head of the response.
    pub headers: &'k HeaderMap,
}
