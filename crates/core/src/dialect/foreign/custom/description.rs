//! The description of a shape in a policy: where the values are in a body, and how to write a body.

use std::ops::RangeInclusive;

use super::condition::Conditions;
use super::issues::IssuePlaces;
use super::pointer::Pointer;
use super::template::Template;

/// The places where a value may be. The first place that has a value is used.
pub(crate) type Places = Box<[Pointer]>;

/// Pairs of a name in the shape and the code that it stands for.
pub(crate) type CodeNames = Box<[(Box<str>, Box<str>)]>;

/// Statuses with the name that only repeats them.
pub(crate) type StatusNames = Box<[(RangeInclusive<u16>, Box<str>)]>;

/// The places of the values in a body of the shape.
#[derive(Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: Box<str>,
    pub(crate) conditions: Conditions,
    pub(crate) code: Places,
    pub(crate) message: Places,
    pub(crate) details: Places,
    pub(crate) issues: Option<IssuePlaces>,
    /// The place of the request id in a received body of the shape.
    pub(crate) request_id: Option<Pointer>,
    /// The names that the shape has for codes.
    pub(crate) codes: CodeNames,
    /// Narrow ranges of statuses come first.
    pub(crate) by_status: StatusNames,
    /// The places of names that stay on an error whose texts may not pass.
    pub(crate) stays: Places,
    /// The places of fields that mean nothing.
    pub(crate) ignores: Places,
    pub(crate) media_type: Box<str>,
    pub(crate) id_header: Option<Box<str>>,
    pub(crate) template: Option<Template>,
}
