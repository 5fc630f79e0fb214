//! Shapes that a policy describes. JSON pointers of the policy, instead of code, define how their bodies are read and
//! written (R15).

mod condition;
mod description;
mod issues;
mod pointer;
mod schema;
mod template;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use serde_json::value::RawValue;

pub use self::condition::Expected;
pub use self::condition::{Condition, Conditions};
pub use self::description::{CodeNames, Description, StatusNames};
pub use self::issues::IssuePlaces;
pub use self::issues::PathNotation;
pub use self::pointer::Pointer;
pub use self::template::{Placeholder, Template};
use self::values::BodyValues;
use crate::code;
use crate::dialect::form::{Described, DialectSpec, KnownFields};
use crate::dialect::issues::written;
use crate::dialect::json::{self, Object, push_string, quoted, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody, is_name, timestamp};
use crate::dialect::parsed_error::{Body, DialectCode, ParsedError};

/// A shape that a policy describes under a name.
///
/// Two values are equal if their descriptions are equal. A description lives as long as the process, and a reloaded
/// policy reuses it.
#[derive(Clone, Copy)]
pub struct CustomShape {
    form: &'static DialectSpec,
    description: &'static Description,
}

impl CustomShape {
    /// Returns the shape with this description.
    pub fn new(description: Description) -> Self {
        static KNOWN: Mutex<Vec<CustomShape>> = Mutex::new(Vec::new());

        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|it| *it.description == description) {
            return *same;
        }
        let description = &*Box::leak(Box::new(description));
        let shape = Self { form: Box::leak(Box::new(DialectSpec::of_description(description))), description };
        known.push(shape);
        shape
    }

    /// Returns the name in the policy file and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.form.name
    }

    /// Returns the reason why a body is not in the shape. Returns `None` if the body is in the shape, or is not a JSON
    /// object.
    pub fn misfit(self, body: &[u8]) -> Option<String> {
        let body = Object::of_body(body)?;
        self.description.conditions.misfit(&BodyValues::new(&body)).map(|misfit| misfit.to_string())
    }

    /// Returns the request id in a body of the shape.
    pub fn request_id<'a>(self, body: &Object<'a>) -> Option<Cow<'a, str>> {
        let body = &BodyValues::new(body);
        let place = self.description.request_id.as_ref();
        place.filter(|_| self.description.conditions.misfit(body).is_none())?.first(body).and_then(json::string)
    }

    /// Returns the JSON Schema 2020-12 of the bodies in this shape, or `None` if the shape has no template.
    #[must_use]
    pub fn body_schema(self) -> Option<serde_json::Value> {
        self.description.schema()
    }

    /// Returns true if one of the shape's names means this code.
    pub fn names_code(self, code: &crate::code::ErrorCode) -> bool {
        self.description.codes.iter().any(|(_, known)| **known == *code.as_str())
    }

    pub(in crate::dialect) const fn spec(self) -> &'static DialectSpec {
        self.form
    }

    pub const fn description(self) -> &'static Description {
        self.description
    }

    /// Returns true if the shape has a template, so that errors can be written in it.
    pub const fn is_written(self) -> bool {
        self.description.template.is_some()
    }
}

impl PartialEq for CustomShape {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.description, other.description)
    }
}

impl Eq for CustomShape {}

impl Hash for CustomShape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for CustomShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomShape({:?})", self.as_str())
    }
}

impl DialectSpec {
    fn of_description(it: &'static Description) -> Self {
        let has = |placeholder| it.template.as_ref().is_some_and(|template| template.has(placeholder));
        Self {
            media_type: &it.media_type,
            id_header: it.id_header.as_deref(),
            can_list_issues: has(Placeholder::Issues) || has(Placeholder::Details),
            has_time: has(Placeholder::Timestamp),
            has_wait: has(Placeholder::RetryAfter),
            reads: Box::leak(Box::new(it.fields())),
            described: Some(it),
            ..Self::new(&it.name, |_| None, |_| Vec::new(), |_, _| Vec::new())
        }
    }
}

impl Description {
    /// Returns the fields that the shape reads or ignores.
    pub(in crate::dialect) fn fields(&'static self) -> KnownFields {
        let issues = self.issues.as_ref().map(|issues| &issues.list);
        let places = [&self.code, &self.message, &self.details].into_iter().flatten();
        let places = places.chain(&self.request_id).chain(issues).chain(&self.ignores);
        let conditions = self.conditions.when.iter().chain(&self.conditions.any);
        let places: Vec<&Pointer> = places.chain(conditions.map(|condition| &condition.at)).collect();
        let names: Vec<&str> = places.iter().filter_map(|place| place.field()).collect();
        let of_error = places.iter().copied().filter(|place| place.field() == Some("error"));
        let of_error: Vec<&str> =
            of_error.filter_map(|place| place.steps().get(1).and_then(pointer::Step::name)).collect();
        KnownFields { of_body: Some(names.leak()), of_error: of_error.leak() }
    }
}

