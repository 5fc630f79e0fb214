//! The shapes in which services say what went wrong (rule R2).
//!
//! [`read`] tells what a body says, whichever shape it has: the canonical envelope first, then the protocols that keep
//! their own shape (R10), then the foreign shapes, then plain text. It decides nothing: which code follows, and what of
//! it a client may read, is `classify`'s.

pub(crate) mod coding;
pub(crate) mod foreign;
pub(crate) mod issues;
pub(crate) mod json;
pub(crate) mod protocol;
pub(crate) mod standard;

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::code::CodeSet;
use json::Object;
use protocol::Protocol;
use standard::Envelope;

/// The shape in which an inner error was read, as the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// The canonical envelope.
    Standard,
    /// `{"success":false,"error":"…"}`.
    SuccessFlag,
    /// `{"error":{"code":"UPPER","message","status"}}`, and `{"message","errors":{field:[…]}}` for validation.
    StatusInError,
    /// `{"error":{code,message,details},"meta":{…}}`.
    ErrorWithMeta,
    /// RFC 9457, ASP.NET's validation problems included.
    Problem,
    /// `{"error":{"code","message","details"}}` without an id.
    ErrorObject,
    /// Google's `{"error":{code,message,status,details}}`.
    Google,
    /// FastAPI's `{"detail":…}`.
    FastApi,
    /// Spring's `{timestamp,status,error,path}`.
    Spring,
    /// `{"error":"…"}` of Go and Express.
    ErrorText,
    /// `{"message":"…"}`.
    Message,
    /// `text/plain`.
    PlainText,
}

impl Dialect {
    /// The name in the log, and in the policy file where it can be written there.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::SuccessFlag => "success_flag",
            Self::StatusInError => "status_in_error",
            Self::ErrorWithMeta => "error_with_meta",
            Self::Problem => "problem",
            Self::ErrorObject => "error_object",
            Self::Google => "google",
            Self::FastApi => "fastapi",
            Self::Spring => "spring",
            Self::ErrorText => "error_text",
            Self::Message => "message",
            Self::PlainText => "plain_text",
        }
    }
}

/// What a whole error body is.
pub(crate) enum Reading<'a> {
    Envelope(Envelope<'a>),
    Protocol(Protocol),
    Said(Said<'a>),
    /// Nothing that can be read: empty, HTML, binary, JSON of no known shape.
    Nothing,
}

/// What a body of a foreign shape says.
pub(crate) struct Said<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
    /// JSON text, with the bytes that it came with.
    pub(crate) details: Option<Cow<'a, str>>,
    /// The issues of a validation error as a JSON array (E8), where they are not in the details already.
    pub(crate) issues: Option<Cow<'a, str>>,
}

impl<'a> Said<'a> {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, code: None, message: None, details: None, issues: None }
    }

    /// Whether the body carries an issue list (E8).
    pub(crate) fn has_issues(&self) -> bool {
        self.issues.is_some() || self.details.as_deref().is_some_and(issues::are_in)
    }

    fn message(mut self, message: Option<Cow<'a, str>>) -> Self {
        self.message = message;
        self
    }

    fn code(mut self, code: Option<Cow<'a, str>>) -> Self {
        self.code = code;
        self
    }
}

/// Reads a whole body. Its declared media type matters for plain text and problems alone: JSON is known by its first
/// byte, since services send it as `text/plain` and `text/html` as well.
pub(crate) fn read<'a>(media_type: Option<&str>, body: &'a [u8], codes: &CodeSet) -> Reading<'a> {
    let Ok(text) = str::from_utf8(body) else { return Reading::Nothing };
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.as_bytes().first() {
        Some(b'{') => read_object(media_type, text, codes),
        Some(b'[') if protocol::is_batch(text) => Reading::Protocol(Protocol::JsonRpcBatch),
        Some(_) if media_type.is_some_and(|it| it.eq_ignore_ascii_case("text/plain")) => {
            Reading::Said(Said::new(Dialect::PlainText).message(Some(Cow::Borrowed(text))))
        }
        _ => Reading::Nothing,
    }
}

fn read_object<'a>(media_type: Option<&str>, text: &'a str, codes: &CodeSet) -> Reading<'a> {
    let Some(object) = Object::parse(text) else { return Reading::Nothing };
    if let Some(envelope) = standard::read(&object, codes) {
        Reading::Envelope(envelope)
    } else if let Some(protocol) = protocol::of(&object) {
        Reading::Protocol(protocol)
    } else {
        foreign::read(media_type, &object).map_or(Reading::Nothing, Reading::Said)
    }
}

/// What a body that is known to be a protocol's says all the same, for `protocols = "rewrite"` (R10).
pub(crate) fn read_rewritten(body: &[u8]) -> Option<Said<'_>> {
    let text = str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
    foreign::read(None, &Object::parse(text)?)
}

/// The type and subtype of a body, without parameters; `None` where none is declared or two are.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let value = first.as_bytes();
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    str::from_utf8(value[..end].trim_ascii()).ok()
}
