//! The content of an error response.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::code::{ErrorCode, Retry};
use crate::dialect::Shape;
use crate::fault::{Advice, AsFault};
use crate::json::{self, Object};

/// The content of an error response in any shape.
///
/// A value is one word wide. [`Display`](fmt::Display) prints one line without the details. The line is fit for a log,
/// such as `409 channel_unavailable: The channel is not connected. (req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D)`. [`Debug`] also
/// leaves out the content of the details.
#[derive(Clone)]
pub struct ClientError(pub(super) Box<ErrorParts>);

/// The parts of a [`ClientError`].
#[derive(Clone)]
pub(super) struct ErrorParts {
    pub(super) status: StatusCode,
    pub(super) grpc: Option<u8>,
    pub(super) code: ErrorCode,
    pub(super) raw_code: Option<Box<str>>,
    /// The message, which is one printable line of limited length (rule E2).
    pub(super) message: Box<str>,
    pub(super) details: Option<Box<RawValue>>,
    pub(super) request_id: Option<Box<str>>,
    pub(super) retry_after: Option<Duration>,
    pub(super) pushback: Pushback,
    pub(super) advice: Advice,
    pub(super) shape: Option<Shape>,
}

/// A gRPC server's instruction about another attempt (`grpc-retry-pushback-ms`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushback {
    NotSent,
    After(Duration),
    /// A negative number, or a text that is not a number.
    Never,
}

/// One wrong part of an invalid request (E8).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The names and indices that lead to the value. The list is empty if the issue is about the whole request.
    pub path: Vec<Step>,
    /// The text of the issue, for people.
    pub message: String,
    /// The validator's code for the mistake, if it has one.
    pub code: Option<String>,
}

/// One step of the path to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name of a field.
    Name(String),
    /// The position in an array, counted from 0.
    Index(u64),
}

impl ClientError {
    /// Returns the HTTP status of the error, 400–599. For an RPC error, this is the status of the response. If the
    /// response has status 200, the method returns the status that `google.rpc.Code` defines for the error.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the gRPC status, 1–16, of a gRPC, gRPC-Web or Connect error.
    #[must_use]
    pub fn grpc(&self) -> Option<u8> {
        self.0.grpc
    }

    /// Returns the canonical code. The set of codes is open (E2). If a code is unknown, only its name is known
    /// ([`ErrorCode::is_foreign`]).
    #[must_use]
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// Returns the code in the body if it differs from the canonical code, such as OpenAI's `model_not_found`. The code
    /// has 1 to 64 of the characters `[A-Za-z0-9_.-]`.
    #[must_use]
    pub fn raw_code(&self) -> Option<&str> {
        self.0.raw_code.as_deref()
    }

    /// Returns one printable line for people, of at most 1,024 bytes. If the response has no message, the line is the
    /// message of the catalogue.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the details as JSON text. If the details contain an issue list, it is in the form that rule E8 defines.
    #[must_use]
    pub fn details_json(&self) -> Option<&str> {
        self.0.details.as_deref().map(RawValue::get)
    }

    /// Returns the details, parsed as the caller's type, or `None` if there are none.
    ///
    /// # Errors
    ///
    /// Returns an error if the details cannot be parsed as the type `T`.
    pub fn details<T: DeserializeOwned>(&self) -> Result<Option<T>, serde_json::Error> {
        self.details_json().map(serde_json::from_str).transpose()
    }

    /// Returns the issues of an invalid request. The list is empty if the details have no well-formed list.
    #[must_use]
    pub fn issues(&self) -> Vec<Issue> {
        let details = self.details_json().and_then(Object::parse);
        let list = details.and_then(|details| json::array(details.raw("issues")?.get()));
        list.and_then(|list| list.into_iter().map(Issue::parse).collect()).unwrap_or_default()
    }

    /// Returns the id to quote in a support request. The id has at most 128 printable characters.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the advice on whether and how to try again. The advice in the error itself (rule E10) is preferred to
    /// the contract's advice for this code. An unknown code is treated as transient.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.advice.retry.unwrap_or_else(|| self.0.code.retry())
    }

    /// Returns the page that describes the code. The address in the error itself (rule E10) is preferred to the address
    /// that the caller's own code defines.
    #[must_use]
    pub fn docs(&self) -> Option<&str> {
        self.0.advice.docs.as_deref().or_else(|| self.0.code.docs())
    }

    /// Returns true if the same request may succeed later, because the code allows it, and no gRPC server forbids it.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retry() == Retry::Backoff && self.0.pushback != Pushback::Never
    }

    /// Returns how long the server wants the client to wait. The time is from `grpc-retry-pushback-ms`, or else from
    /// `retry-after`, or else from `google.rpc.RetryInfo`. `retry-after` may contain seconds, or a date that is
    /// compared with the response's own `date`. For a date in the past, the result is zero.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.pushback {
            Pushback::After(wait) => Some(wait),
            Pushback::NotSent | Pushback::Never => self.0.retry_after,
        }
    }

    /// Returns the shape of the body, or `None` if everything was read from the head.
    #[must_use]
    pub fn shape(&self) -> Option<Shape> {
        self.0.shape
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_str(), self.0.code, self.0.message)?;
        match self.request_id() {
            Some(id) => write!(f, " ({id})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientError")
            .field("status", &self.0.status.as_u16())
            .field("grpc", &self.0.grpc)
            .field("code", &self.0.code)
            .field("raw_code", &self.0.raw_code)
            .field("message", &self.0.message)
            .field("details_len", &self.details_json().map(str::len))
            .field("request_id", &self.0.request_id)
            .field("retry_after", &self.retry_after())
            .field("shape", &self.0.shape)
            .finish()
    }
}

impl Error for ClientError {}

/// The error of an upstream is a 502 `other` to clients, whatever its code, because they did not send the request that
/// failed. The log has its status, code, message and request id.
impl AsFault for ClientError {
    fn code(&self) -> ErrorCode {
        ErrorCode::OTHER
    }
}

impl Issue {
    fn parse(issue: &RawValue) -> Option<Self> {
        let issue = Object::parse(issue.get())?;
        let path = json::array(issue.raw("path")?.get())?.into_iter().map(Step::parse).collect::<Option<_>>()?;
        let code = match issue.raw("code") {
            Some(code) => Some(json::exact(code)?.into_owned()),
            None => None,
        };
        Some(Self { path, message: json::exact(issue.raw("message")?)?.into_owned(), code })
    }
}

impl Step {
    fn parse(step: &RawValue) -> Option<Self> {
        match json::exact(step) {
            Some(name) => Some(Self::Name(name.into_owned())),
            None => step.get().parse().ok().map(Self::Index),
        }
    }
}
