//! Without the feature `foreign`: reads the code, the message and the details where most services have them, in the body or in
//! its field `error` (R2).

use http::StatusCode;
use serde_json::value::RawValue;

use self::custom::CustomShape;
use super::parsed_body::{Foreign, Members, PROTOCOL_PARSERS, ParsedBody};
use crate::dialect::form::KnownFields;
use crate::dialect::parsed_error::{Body, ParsedError};
use crate::dialect::table::Shape;
use crate::dialect::{Dialect, error_object};
use crate::framework_text::{self, FrameworkText};

/// Names of fields with a text, the most specific first.
const TEXTS: [&str; 6] = ["message", "detail", "description", "msg", "error", "title"];

static READS: KnownFields = KnownFields {
    of_body: Some(&["code", "message", "detail", "description", "msg", "error", "title"]),
    of_error: &["code", "message", "details"],
};

pub(super) fn read<'a>(body: Body<'a, '_>, _: &[CustomShape], status: StatusCode) -> ParsedBody<'a> {
    let problem = (Shape::Problem, Dialect::Problem.spec().read, Dialect::Problem.spec().reads);
    let known = std::iter::once(problem).chain(PROTOCOL_PARSERS);
    let known = known.into_iter().find_map(|(shape, read, reads)| Some((shape, read(&body)?, reads)));
    let (shape, mut parsed, reads) = known.unwrap_or_else(|| {
        let (shape, parsed) = by_names(&body);
        (shape, parsed, &READS)
    });
    if status.is_client_error() {
        read_sentences(&mut parsed, status);
    }
    let members = Members::of_known_shape(body, reads);
    match parsed.message.is_some() || parsed.code.is_some() {
        true => ParsedBody::Foreign(Foreign { shape, parsed, members: Some(members) }),
        false => ParsedBody::Unread(members),
    }
}

fn by_names<'a>(body: &Body<'a, '_>) -> (Shape, ParsedError<'a>) {
    if let Some(error) = &body.error {
        return (Shape::ErrorObject, error_object::parse(error));
    }
    let text = TEXTS.into_iter().find_map(|name| body.object.words(name));
    let parsed = ParsedError::new(body.object.name("code"), text);
    (Shape::Message, ParsedError { details: body.object.json("details"), ..parsed })
}

/// Reads the issues that the message states, and removes from it what the client sent (R13).
fn read_sentences(parsed: &mut ParsedError<'_>, status: StatusCode) {
    let Some(text) = parsed.message.as_deref() else { return };
    let FrameworkText { issues, client_message } = framework_text::read(text, status, true);
    if parsed.issues.is_none() {
        issues.into_iter().for_each(|list| parsed.set_issues(list));
    }
    parsed.client_message = client_message;
}

/// No policy has a shape without the feature `foreign`.
pub(super) fn read_custom_array<'a>(_: &[&'a RawValue], _: &[CustomShape]) -> Option<Foreign<'a>> {
    None
}

/// Lists of issues are read by their structure alone.
pub(super) fn read_list<'a>(_: &'a str, _: bool, _: StatusCode) -> Option<Foreign<'a>> {
    None
}

/// The shapes of a policy (R15): there are none.
pub(crate) mod custom {
    use crate::dialect::form::DialectSpec;

    /// A policy's own shape. Without the feature `foreign` there is none.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CustomShape {}

    impl CustomShape {
        /// The name in the policy file and the log.
        #[must_use]
        pub const fn as_str(self) -> &'static str {
            match self {}
        }

        pub(crate) const fn misfit(self, _: &[u8]) -> Option<String> {
            match self {}
        }

        #[cfg(feature = "client")]
        pub(crate) const fn request_id<'a>(
            self,
            _: &crate::dialect::json::Object<'a>,
        ) -> Option<std::borrow::Cow<'a, str>> {
            match self {}
        }

        #[cfg(feature = "openapi")]
        pub(crate) const fn body_schema(self) -> Option<String> {
            match self {}
        }

        #[cfg(feature = "openapi")]
        pub(crate) const fn names_code(self, _: &crate::code::ErrorCode) -> bool {
            match self {}
        }

        pub(in crate::dialect) const fn spec(self) -> &'static DialectSpec {
            match self {}
        }

        pub(crate) const fn is_written(self) -> bool {
            match self {}
        }
    }
}
