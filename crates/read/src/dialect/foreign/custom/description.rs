//! The description of a shape in a policy. The description states where the values are in a body, and how to write a
//! body.

use std::ops::RangeInclusive;

use super::condition::Conditions;
use super::issues::IssuePlaces;
use super::pointer::Pointer;
use super::template::Template;

/// The places at which a value may be. The first place with a value is used.
pub(crate) type Places = Box<[Pointer]>;

/// Pairs of a name in the shape and the code that the name means.
pub type CodeNames = Box<[(Box<str>, Box<str>)]>;

/// Ranges of statuses, each with the shape's name for such a status.
pub type StatusNames = Box<[(RangeInclusive<u16>, Box<str>)]>;

/// The description of a shape, with the places of the values in its bodies.
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
    /// The names of the shape, with the codes that they mean.
    pub codes: CodeNames,
    /// The names for statuses. Narrow ranges come before wide ranges.
    pub by_status: StatusNames,
    /// The places of values that stay in an error whose texts may not pass.
    pub stays: Places,
    /// The places of fields that have no meaning for clients.
    pub ignores: Places,
    pub media_type: Box<str>,
    pub id_header: Option<Box<str>>,
    pub template: Option<Template>,
}
