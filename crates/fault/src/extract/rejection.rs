//! Converts axum's own errors into faults, for `?`.
//!
//! 1. If a body could not be read, the error of the body decides the code (F1). If a [`Fault`] is among the causes of
//!    that error, the fault is used. The code is `payload_too_large` if the body is over a limit, `request_timeout` if
//!    it came too slowly, and otherwise `bad_request`. The client does not get the text of the error.
//! 2. Any other rejection gets the status and the code that the layer would choose for it as a response (R13).
//!
//! A body's error becomes the cause for the log (L1). If the client caused any other rejection, the text of the
//! rejection may quote data of the client. So that rejection does not become a cause (L3).

use std::borrow::Cow;
use std::error::Error;

#[cfg(feature = "multipart")]
use axum::extract::multipart::{InvalidBoundary, MultipartError, MultipartRejection};
use axum::extract::rejection::*;
#[cfg(feature = "ws")]
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::StatusCode;

use crate::cause;
use crate::code::ErrorCode;
use crate::details::{compose, with_issues};
use crate::fault::{AsFault, Fault};
use error_envelope_text::framework_text::{self, FrameworkText};
use error_envelope_text::{issues, message};

/// Implements `AsFault` for each type. The variants listed after a type mean that a body could not be read.
macro_rules! rejections {
    ($($(#[$cfg:meta])* $rejection:ident { $($body:ident)* })+) => {$(
        $(#[$cfg])*
        impl AsFault for $rejection {
            fn code(&self) -> ErrorCode {
                self.fault().code().clone()
            }

            fn fault(&self) -> Fault {
                match self {
                    $(Self::$body(rejection) => rejection.fault(),)*
                    #[allow(unreachable_patterns, reason = "in some rejections, every variant is about the body")]
                    rejection => fault_of_response(rejection.status(), &rejection.body_text()),
                }
            }

            fn into_fault(self) -> Fault {
                match self {
                    $(Self::$body(rejection) => rejection.into_fault(),)*
                    #[allow(unreachable_patterns, reason = "in some rejections, every variant is about the body")]
                    rejection => with_cause(rejection.fault(), rejection, false),
                }
            }
        }
    )+};
}

rejections! {
    JsonRejection { BytesRejection }
    JsonDataError {}
    JsonSyntaxError {}
    MissingJsonContentType {}
    QueryRejection {}
    FailedToDeserializeQueryString {}
    FormRejection { BytesRejection }
    RawFormRejection { BytesRejection }
    InvalidFormContentType {}
    FailedToDeserializeForm {}
    FailedToDeserializeFormBody {}
    PathRejection {}
    FailedToDeserializePathParams {}
    RawPathParamsRejection {}
    InvalidUtf8InPathParam {}
    MissingPathParams {}
    ExtensionRejection {}
    MissingExtension {}
    MatchedPathRejection {}
    MatchedPathMissing {}
    NestedPathRejection {}
    BytesRejection { FailedToBufferBody }
    StringRejection { FailedToBufferBody }
    InvalidUtf8 {}
    #[cfg(feature = "multipart")]
    MultipartRejection {}
    #[cfg(feature = "multipart")]
    InvalidBoundary {}
    #[cfg(feature = "ws")]
    WebSocketUpgradeRejection {}
}

/// Implements `AsFault` for errors of a request's body, which an extractor or other code has read.
macro_rules! body_errors {
    ($($error:ident)+) => {$(
        impl AsFault for $error {
            fn code(&self) -> ErrorCode {
                self.fault().code().clone()
            }

            fn fault(&self) -> Fault {
                unread_body_fault(self, self.status())
            }

            fn into_fault(self) -> Fault {
                with_cause(self.fault(), self, true)
            }
        }
    )+};
}

body_errors! { FailedToBufferBody LengthLimitError UnknownBodyError }

/// The form parser's own errors have texts for programmers, which the texts of [`form_message`] replace. Any other text
/// of the parser contains no value, so the client gets the text. If the connection failed, the client does not get the
/// text of that error.
#[cfg(feature = "multipart")]
impl AsFault for MultipartError {
    fn code(&self) -> ErrorCode {
        self.fault().code().clone()
    }

    fn fault(&self) -> Fault {
        let fault = unread_body_fault(self, self.status());
        if *fault.code() == ErrorCode::BAD_REQUEST && !is_unread(self) {
            let text = self.body_text();
            return match form_message(&text) {
                Some(message) => fault.with_message(message),
                None => fault_of_response(self.status(), &text),
            };
        }
        fault
    }

    fn into_fault(self) -> Fault {
        let is_unread = is_unread(&self);
        with_cause(self.fault(), self, is_unread)
    }
}

/// Returns true if the body of the form could not be read, or is over axum's limit.
#[cfg(feature = "multipart")]
fn is_unread(error: &MultipartError) -> bool {
    cause::find::<axum::Error>(error).is_some()
}

/// Returns the message for an error of the form parser, which is the crate multer. The errors are recognised by their
/// texts, so that no version of multer is required.
#[cfg(feature = "multipart")]
fn form_message(text: &str) -> Option<&'static str> {
    match text {
        "incomplete multipart stream" | "failed to read field complete headers" => Some(FORM_ENDS),
        text if text.starts_with("field ") && text.ends_with(" received with incomplete data") => Some(FORM_ENDS),
        text if text == "failed to read headers" || text.starts_with("failed to decode field's raw header ") => {
            Some("The headers of a field in the form cannot be read.")
        }
        _ => None,
    }
}

#[cfg(feature = "multipart")]
const FORM_ENDS: &str = "The body ends before its form does.";

/// Returns the fault for a body that could not be read. If the body is over the limit of the layer, the client gets the
/// layer's own response instead (G4).
fn unread_body_fault(error: &(dyn Error + 'static), status: StatusCode) -> Fault {
    if let Some(fault) = cause::find::<Fault>(error) {
        return fault.clone();
    }
    // axum boxes its `LengthLimitError` twice, so that no downcast finds it. The status shows the cause.
    let over =
        status == StatusCode::PAYLOAD_TOO_LARGE || cause::find::<http_body_util::LengthLimitError>(error).is_some();
    Fault::new(if over {
        ErrorCode::PAYLOAD_TOO_LARGE
    } else if cause::is_timeout(error) {
        ErrorCode::REQUEST_TIMEOUT
    } else {
        ErrorCode::BAD_REQUEST
    })
}

/// Returns the fault that the layer would make from a response with this text (R1, R3, E8), under a policy without
/// settings.
fn fault_of_response(status: StatusCode, text: &str) -> Fault {
    let FrameworkText { issues, client_message } = framework_text::read(text, status, false);
    let code = if issues.is_some() && issues::tells_of_input(status) {
        ErrorCode::INVALID_REQUEST
    } else {
        ErrorCode::of_status(status)
    };
    let fault = Fault::new(code).with_status(status);
    if !status.is_client_error() {
        return fault;
    }
    let more = issues.as_ref().map_or(0, |list| list.more);
    let client_text = client_message.of(Some(text)).and_then(message::from_foreign_text).map(Cow::into_owned);
    let fault = match client_text {
        None if more > 0 => {
            let stock = message::with_more(fault.code().default_message(), more).into_owned();
            fault.with_stock_message(stock)
        }
        None => fault,
        Some(text) if more > 0 => fault.with_clean_message(message::with_more(&text, more).into_owned()),
        Some(text) => fault.with_clean_message(text),
    };
    let list = issues.map(|list| list.json);
    with_issues(fault.with_raw_details(compose(None, &[], list.as_deref(), None)).with_left_out(more))
}

/// Adds the rejection as the cause for the log, if its text contains no data of the client (L3). A fault that was found
/// in the body's error keeps its own cause.
fn with_cause(fault: Fault, rejection: impl Error + Send + Sync + 'static, is_unread: bool) -> Fault {
    let is_loggable = is_unread && cause::find::<Fault>(&rejection).is_none();
    if is_loggable || fault.status().is_server_error() { fault.with_source(rejection) } else { fault }
}
