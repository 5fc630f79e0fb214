//! The parts of a service's error that may be kept.

use super::message_template::Template;

/// An inner error.
#[derive(Clone, Debug)]
pub(super) struct ObservedErrors {
    pub(super) status: u16,
    /// The pattern of its route, if there is one.
    pub(super) route: Option<String>,
    /// The code that the layer gives it.
    pub(super) becomes: String,
    /// The service's own code, if it is not known.
    pub(super) code: Option<String>,
    /// The part of its text that is safe to write.
    pub(super) text: Option<Template>,
    /// It has content that was read, beside its status.
    pub(super) says: bool,
    /// Its status alone decided.
    pub(super) by_status: bool,
}
