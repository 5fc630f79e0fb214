//! A row of the table of endpoints.

use http::Method;

use crate::admin_request::AdminRequest;
use crate::answer::Answer;

/// One path with one method. `GET` serves `HEAD`, too: the server leaves the body out.
pub(crate) struct Endpoint {
    /// `/a/b`, or `/a/{name}` for one segment in its place.
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) answer: fn(&AdminRequest<'_>) -> Answer,
}

pub(crate) const fn get(path: &'static str, answer: fn(&AdminRequest<'_>) -> Answer) -> Endpoint {
    Endpoint { path, method: Method::GET, answer }
}

pub(crate) const fn post(path: &'static str, answer: fn(&AdminRequest<'_>) -> Answer) -> Endpoint {
    Endpoint { path, method: Method::POST, answer }
}

impl Endpoint {
    /// The part of a path in place of `{name}`; empty if this endpoint has no `{name}`. `None` if the path is not of
    /// this endpoint.
    pub(crate) fn name_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.split_once('{') {
            None => (self.path == path).then_some(""),
            Some((before, _)) => path.strip_prefix(before).filter(|name| !name.is_empty() && !name.contains('/')),
        }
    }
}
