//! The members of a foreign body that no rule reads (rule R14).

use serde_json::value::RawValue;

use super::form::KnownFields;
use super::json::Object;
use super::parsed_error::{Body, ParsedError};
use super::problem;

/// What they say is said by the head.
const OF_THE_STATUS: [&str; 4] = ["status", "statusCode", "status_code", "success"];

/// Where lists stand that E8 has.
const LISTS: [&str; 2] = ["errors", "issues"];

/// A body's members, and which of them its shape reads.
pub(crate) struct Members<'a> {
    body: Object<'a>,
    error: Option<Object<'a>>,
    reads: &'static KnownFields,
}

impl<'a> Members<'a> {
    pub(super) fn unread(body: Body<'a, '_>, reads: &'static KnownFields) -> Self {
        Self { body: body.object, error: body.error, reads }
    }

    pub(super) fn problem_type(&self) -> Option<&'a RawValue> {
        self.body.string("type").filter(|uri| problem::is_type(uri))?;
        self.body.raw("type")
    }

    /// Whether anything is left that nothing reads: of most errors nothing is.
    pub(crate) fn are_left(&self, said: Option<&ParsedError<'_>>) -> bool {
        let mut left = false;
        self.each_left(said, &mut |_, _| left = true);
        left
    }

    /// Each that nothing reads, the error's first: they say more.
    pub(crate) fn each_left<'s>(
        &'s self,
        said: Option<&ParsedError<'_>>,
        take: &mut impl FnMut(&'s str, &'a RawValue),
    ) {
        let Some(of_body) = self.reads.of_body else { return };
        let of_error = self.reads.of_error;
        // Where nothing of it is read, an object under `error` is a member like any other.
        if let Some(error) = self.error.as_ref().filter(|_| !of_error.is_empty()) {
            each(error, of_error, said, take);
        }
        each(&self.body, of_body, said, take);
    }
}

fn each<'s, 'a>(
    object: &'s Object<'a>,
    read: &[&str],
    said: Option<&ParsedError<'_>>,
    take: &mut impl FnMut(&'s str, &'a RawValue),
) {
    for (name, value) in object.members() {
        if !read.contains(&name) && !OF_THE_STATUS.contains(&name) && !is_listed(name, said) {
            take(name, value);
        }
    }
}

/// Whether the issues were read from it.
fn is_listed(name: &str, said: Option<&ParsedError<'_>>) -> bool {
    let Some(said) = said.filter(|said| said.issues.is_some()) else { return false };
    match said.list() {
        Some(list) => list == name || list.is_empty(),
        None => LISTS.contains(&name),
    }
}
