//! The table of shapes: those that can be written, a row each, and those that are only parsed.
//!
//! A row makes the variants of [`Dialect`] and [`Shape`] with their docs, and leads to the constant in the dialect's
//! file that has all else.

use std::borrow::Cow;
use std::ops::Deref;

use http::StatusCode;
use serde_json::value::RawValue;

use super::custom::CustomShape;
use super::foreign_text::{self, ForeignText, Found};
use super::form::{DialectSpec, KnownFields};
use super::framework_errors;
use super::issues::{self, tells_of_input};
use super::json::Object;
use super::members::Members;
use super::parsed_error::{Body, ParsedError, ReadFn};
use super::protocol::{self, Protocol};
use super::standard::Envelope;
use super::tree::{Node, Tree};
use super::trpc;

macro_rules! shapes {
    (
        $($(#[$doc:meta])* $dialect:ident: $form:path,)+
        -- parse only --
        $($(#[$shape_doc:meta])* $shape:ident: $word:literal,)+
    ) => {
        /// The shape that errors are written in on a route (rules R2, R12): `dialect` in the policy file.
        ///
        /// [`Dialect::Standard`] is the default: the canonical envelope.
        ///
        /// ```
        /// use tower_error_envelope::policy::Dialect;
        ///
        /// assert_eq!(Dialect::default(), Dialect::Standard);
        /// assert_eq!(Dialect::OpenAi.as_str(), "openai");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Dialect {
            $($(#[$doc])* $dialect,)+
            /// A shape that the policy describes (R15).
            Custom(CustomShape),
        }

        /// The shape in which an inner error was read, as the log names it (rules R2, L1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Shape {
            $($(#[$doc])* $dialect,)+
            $($(#[$shape_doc])* $shape,)+
            /// A shape that the policy describes (R15).
            Custom(CustomShape),
        }

        impl Dialect {
            /// Every dialect that needs no policy, in the order of reading.
            pub const ALL: &'static [Self] = &[$(Self::$dialect,)+];

            /// The shape that a body in this dialect is parsed as.
            pub(crate) const fn shape(self) -> Shape {
                match self {
                    $(Self::$dialect => Shape::$dialect,)+
                    Self::Custom(shape) => Shape::Custom(shape),
                }
            }

            /// How the dialect is written and parsed.
            pub(crate) const fn spec(self) -> &'static DialectSpec {
                match self {
                    $(Self::$dialect => &$form,)+
                    Self::Custom(shape) => shape.spec(),
                }
            }
        }

        impl Shape {
            /// Every shape that needs no policy.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$dialect,)+ $(Self::$shape,)+];

            /// The name in the log, and in the policy file where it can be written there.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$dialect => $form.name,)+
                    $(Self::$shape => $word,)+
                    Self::Custom(shape) => shape.as_str(),
                }
            }

            /// The dialect's spec; `None` for a shape that is only parsed, never written.
            const fn dialect_spec(self) -> Option<&'static DialectSpec> {
                match self {
                    $(Self::$dialect => Some(&$form),)+
                    $(Self::$shape => None,)+
                    Self::Custom(shape) => Some(shape.spec()),
                }
            }
        }
    };
}

// In the order of reading: of two that fit a body, the first has the more specific signs.
shapes! {
    /// The canonical envelope.
    Standard: super::standard::FORM,
    /// `{"success":false,"error":"…"}`: the details are further members.
    SuccessFlag: super::success_flag::FORM,
    /// Anthropic's `{"type":"error","error":{"type","message"},"request_id"}`.
    Anthropic: super::anthropic::FORM,
    /// Google's `{"error":{"code":404,"message","status":"NOT_FOUND","details":[…]}}` (AIP-193).
    Google: super::google::FORM,
    /// `{"error":{code,message,details},"meta":{request_id,ts}}`.
    ErrorWithMeta: super::error_with_meta::FORM,
    /// `{"error":{"code":"UPPER","message","status"}}`, and `{"message","errors":{field:[…]}}` for a 422 with field
    /// issues.
    StatusInError: super::status_in_error::FORM,
    /// OpenAI's `{"error":{"message","type","param","code"}}`.
    OpenAi: super::openai::FORM,
    /// RFC 9457, `application/problem+json`; ASP.NET's validation problems are read as it.
    Problem: super::problem::FORM,
    -- parse only --
    /// `{"error":{"code","message","details"}}` without an id.
    ErrorObject: "error_object",
    /// FastAPI's `{"detail":…}`.
    FastApi: "fastapi",
    /// Spring's `{timestamp,status,error,path}`.
    Spring: "spring",
    /// `{"error":"…"}` of Go and Express.
    ErrorText: "error_text",
    /// `{"message":"…"}`.
    Message: "message",
    /// A validator's list, or texts by field, that no other shape has.
    Issues: "issues",
    /// `text/plain`.
    PlainText: "plain_text",
    /// A gRPC status, over gRPC-Web too.
    Grpc: "grpc",
    /// Connect's `{"code","message","details"}`, or its end of a stream.
    Connect: "connect",
}

/// The head states what Spring writes beside the text.
static SPRING: KnownFields = KnownFields::body(&["timestamp", "path", "error"]);

/// Parsers of the protocols that keep their own shape unless `protocols = "rewrite"`. The protocol's signs identify
/// them (R10), not a description's.
const OF_PROTOCOLS: [(Shape, ReadFn, &KnownFields); 2] = [
    (Shape::ErrorObject, trpc::read, &KnownFields::body(&["error", "id"])),
    (Shape::ErrorText, protocol::read_oauth, &KnownFields::body(&["error", "error_description"])),
];

impl Default for Dialect {
    fn default() -> Self {
        Self::ALL[0]
    }
}

/// The name of a route's dialect: a [`Dialect`], or a shape of the policy's own by its name (rule R15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectName(Cow<'static, str>);

impl Default for DialectName {
    fn default() -> Self {
        Dialect::default().into()
    }
}

impl From<Dialect> for DialectName {
    fn from(dialect: Dialect) -> Self {
        Self(Cow::Borrowed(dialect.as_str()))
    }
}

impl From<&str> for DialectName {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for DialectName {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl Deref for DialectName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Dialect {
    /// The dialect of a place: the built-in ones come first, then a policy's own.
    pub(crate) fn from_place(place: usize, own: &[CustomShape]) -> Self {
        let custom = || own.get(place.checked_sub(Self::ALL.len())?).copied().map(Self::Custom);
        Self::ALL.get(place).copied().or_else(custom).unwrap_or_default()
    }

    /// Whether errors can be written in it: a policy's own needs a template.
    pub(crate) const fn is_written(self) -> bool {
        match self {
            Self::Custom(shape) => shape.is_written(),
            _ => true,
        }
    }

    /// The place of a dialect, if it exists.
    pub(crate) fn place(self, own: &[CustomShape]) -> Option<usize> {
        (0..Self::ALL.len() + own.len()).find(|place| Self::from_place(*place, own) == self)
    }

    /// The word that stands for it in the policy file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.spec().name
    }
}

/// The contents of a JSON object, and its shape.
pub(crate) struct Foreign<'a> {
    pub(crate) shape: Shape,
    pub(crate) parsed: ParsedError<'a>,
    /// `None` for a body that is no object.
    pub(crate) members: Option<Members<'a>>,
}

/// A whole error body, parsed.
#[allow(
    clippy::large_enum_variant,
    reason = "it stays where it is read, and a box would cost each error an allocation"
)]
pub(crate) enum ParsedBody<'a> {
    Envelope(Envelope<'a>),
    Protocol(Protocol),
    Foreign(Foreign<'a>),
    /// An object of no known shape.
    Unread(Members<'a>),
    /// Nothing that can be read: empty, HTML, binary.
    Nothing,
}

/// The first shape that fits, a policy's own first; the fields alone where nothing was read.
pub(super) fn read<'a>(body: Body<'a, '_>, shapes: &[CustomShape], status: StatusCode) -> ParsedBody<'a> {
    for shape in shapes {
        if let Some(parsed) = shape.spec().read(&body) {
            return foreign(Shape::Custom(*shape), parsed, shape.spec().reads, body, status);
        }
    }
    let written = Dialect::ALL.iter().map(|dialect| (dialect.shape(), dialect.spec().read, dialect.spec().reads));
    for (shape, read, reads) in written.chain(OF_PROTOCOLS) {
        if let Some(parsed) = read(&body) {
            return foreign(shape, parsed, reads, body, status);
        }
    }
    undescribed(body, status)
}

/// An array in a shape of the policy's own: its places begin with an index (R15).
pub(super) fn read_custom_array<'a>(elements: &[&'a RawValue], shapes: &[CustomShape]) -> Option<Foreign<'a>> {
    if shapes.is_empty() {
        return None;
    }
    let body = Body::new(None, Object::of_elements(elements));
    let (shape, parsed) = shapes.iter().find_map(|shape| Some((*shape, shape.spec().read(&body)?)))?;
    Some(Foreign { shape: Shape::Custom(shape), parsed, members: None })
}

/// Parses a body of a known shape, and the fields beside it.
fn foreign<'a>(
    shape: Shape,
    mut parsed: ParsedError<'a>,
    reads: &'static KnownFields,
    body: Body<'a, '_>,
    status: StatusCode,
) -> ParsedBody<'a> {
    let of_input = tells_of_input(status);
    if let Shape::Custom(custom) = shape {
        if of_input && custom.description().issues.is_none() {
            let tree = Tree::parse(body.object.text());
            tree.root()
                .into_iter()
                .for_each(|root| framework_errors::add_beside(&mut parsed, root, reads.of_body.unwrap_or_default()));
        }
    } else if of_input {
        add_issues(&mut parsed, &body, status);
    } else {
        // A parameter is wrong only where the request is.
        parsed.issues = parsed.issues.filter(|_| shape != Shape::OpenAi);
        lists_beside(&mut parsed, &body);
    }
    ParsedBody::Foreign(Foreign { shape, parsed, members: Some(Members::unread(body, reads)) })
}

