//! How a policy describes one of its shapes: where the values are in a body, and how to write a body.

use std::ops::RangeInclusive;

use super::condition::Conditions;
use super::issues::IssuePlaces;
use super::pointer::Pointer;
use super::template::Template;

/// Where a value may be: the first of these places that has a value counts.
pub(crate) type Places = Box<[Pointer]>;

/// Pairs of a name in the shape and the code that it stands for.
pub type CodeNames = Box<[(Box<str>, Box<str>)]>;

/// Statuses with the name that only repeats them.
pub type StatusNames = Box<[(RangeInclusive<u16>, Box<str>)]>;

/// The places of the values in a body of the shape.
#[derive(Debug, PartialEq)]
pub struct Description {
    pub name: Box<str>,
    pub conditions: Conditions,
    pub code: Places,
    pub message: Places,
    pub details: Places,
    pub issues: Option<IssuePlaces>,
    /// Where a received body in the shape has the request id.
    pub request_id: Option<Pointer>,
    /// The names that the shape has for codes.
    pub codes: CodeNames,
    /// Narrow ranges of statuses come first.
    pub by_status: StatusNames,
    /// Where names stay on an error whose texts may not pass.
    pub stays: Places,
    /// Fields that mean nothing.
    pub ignores: Places,
    pub media_type: Box<str>,
    pub id_header: Option<Box<str>>,
    pub template: Option<Template>,
}
