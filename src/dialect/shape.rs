//! What the log calls the shapes of error bodies, and the policy file those that can be written.

/// The shape that errors are written in on a route (rules R2, R12): `dialect` in the policy file.
///
/// [`Dialect::Standard`] is the default: the canonical envelope.
///
/// ```
/// use tower_error_envelope::Dialect;
///
/// assert_eq!(Dialect::default(), Dialect::Standard);
/// assert_eq!(Dialect::OpenAi.as_str(), "openai");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// The canonical envelope.
    #[default]
    Standard,
    /// `{"success":false,"error":"…"}`: the details are further members.
    SuccessFlag,
    /// `{"error":{"code":"UPPER","message","status"}}`, and `{"message","errors":{field:[…]}}` for a 422 with field
    /// issues.
    StatusInError,
    /// `{"error":{code,message,details},"meta":{request_id,ts}}`.
    ErrorWithMeta,
    /// RFC 9457, `application/problem+json`.
    Problem,
    /// OpenAI's `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// Anthropic's `{"type":"error","error":{"type","message"},"request_id"}`.
    Anthropic,
}

impl Dialect {
    /// Every dialect that can be written.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "the policy file alone reads words"))]
    pub(crate) const ALL: &'static [Self] = &[
        Self::Standard,
        Self::SuccessFlag,
        Self::StatusInError,
        Self::ErrorWithMeta,
        Self::Problem,
        Self::OpenAi,
        Self::Anthropic,
    ];

    /// The word that stands for it in the policy file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.shape().as_str()
    }

    /// Whether every `invalid_request` has an issue list in it, be it one that repeats the message (E8): clients of the
    /// other dialects know none.
    pub(crate) const fn always_lists_issues(self) -> bool {
        matches!(self, Self::Standard | Self::Problem)
    }

    /// What it is read as.
    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Standard => Shape::Standard,
            Self::SuccessFlag => Shape::SuccessFlag,
            Self::StatusInError => Shape::StatusInError,
            Self::ErrorWithMeta => Shape::ErrorWithMeta,
            Self::Problem => Shape::Problem,
            Self::OpenAi => Shape::OpenAi,
            Self::Anthropic => Shape::Anthropic,
        }
    }
}

/// The shape in which an inner error was read, as the log names it (rules R2, L1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
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
    /// OpenAI's `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// Anthropic's `{"type":"error","error":{"type","message"}}`.
    Anthropic,
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
    /// A gRPC status, over gRPC-Web too.
    Grpc,
    /// Connect's `{"code","message","details"}`, or its end of a stream.
    Connect,
}

impl Shape {
    /// The name in the log, and in the policy file where it can be written there.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::SuccessFlag => "success_flag",
            Self::StatusInError => "status_in_error",
            Self::ErrorWithMeta => "error_with_meta",
            Self::Problem => "problem",
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::ErrorObject => "error_object",
            Self::Google => "google",
            Self::FastApi => "fastapi",
            Self::Spring => "spring",
            Self::ErrorText => "error_text",
            Self::Message => "message",
            Self::PlainText => "plain_text",
            Self::Grpc => "grpc",
            Self::Connect => "connect",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_the_words_are_those_of_the_policy_file() {
        let words: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
        let known =
            ["standard", "success_flag", "status_in_error", "error_with_meta", "problem", "openai", "anthropic"];
        assert_eq!(words, known);
    }
}
