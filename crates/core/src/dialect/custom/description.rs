//! The description of a shape of a policy's own: the places of the values in its bodies, and the body to write.

use super::condition::Condition;
use super::issues::IssuePlaces;
use super::pointer::Pointer;
use super::template::Template;

/// Where a value is: at the first of these places that has one.
pub(crate) type Places = Box<[Pointer]>;

/// Names, and the codes that they stand for.
pub(crate) type CodeNames = Box<[(Box<str>, Box<str>)]>;

/// The places of the values in a body of the shape.
#[derive(Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) name: Box<str>,
    pub(crate) when: Box<[Condition]>,
    pub(crate) code: Places,
    pub(crate) message: Places,
    pub(crate) details: Places,
    pub(crate) issues: Option<IssuePlaces>,
    /// The place of the id in a body that already is in the shape.
    pub(crate) request_id: Option<Pointer>,
    /// Names of the shape, and the codes that they stand for.
    pub(crate) codes: CodeNames,
    pub(crate) media_type: Box<str>,
    pub(crate) id_header: Option<Box<str>>,
    pub(crate) template: Option<Template>,
}
