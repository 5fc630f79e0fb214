//! What a service said, as far as it may be kept.

use super::message_template::Template;

/// An inner error.
#[derive(Clone, Debug)]
pub(super) struct ObservedErrors {
    pub(super) status: u16,
    /// The pattern of its route, where that has one.
    pub(super) route: Option<String>,
    /// What the layer makes of it.
    pub(super) becomes: String,
    /// The service's own code, which nobody knows.
    pub(super) code: Option<String>,
    /// What is safe to tell of its text.
    pub(super) text: Option<Template>,
    /// It says something that was read, beside its status.
    pub(super) says: bool,
    /// Its status alone decided.
    pub(super) by_status: bool,
}
