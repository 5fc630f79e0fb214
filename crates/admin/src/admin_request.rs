//! The request that a handler gets.

use crate::admin::{Admin, Shared};
use crate::change::Change;

/// An accepted request, as its handler sees it.
pub(crate) struct AdminRequest<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) query: Option<&'a str>,
    /// The change that a POST requests; empty for any other method.
    pub(crate) change: Change,
}

impl<'a> AdminRequest<'a> {
    pub(crate) fn shared(&self) -> &'a Shared {
        &self.admin.shared
    }
}
