//! The request that a handler gets.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::admin::{Admin, Shared};

/// An accepted request, as its handler sees it. Bodies are never read.
pub(crate) struct AdminRequest<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) headers: &'a HeaderMap,
    /// The value of a `{name}` at the end of the table's path, as sent.
    pub(crate) name: &'a str,
    pub(crate) query: Option<&'a str>,
}

impl<'a> AdminRequest<'a> {
    pub(crate) fn shared(&self) -> &'a Shared {
        &self.admin.shared
    }

    /// Whether a browser requests a page: its user reads no JSON.
    pub(crate) fn by_page(&self) -> bool {
        let accepts = self.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        accepts.flat_map(|list| list.split(',')).any(|one| one.trim_start().starts_with("text/html"))
    }
}
