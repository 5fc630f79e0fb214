//! The request that a handler gets.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{ACCEPT, HOST};

use crate::admin::{Admin, Shared};
use crate::change::Change;

/// An accepted request, as its handler sees it.
pub(crate) struct AdminRequest<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) headers: &'a HeaderMap,
    /// The part of the path in place of the endpoint's `{name}`, as the client sent it.
    pub(crate) name: &'a str,
    pub(crate) query: Option<&'a str>,
    /// The change that a POST requests; empty for any other method.
    pub(crate) change: Change,
}

impl<'a> AdminRequest<'a> {
    pub(crate) fn shared(&self) -> &'a Shared {
        &self.admin.shared
    }

    /// The name of this process; without one, the host that the request names.
    pub(crate) fn gateway(&self) -> Cow<'_, str> {
        let host = || self.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        self.admin.name.as_deref().map(Cow::Borrowed).or_else(host).unwrap_or_default()
    }

    /// Whether a browser requests a page: then the response is a page, not JSON.
    pub(crate) fn wants_page(&self) -> bool {
        let accepts = self.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        accepts.flat_map(|list| list.split(',')).any(|one| one.trim_start().starts_with("text/html"))
    }
}