impl Described for Description {
    fn read<'a>(&self, body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
        let body = &BodyValues::of_body(body);
        if self.conditions.misfit(body).is_some() {
            return None;
        }
        let code = first_value(&self.code, body, |code| match json::is_number(code) {
            true => Some(Cow::Borrowed(code.get())),
            false => text_of(code),
        });
        let details = |details: &'a RawValue| Some(Cow::Borrowed(details.get())).filter(|details| details != "null");
        Some(ParsedError {
            meaning: code.as_deref().map_or(DialectCode::Unknown, |name| self.meaning(name)),
            details: first_value(&self.details, body, details),
            issues: self.issues.as_ref().and_then(|issues| issues.read(body)).map(Cow::Owned),
            ..ParsedError::new(code, first_value(&self.message, body, text_of))
        })
    }

    fn meaning(&self, name: &str) -> DialectCode {
        match self.codes.iter().find(|(known, _)| **known == *name) {
            Some((_, code)) => DialectCode::Named(code.clone()),
            None if self.by_status.iter().any(|(_, known)| **known == *name) => DialectCode::ByStatus,
            None if self.template.is_some() && code::is_well_formed(name.as_bytes()) => DialectCode::Canonical,
            None => DialectCode::Unknown,
        }
    }

    /// Returns the shape's name for a code. The result is the first name for the code, or else the name for the status,
    /// or else the code itself.
    fn name_of<'a>(&'a self, code: &'a str, status: StatusCode) -> Cow<'a, str> {
        let named = self.codes.iter().find(|(_, known)| **known == *code).map(|(name, _)| &**name);
        let of_status = || self.by_status.iter().find(|(statuses, _)| statuses.contains(&status.as_u16()));
        Cow::Borrowed(named.or_else(|| of_status().map(|(_, name)| &**name)).unwrap_or(code))
    }

    fn write(&self, out: &Outgoing<'_>) -> Vec<u8> {
        let push = |placeholder, json: &mut Vec<u8>| self.push(out, placeholder, json);
        self.template.as_ref().map(|template| template.write(&push, out.size())).unwrap_or_default()
    }

    /// Rewrites a body that already is in the shape. If its texts must not pass, the body keeps only its code, and the
    /// names, numbers and booleans at the places that the policy lists.
    fn rewrite_in_place(&self, kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
        let body = &BodyValues::new(&kept.body);
        if !kept.whole {
            let name = first_value(&self.code, body, |code| if is_name(code) { json::string(code) } else { None });
            let written = self.write(&Outgoing { code: name.as_deref().unwrap_or(out.code), ..*out });
            let stays = |value: &&RawValue| is_name(value) || matches!(value.get(), "true" | "false");
            let kept = self.stays.iter().filter_map(|place| Some((place, place.first(body).filter(stays)?.get())));
            return with_values(written, kept.map(|(place, value)| (place, value.into())), true);
        }
        let message = self.message.iter().find(|place| place.first(body).is_some_and(|it| text_of(it).is_some()));
        let set = [(message.or(self.message.first()), out.message), (self.request_id.as_ref(), out.request_id)];
        let placed = set.into_iter().filter_map(|(place, value)| Some((place?, quoted(value))));
        with_values(with_fields(&kept.body, &[], &|_, _| true), placed, false)
    }
}

fn with_values<'p>(body: Vec<u8>, values: impl Iterator<Item = (&'p Pointer, Vec<u8>)>, adds: bool) -> Vec<u8> {
    let body = String::from_utf8(body).unwrap_or_default();
    let set = |body: String, (place, value): (&Pointer, Vec<u8>)| {
        pointer::with_value(&body, place.steps(), &value, adds).into_owned()
    };
    values.fold(body, set).into_bytes()
}

/// Returns the first value at these places that `read` accepts.
fn first_value<'a, T>(
    places: &[Pointer],
    body: &BodyValues<'_, 'a>,
    read: impl Fn(&'a RawValue) -> Option<T>,
) -> Option<T> {
    places.iter().find_map(|place| read(place.first(body)?))
}

/// Returns a string that is not blank.
fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    json::string(value).filter(|text| !text.trim().is_empty())
}

impl Description {
    /// Writes the value of a placeholder as JSON. Returns `false` if the error has no such value.
    fn push(&self, out: &Outgoing<'_>, placeholder: Placeholder, json: &mut Vec<u8>) -> bool {
        let value = match placeholder {
            Placeholder::Code => return push_text(json, out.canonical.as_str()),
            Placeholder::Name => return push_text(json, out.code),
            Placeholder::Message => return push_text(json, out.message),
            Placeholder::RequestId => return push_text(json, out.request_id),
            Placeholder::Timestamp => return push_text(json, &timestamp(out.now)),
            Placeholder::Status => Some(out.status.as_str().as_bytes().to_vec()),
            Placeholder::RetryAfter => out.retry_after.map(|wait| wait.as_secs().to_string().into_bytes()),
            Placeholder::Details => out.details.and_then(|details| self.details_beside_issues(details)),
            Placeholder::Issues => out.details.and_then(|details| self.issues.as_ref()?.write(details)),
            Placeholder::Retry => out.advice.retry.map(quoted),
            Placeholder::Docs => out.advice.docs.map(|docs| quoted(&docs.text())),
        };
        json.extend_from_slice(value.as_deref().unwrap_or_default());
        value.is_some()
    }

    /// Returns the details. If the template has a separate place for the issues, the details do not contain the issues.
    fn details_beside_issues(&self, details: &str) -> Option<Vec<u8>> {
        let lists_issues = || self.template.as_ref().is_some_and(|it| it.has(Placeholder::Issues));
        match Object::parse(details).filter(|object| object.has("issues") && lists_issues()) {
            Some(_) => written::details_without_issues(details).map(String::into_bytes),
            None => Some(details.as_bytes().to_vec()),
        }
    }
}

fn push_text(json: &mut Vec<u8>, text: &str) -> bool {
    push_string(json, text);
    true
}
