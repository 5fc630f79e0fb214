//! Extractors for axum handlers, with [`Fault`]s as their rejections (feature `axum`).
//!
//! You can keep axum's own extractors. The layer parses their rejections (rule R13). With these exceptions, clients get
//! the same statuses and codes from both kinds of extractors:
//!
//! - axum's text does not name the source of an error in a route's only parameter, or of a body that came too slowly.
//!   So axum's extractors answer both errors with 400 `bad_request`.
//! - axum's `Multipart` answers another media type with 400, and not with 415.
//! - axum's `Json` answers a body that it cannot parse with 400, even if the request has a `content-encoding`. It
//!   also answers an array that is too long, a number that no type can hold, and a wrong value of an enum with 400.
//! - An issue of axum's extractors has no `code`. If `Path` contains a tuple, the issue's path is the index of the
//!   parameter, and not its name.
//!
//! The extractors here describe errors for readers who do not write Rust:
//!
//! 1. [`Json`], [`Form`], [`Query`] and [`Path`] report data that does not fit as `invalid_request` with an issue list.
//!    An issue consists of the path of the error, the expected value, and a code. Neither a response nor the log quotes
//!    values of the client. Only the path may contain a name that the client sent, such as the name of an unknown
//!    field. The issue of a path parameter names the parameter, even if it is the only parameter or part of a tuple. The
//!    list contains only one issue, because serde stops at the first error. `garde` and `validator` (features) find all
//!    errors. `?` converts their reports; `Garde<Json<T>>` and `Valid<Json<T>>` validate before the handler runs.
//! 2. The status of a value that does not fit its type is the same as with axum: 422 for a body, and 400 for a query or
//!    a path. A rule that `Garde` or `Valid` finds violated is always 422. A handler that needs another status takes a
//!    parameter `Result<Json<T>, Fault>` and calls [`Fault::with_status`].
//! 3. Other errors of a body have other codes:
//!    - A body that is not JSON is `bad_request`, with line and column. An incomplete body is also `bad_request`.
//!    - A body with another content type than the extractor's is `unsupported_media_type`. So is a body that [`Json`]
//!      cannot parse, if the request has a `content-encoding`.
//!    - A body over a limit is `payload_too_large`.
//!    - A body that came too slowly is `request_timeout`.
//! 4. `Multipart` (feature `multipart`) is axum's extractor with a [`Fault`] as its rejection, and `?` converts errors
//!    of its fields to faults.
//! 5. If a route lacks a parameter that its handler requires, the program is wrong, and the client gets
//!    `internal_error`.
//!
//! ```
//! use axum::{Router, routing::post};
//! use serde::{Deserialize, Serialize};
//! use tower_error_envelope::extract::{Json, Path};
//! use tower_error_envelope::{ErrorEnvelopeLayer, Fault};
//!
//! #[derive(Deserialize)]
//! struct Booking {
//!     seats: Vec<u8>,
//! }
//!
//! #[derive(Serialize)]
//! struct Booked {
//!     seats: usize,
//! }
//!
//! async fn book(Path(_show): Path<u32>, Json(booking): Json<Booking>) -> Result<Json<Booked>, Fault> {
//!     Ok(Json(Booked { seats: booking.seats.len() }))
//! }
//!
//! let app: Router = Router::new().route("/shows/{show}", post(book)).layer(ErrorEnvelopeLayer::new());
//! ```
//!
//! A request with the body `{"seats":[3,300]}` gets this response:
//!
//! ```json
//! {"error":{"code":"invalid_request","message":"The request failed validation.","details":{"issues":[{"path":["seats",1],"message":"Expected a whole number from 0 to 255.","code":"invalid_value"}]}},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}
//! ```
//!
//! All of axum's own rejections and errors implement [`AsFault`](trait@crate::AsFault): `?` converts `MultipartError`,
//! `JsonRejection`, `BytesRejection` and all others, with axum's status. `WebSocketUpgradeRejection` needs the feature
//! `ws`.
//!
//! [`Fault`] itself is a response. [`RequestId`] and [`Identity`] are extractors. [`CallerData`] extracts the value
//! that a verifier attached to the caller, and `Claims` (feature `jwt`) extracts the content of the caller's token. Use
//! an `Option` of these extractors on routes whose [credentials are optional](crate::RouteRule::auth_optional).
//!
//! [`Fault`]: crate::Fault
//! [`Fault::with_status`]: crate::Fault::with_status
//! [`RequestId`]: crate::RequestId
//! [`Identity`]: crate::auth::Identity

mod caller;
mod expected;
mod form;
mod issue;
mod json;
#[cfg(feature = "multipart")]
mod multipart;
#[cfg(feature = "aide")]
mod operation;
mod path;
mod query;
#[cfg(any(feature = "garde", feature = "validator"))]
mod validated;

pub use error_envelope_fault::extract::MissingRequestId;

pub use self::caller::CallerData;
#[cfg(feature = "jwt")]
pub use self::caller::Claims;
pub use self::form::Form;
pub use self::json::Json;
#[cfg(feature = "multipart")]
pub use self::multipart::Multipart;
pub use self::path::Path;
pub use self::query::Query;
#[cfg(feature = "garde")]
pub use self::validated::Garde;
#[cfg(feature = "validator")]
pub use self::validated::Valid;

/// Implements the traits that axum's extractors also implement. So a handler that switches to these extractors changes
/// only its import.
macro_rules! dereferences {
    ($extractor:ty, $target:ty $(, $generic:ident)?) => {
        impl$(<$generic>)? std::ops::Deref for $extractor {
            type Target = $target;

            fn deref(&self) -> &$target {
                &self.0
            }
        }

        impl$(<$generic>)? std::ops::DerefMut for $extractor {
            fn deref_mut(&mut self) -> &mut $target {
                &mut self.0
            }
        }
    };
}

#[cfg(feature = "jwt")]
dereferences!(Claims<T>, T, T);
dereferences!(CallerData<T>, T, T);
dereferences!(Form<T>, T, T);
dereferences!(Json<T>, T, T);
dereferences!(Query<T>, T, T);
dereferences!(Path<T>, T, T);
#[cfg(feature = "multipart")]
dereferences!(Multipart, axum::extract::Multipart);