fn add_issues<'a>(parsed: &mut ParsedError<'a>, body: &Body<'a, '_>, status: StatusCode) {
    let tree = Tree::parse(body.object.text());
    let Some(root) = tree.root() else { return };
    let read = foreign_text::read(root, status);
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    framework_errors::add_to(parsed, root, &read);
    if parsed.issues.is_none() {
        lists_beside(parsed, body);
    }
}

/// A body that is in no dialect (R2).
fn undescribed<'a>(body: Body<'a, '_>, status: StatusCode) -> ParsedBody<'a> {
    let tree = Tree::parse(body.object.text());
    let Some(root) = tree.root() else { return ParsedBody::Nothing };
    let read = foreign_text::read(root, status);
    // A server's own names of errors are few: any other code of a 5xx may be anything.
    let code = read.code.as_ref().filter(|code| !status.is_server_error() || code.field.name() == "code");
    let value = |found: &Found<'_, 'a>| found.value.clone();
    let mut parsed = ParsedError::new(code.map(value), read.text.as_ref().map(value));
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    let details = details(root, &read);
    parsed.details = details.map(|details| Cow::Borrowed(details.raw()));
    if tells_of_input(status) {
        framework_errors::add_to(&mut parsed, root, &read);
        if parsed.message.is_none() && parsed.issues.is_none() {
            parsed.message = foreign_text::only_sentence(root).map(|text| text.value);
            framework_errors::clean_message(&mut parsed);
        }
    }
    if parsed.issues.is_none() {
        lists_beside(&mut parsed, &body);
    }
    let shape = shape_of(root, &parsed);
    let sources = [parsed.message_source, read.code.map(|code| code.field.raw()), details.map(|it| it.raw())];
    let holder = Some(read.holder.raw()).filter(|_| !read.wrappers.is_empty());
    let reads = if shape == Some(Shape::Spring) { &SPRING } else { &KnownFields::NOTHING };
    let members = Members::of_undescribed(body, holder, sources, reads);
    match shape {
        Some(shape) => ParsedBody::Foreign(Foreign { shape, parsed, members: Some(members) }),
        None => ParsedBody::Unread(members),
    }
}

