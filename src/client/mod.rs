//! Parses error responses for the callers of a service, and decides whether and when to retry (feature `client`).
//!
//! 1. [`ErrorReader`] turns a response into a [`ClientError`]. It parses the canonical envelope, every dialect that the
//!    layer writes or reads (R2), gRPC, gRPC-Web and Connect (P1–P3). [`ErrorReader::check`] reads the body of an error
//!    up to a size and time limit. It returns any other response unchanged.
//! 2. [`ReadErrorLayer`] parses the error responses that a `tower` client gets. It puts each error into the response's
//!    extensions, and keeps the body.
//! 3. [`RetryPolicy`] is a [`tower::retry::Policy`] that follows the contract's advice.
//!
//! ```
//! use http::Response;
//! use tower_error_envelope::{ErrorCode, Retry};
//! use tower_error_envelope::client::ErrorReader;
//!
//! let body = r#"{"error":{"code":"rate_limited","message":"Slow down."},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;
//! let response = Response::builder().status(429).header("retry-after", "7").body(body)?;
//! let error = ErrorReader::new().read(&response).expect("429 is an error");
//!
//! assert_eq!(*error.code(), ErrorCode::RATE_LIMITED);
//! assert_eq!(error.retry(), Retry::Backoff);
//! assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(7));
//! assert_eq!(error.to_string(), "429 rate_limited: Slow down. (req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D)");
//! # Ok::<_, http::Error>(())
//! ```
//!
//! The code comes from the first of these that the response contains:
//!
//! 1. a canonical envelope
//! 2. the header `x-error-code`, which every error of the layer has (E4)
//! 3. the reason in an RPC status
//! 4. a code in the response's dialect, if the catalogue or [`ErrorReader::codes`] lists this code
//! 5. a list of issues
//! 6. the status
//!
//! The contract requires that clients retry errors whose canonical code they do not know. So the reader treats such a
//! code as transient. If a service has its own code that the reader does not know, the reader derives a code from the
//! status. [`ClientError::raw_code`] then returns the service's own code.
//!
//! Details of RPC errors need the feature `protobuf`, and compressed bodies need `decompress`. Without these features,
//! the reader reads such an error only from the head.

mod bodies;

mod layer;

mod reader;
mod retry;
mod schedule;

pub use bodies::ResponseBody;
pub use error_envelope_core::client::{ClientError, Issue, Step};
pub use layer::{ReadError, ReadErrorLayer, ResponseFuture};
pub use reader::{BufferedResponse, ErrorReader};
pub use retry::{Idempotent, RetryPolicy};
