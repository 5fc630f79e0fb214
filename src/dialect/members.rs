//! The members of a foreign body that no rule reads (rule R14).

use serde_json::value::RawValue;

use super::form::Reads;
use super::json::Object;
use super::said::{Body, Said};

/// What they say is said by the head.
const OF_THE_STATUS: [&str; 4] = ["status", "statusCode", "status_code", "success"];

/// Where lists stand that E8 has.
const LISTS: [&str; 2] = ["errors", "issues"];

/// A body's members, and which of them its shape reads.
pub(crate) struct Members<'a> {
    body: Option<Object<'a>>,
    error: Option<Object<'a>>,
    reads: Reads,
}

impl<'a> Members<'a> {
    /// Of a body that is no object.
    pub(super) const NONE: Self = Self { body: None, error: None, reads: Reads::ALL };

    pub(super) fn unread(body: Body<'a, '_>, reads: Reads) -> Self {
        Self { body: Some(body.object), error: body.error, reads }
    }

    /// Those that nothing reads, the error's first: they say more.
    pub(crate) fn left<'s>(
        &'s self,
        said: Option<&Said<'_>>,
    ) -> impl Iterator<Item = (&'s str, &'a RawValue)> + use<'s, 'a> {
        let list = said.and_then(|said| said.list);
        let whole = list == Some("");
        let lists = said.is_some_and(|said| said.issues.is_some() && list.is_none());
        let left = move |name: &str, read: &[&str]| {
            !read.contains(&name) && list != Some(name) && !(lists && LISTS.contains(&name))
        };
        let (of_body, of_error) = (self.reads.of_body, self.reads.of_error);
        // Where nothing of it is read, an object under `error` is a member like any other.
        let error = self.error.iter().filter(move |_| !of_error.is_empty() && !whole).flat_map(Object::members);
        let body = self.body.iter().filter(move |_| of_body.is_some() && !whole).flat_map(Object::members);
        error
            .filter(move |(name, _)| left(name, of_error))
            .chain(body.filter(move |(name, _)| left(name, of_body.unwrap_or_default())))
            .filter(|(name, _)| !OF_THE_STATUS.contains(name))
    }
}
