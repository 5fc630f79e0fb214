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
    /// The value of the row's `{name}` in a path; empty if it has none. `None` for another path.
    pub(crate) fn name_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.split_once('{') {
            None => (self.path == path).then_some(""),
            Some((before, _)) => path.strip_prefix(before).filter(|name| !name.is_empty() && !name.contains('/')),
        }
    }
}