/// The details of a body in no dialect: by their name, or JSON-RPC's data, or the value that FastAPI has instead of a text.
fn details<'t, 'a>(body: Node<'t, 'a>, read: &ForeignText<'t, 'a>) -> Option<Node<'t, 'a>> {
    let named = read.holder.field("details").or_else(|| read.holder.field("data").filter(|_| body.has("jsonrpc")));
    let detail = || body.field("detail").filter(|it| it.is_object() || it.is_array());
    named.or_else(detail).filter(|details| !details.is_null())
}

/// The shape's name in the log; `None` for a body that states nothing.
fn shape_of(body: Node<'_, '_>, parsed: &ParsedError<'_>) -> Option<Shape> {
    if parsed.message.is_none() && parsed.code.is_none() && parsed.details.is_none() {
        return parsed.issues.is_some().then_some(Shape::Issues);
    }
    let has = |name| body.has(name);
    Some(match body.field("error") {
        Some(error) if error.is_object() => Shape::ErrorObject,
        _ if has("detail") => Shape::FastApi,
        Some(_) if has("timestamp") && has("status") && has("path") => Shape::Spring,
        Some(error) if error.is_text() => Shape::ErrorText,
        _ if body.field("errors").is_some_and(|it| it.is_object()) && parsed.issues.is_some() => Shape::StatusInError,
        _ => Shape::Message,
    })
}

