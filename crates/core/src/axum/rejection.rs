//! axum's own errors as faults, by `?`.
//!
//! 1. If a body did not come, its error decides: a [`Fault`] among its causes, `payload_too_large` over a limit,
//!    `request_timeout` where it came too slowly, else `bad_request` (F1). The text stays with the layer.
//! 2. Any other becomes what the layer makes of the same rejection as a response (R13), with the same status.
//!
//! The text of a rejection that is the client's fault may quote the client's data, and so is no cause for the log (L3).

use std::error::Error;
use std::io::ErrorKind;

use axum::extract::multipart::{InvalidBoundary, MultipartError, MultipartRejection};
use axum::extract::rejection::*;
#[cfg(feature = "ws")]
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::cause;
use crate::classify::credentials::Credentials;
use crate::classify::{self, Inner, KeptProtocols, PolicyView, Posted, RequestContext, RewriteDecision};
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::Dialect;
use crate::fault::{AsFault, Fault};

/// Each type, and those of its variants that are a body which did not come.
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
                    #[allow(unreachable_patterns, reason = "of some each variant is a body's")]
                    rejection => classified(rejection.status(), &rejection.body_text()),
                }
            }

            fn into_fault(self) -> Fault {
                with_cause(self.fault(), self)
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
    MultipartRejection {}
    InvalidBoundary {}
    #[cfg(feature = "ws")]
    WebSocketUpgradeRejection {}
}

/// Errors of a request's body, as they come from an extractor or from reading a body by hand.
macro_rules! body_errors {
    ($($error:ident)+) => {$(
        impl AsFault for $error {
            fn code(&self) -> ErrorCode {
                self.fault().code().clone()
            }

            fn fault(&self) -> Fault {
                unread(self, self.status())
            }
        }
    )+};
}

body_errors! { FailedToBufferBody LengthLimitError UnknownBodyError }

/// The text of a form parser's own errors has no value, and passes; the text of a connection's does not.
impl AsFault for MultipartError {
    fn code(&self) -> ErrorCode {
        self.fault().code().clone()
    }

    fn fault(&self) -> Fault {
        let fault = unread(self, self.status());
        let broke_off = cause::find::<axum::Error>(self).is_some();
        if *fault.code() == ErrorCode::BAD_REQUEST && !broke_off {
            return classified(self.status(), &self.body_text());
        }
        fault
    }

    fn into_fault(self) -> Fault {
        with_cause(self.fault(), self)
    }
}

/// Why a body did not come. The layer has its own limit, and outranks this (G4).
fn unread(error: &(dyn Error + 'static), status: StatusCode) -> Fault {
    if let Some(fault) = cause::find::<Fault>(error) {
        return fault.clone();
    }
    // axum boxes its `LengthLimitError` twice, and no downcast finds it: its status shows it.
    let over =
        status == StatusCode::PAYLOAD_TOO_LARGE || cause::find::<http_body_util::LengthLimitError>(error).is_some();
    Fault::new(if over {
        ErrorCode::PAYLOAD_TOO_LARGE
    } else if cause::has_io_kind(error, |kind| kind == ErrorKind::TimedOut) {
        ErrorCode::REQUEST_TIMEOUT
    } else {
        ErrorCode::BAD_REQUEST
    })
}

/// The layer's result for a response with this text, under an empty policy.
fn classified(status: StatusCode, text: &str) -> Fault {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))]);
    let inner = Inner { status, headers: &headers, body: Some(text.as_bytes()), reason: None };
    let nothing = HeaderMap::new();
    let context = RequestContext {
        credentials: Credentials::from_headers(&nothing, false),
        method: &Method::GET,
        path: None,
        posted: Posted::Other,
    };
    let known = PolicyView {
        codes: &CodeSet::default(),
        shapes: &[],
        rules: &[],
        by_status: false,
        protocols: KeptProtocols::Nothing,
        kept: &[],
        dialect: Dialect::Standard,
        negotiated: false,
        page: false,
    };
    let (RewriteDecision::Rewrite(rewrite) | RewriteDecision::Pass(rewrite)) =
        classify::response(&inner, &context, &known);
    rewrite.into_fault().status(status)
}

fn with_cause(fault: Fault, rejection: impl Error + Send + Sync + 'static) -> Fault {
    if fault.status_code().is_server_error() { fault.caused_by(rejection) } else { fault }
}
