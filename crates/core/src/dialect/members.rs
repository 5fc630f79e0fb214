//! The fields of a foreign body that no rule reads (rule R14).

use serde_json::value::RawValue;

use super::form::KnownFields;
use super::framework_errors::is_within;
use super::json::Object;
use super::parsed_error::{Body, ParsedError};
use super::problem;

/// Fields that repeat what the head states.
const STATUS_FIELDS: [&str; 4] = ["status", "statusCode", "status_code", "success"];

/// The fields of a body, and the names of those that its shape reads.
pub(crate) struct Members<'a> {
    body: Object<'a>,
    error: Option<Object<'a>>,
    reads: &'static KnownFields,
    /// The parts of the body from which the general rule for bodies without a known shape (R2) took something.
    sources: [Option<&'a str>; 3],
}

impl<'a> Members<'a> {
    pub(super) fn of_known_shape(body: Body<'a, '_>, reads: &'static KnownFields) -> Self {
        Self { body: body.object, error: body.error, reads, sources: [None; 3] }
    }

    /// The fields of a body in no known shape. Its error may be another object inside it.
    pub(super) fn of_unknown_shape(
        body: Body<'a, '_>,
        error: Option<&'a str>,
        sources: [Option<&'a str>; 3],
        reads: &'static KnownFields,
    ) -> Self {
        Self { body: body.object, error: error.and_then(Object::parse), reads, sources }
    }

    pub(super) fn problem_type(&self) -> Option<&'a RawValue> {
        self.body.string("type").filter(|uri| problem::is_type(uri))?;
        self.body.raw("type")
    }

    /// Whether the body has any field that nothing reads; most errors have none.
    pub(crate) fn has_unread(&self, parsed: Option<&ParsedError<'_>>) -> bool {
        let mut left = false;
        self.visit_unread(parsed, &mut |_, _| left = true);
        left
    }

    /// Visits each field that nothing reads. The fields of the error come first, because they tell more.
    pub(crate) fn visit_unread<'s>(
        &'s self,
        parsed: Option<&ParsedError<'_>>,
        take: &mut impl FnMut(&'s str, &'a RawValue),
    ) {
        let Some(of_body) = self.reads.of_body else { return };
        let of_error = self.reads.of_error;
        // If the shape reads nothing under `error`, an object there is a field like any other.
        let is_undescribed = self.sources.iter().any(Option::is_some);
        if let Some(error) = self.error.as_ref().filter(|_| is_undescribed || !of_error.is_empty()) {
            self.each(error, of_error, parsed, take);
        }
        self.each(&self.body, of_body, parsed, take);
    }

    fn each<'s>(
        &'s self,
        object: &'s Object<'a>,
        read: &[&str],
        parsed: Option<&ParsedError<'_>>,
        take: &mut impl FnMut(&'s str, &'a RawValue),
    ) {
        let source = parsed.and_then(|parsed| parsed.issues_source);
        let sources = || self.sources.iter().chain([&source]).flatten();
        for (name, value) in object.members() {
            let is_read = || sources().any(|source| is_within(source, value.get()) || is_within(value.get(), source));
            if !read.contains(&name) && !STATUS_FIELDS.contains(&name) && !is_read() {
                take(name, value);
            }
        }
    }
}
