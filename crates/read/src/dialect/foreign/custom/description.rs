//! The description of a shape in a policy: where the values are in a body, and how to write a body.

use std::ops::RangeInclusive;

use super::condition::Conditions;
use super::issues::IssuePlaces;
use super::pointer::Pointer;
use super::template::Template;

/// The places where a value may be. The first place that has a value is used.
pub(crate) type Places = Box<[Pointer]>;

/// Pairs of a name in the shape and the code that it stands for.
pub type CodeNames = Box<[(Box<str>, Box<str>)]>;

/// Ranges of statuses, each with the name that only repeats such a status.
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
    /// The place of the request id in a received body of the shape.
    pub request_id: Option<Pointer>,
    /// The names that the shape has for codes.
    pub codes: CodeNames,
    /// Narrow ranges of statuses come first.
    pub by_status: StatusNames,
    /// The places of names that stay on an error whose texts may not pass.
    pub stays: Places,
    /// The places of fields that mean nothing.
    pub ignores: Places,
    pub media_type: Box<str>,
    pub id_header: Option<Box<str>>,
    pub template: Option<Template>,
}
