//! The part of [`dialect`](crate::dialect) that is used without the feature `foreign`. This part reads the code, the
//! message and the details only in the body itself, or in its field `error` (R2). Most services write them there.

use http::StatusCode;
use serde_json::value::RawValue;

use self::custom::CustomShape;
use super::parsed_body::{Foreign, Members, PROTOCOL_PARSERS, ParsedBody};
use super::readable::Readable;
use crate::dialect::codes::is_code;
use crate::dialect::form::KnownFields;
use crate::dialect::json::Object;
use crate::dialect::parsed_error::{Body, ParsedError};
use crate::dialect::table::Shape;
use crate::dialect::tree::Tree;
use crate::dialect::{Dialect, rest};
use crate::framework_text::{self, FrameworkText};
use crate::target::Target;

/// Names of fields with a text. The most specific name comes first.
const TEXTS: [&str; 6] = ["message", "detail", "description", "msg", "error", "title"];

pub(super) fn read<'a>(body: Body<'a, '_>, readable: &Readable<'_>, status: StatusCode) -> ParsedBody<'a> {
    let problem = (Shape::Problem, Dialect::Problem.spec().read, Dialect::Problem.spec().reads);
    let known = std::iter::once(problem).chain(PROTOCOL_PARSERS);
    let known = known.into_iter().find_map(|(shape, read, reads)| Some((shape, read(&body)?, reads)));
    let (shape, mut parsed, members) = match known {
        Some((shape, parsed, reads)) => (shape, parsed, Members::of_known_shape(body, reads, None)),
        None => by_names(body, readable.target, status),
    };
    if status.is_client_error() {
        read_sentences(&mut parsed, status);
    }
    match parsed.message.is_some() || parsed.code.is_some() {
        true => ParsedBody::Foreign(Foreign { shape, parsed, members: Some(members) }),
        false => ParsedBody::Unread(members),
    }
}

fn by_names<'a>(body: Body<'a, '_>, target: &Target, status: StatusCode) -> (Shape, ParsedError<'a>, Members<'a>) {
    let (shape, object) = match &body.error {
        Some(error) => (Shape::ErrorObject, error),
        None => (Shape::Message, &body.object),
    };
    let text = TEXTS.into_iter().find_map(|name| Some((name, object.words(name)?)));
    let name = text.as_ref().map_or("", |(name, _)| *name);
    let own = |name: &'static str| object.name(name).map(|code| (name, code));
    let code = own("code").or_else(|| own("error").filter(|(_, code)| name != "error" && is_code(code, status)));
    let place = code.as_ref().map(|(place, _)| *place);
    let mut parsed = ParsedError::new(code.map(|(_, code)| code), text.map(|(_, text)| text));
    parsed.details = object.json("details");
    let part = |name: &str| object.raw(name).map(RawValue::get);
    parsed.message_source = part(name);
    let is_searched = status.is_client_error() && rest::says_nothing(parsed.message.as_deref(), name);
    let tree = is_searched.then(|| Tree::parse(body.object.text()));
    if let Some(root) = tree.as_ref().and_then(Tree::root) {
        rest::prefer_sentence(&mut parsed, root, name, (target.as_str(), status));
    }
    let sources = [parsed.message_source, place.and_then(part), parsed.details.as_ref().and_then(|_| part("details"))];
    let error = body.error.as_ref().map(Object::text);
    (shape, parsed, Members::of_unknown_shape(body, error, sources, &KnownFields::NOTHING, tree))
}

/// Reads the issues that the message states, and removes from the message the values that the client sent (R13).
fn read_sentences(parsed: &mut ParsedError<'_>, status: StatusCode) {
    if let Some((text, more)) = parsed.message.as_deref().and_then(rest::text_of_list) {
        (parsed.message, parsed.more_issues) = (Some(text.into()), more);
    }
    let Some(text) = parsed.message.as_deref() else { return };
    let FrameworkText { issues, client_message } = framework_text::read(text, status, true);
    if parsed.issues.is_none() {
        issues.into_iter().for_each(|list| parsed.set_issues(list));
    }
    parsed.client_message = client_message;
}

/// Returns `None`, because no policy has a shape without the feature `foreign`.
pub(super) fn read_custom_array<'a>(_: &[&'a RawValue], _: &[CustomShape]) -> Option<Foreign<'a>> {
    None
}

/// Returns `None`, because lists of issues are only read by their structure, which needs the feature `foreign`.
pub(super) fn read_list<'a>(_: &'a str, _: bool, _: StatusCode) -> Option<Foreign<'a>> {
    None
}

/// Returns an empty error, because without the feature `foreign`, a text that contains JSON is not parsed.
pub(super) fn read_inner(_: &str, _: StatusCode) -> ParsedError<'static> {
    ParsedError::default()
}

/// Stands in for the shapes of a policy (R15). Without the feature `foreign`, there are no such shapes.
pub mod custom {
    use crate::dialect::form::DialectSpec;

    /// A policy's own shape. Without the feature `foreign`, no policy has such a shape.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CustomShape {}

    impl CustomShape {
        /// Returns the name in the policy file and the log.
        #[must_use]
        pub const fn as_str(self) -> &'static str {
            match self {}
        }

        pub const fn misfit(self, _: &[u8]) -> Option<String> {
            match self {}
        }
        pub const fn request_id<'a>(self, _: &crate::dialect::json::Object<'a>) -> Option<std::borrow::Cow<'a, str>> {
            match self {}
        }
        pub const fn body_schema(self) -> Option<serde_json::Value> {
            match self {}
        }
        pub const fn names_code(self, _: &crate::code::ErrorCode) -> bool {
            match self {}
        }

        pub(in crate::dialect) const fn spec(self) -> &'static DialectSpec {
            match self {}
        }

        pub const fn is_written(self) -> bool {
            match self {}
        }
    }
}