/// Lists of field errors beside the text, in the forms of E8.
fn lists_beside<'a>(parsed: &mut ParsedError<'a>, body: &Body<'a, '_>) {
    if parsed.issues.is_some() {
        return;
    }
    let objects = [body.error.as_ref(), Some(&body.object)];
    if let Some((list, source)) = objects.into_iter().flatten().find_map(issues::parse_beside) {
        parsed.set_issues(list);
        parsed.issues_source = Some(source);
    }
}

impl<'a> Foreign<'a> {
    /// A text that no framework's sentences are read in.
    pub(crate) fn plain_text(text: &'a str) -> Self {
        let parsed = ParsedError::new(None, Some(Cow::Borrowed(text)));
        Self { shape: Shape::PlainText, parsed, members: None }
    }

    /// The type by which clients identify a problem (RFC 9457 §3.1.1), if it adds to its status, and is short (E9).
    pub(crate) fn problem_type(&self) -> Option<&'a RawValue> {
        self.members.as_ref().filter(|_| self.shape == Shape::Problem).and_then(Members::problem_type)
    }

    /// Whether the shape defines that name itself: the name adds nothing to the code for its clients (E9).
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.shape.dialect_spec().is_some_and(|spec| spec.defines(name))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn r2_the_words_are_those_of_the_policy_file() {
        let mut words: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        words.sort_unstable();
        let known = [
            "anthropic",
            "error_with_meta",
            "google",
            "openai",
            "problem",
            "standard",
            "status_in_error",
            "success_flag",
        ];
        assert_eq!(words, known);
        assert_eq!(Dialect::default(), Dialect::Standard);
    }

    #[test]
    fn r12_a_header_of_a_dialects_own_has_a_headers_name() {
        for name in Dialect::ALL.iter().filter_map(|dialect| dialect.spec().id_header) {
            assert_eq!(HeaderName::from_static(name), name);
        }
    }
}
