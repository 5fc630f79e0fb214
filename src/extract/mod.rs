//! For axum handlers (feature `axum`): extractors whose rejections are [`Fault`]s.
//!
//! axum's own extractors may stay: their rejections are parsed (rule R13), and a client gets the same statuses and codes
//! from both. The exception is where axum's text does not name the source: a route's only parameter is `bad_request` there,
//! and so is a body that came too slowly. The extractors here describe errors for readers who do not write Rust:
//!
//! 1. [`Json`], [`Form`], [`Query`] and [`Path`] report data that does not fit as `invalid_request` with an issue list: the
//!    path of the error, what was expected there, and a code. What the client sent is never quoted, in a response or in
//!    the log. A path parameter is named, also alone or in a tuple. serde stops at the first error,
//!    and so the list has one issue; `garde` and `validator` (features) find all of them, and `?` takes their reports.
//! 2. The status is axum's: 422 for a body, 400 for a query and a path. A handler that needs another takes
//!    `Result<Json<T>, Fault>` and sets [`Fault::status`].
//! 3. A body that is not JSON is `bad_request`, with line and column; one without a JSON content type is
//!    `unsupported_media_type`; one over a limit `payload_too_large`; one that broke off `bad_request`; one that came too
//!    slowly `request_timeout`.
//! 4. [`Multipart`] is axum's with such a rejection, and `?` converts errors of its fields to faults.
//! 5. A route without the parameters that its handler requires is the program's fault: `internal_error`.
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
//! `{"seats":[3,300]}` is answered with
//!
//! ```json
//! {"error":{"code":"invalid_request","message":"The request failed validation.","details":{"issues":[{"path":["seats",1],"message":"Expected a whole number from 0 to 255.","code":"invalid_value"}]}},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}
//! ```
//!
//! Each rejection and error of axum's own is [`AsFault`](trait@crate::AsFault): `?` takes `MultipartError`, `JsonRejection`,
//! `BytesRejection` and all others, with axum's status; `WebSocketUpgradeRejection` with the feature `ws`.
//!
//! [`Fault`] itself is a response; [`RequestId`] and [`Identity`] are extractors. [`CallerData`] is what a verifier attached to
//! the caller, and `Claims` (feature `jwt`) the content of its token. An `Option` of each of them is for routes whose
//! [credentials are optional](crate::Route::optional_auth).
//!
//! [`Fault`]: crate::Fault
//! [`Fault::status`]: crate::Fault::status
//! [`RequestId`]: crate::RequestId
//! [`Identity`]: crate::auth::Identity

mod caller;
mod expected;
mod form;
mod issue;
mod json;
mod multipart;
mod path;
mod query;

pub use error_envelope_fault::extract::MissingRequestId;

pub use self::caller::CallerData;
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub use self::caller::Claims;
pub use self::form::Form;
pub use self::json::Json;
pub use self::multipart::Multipart;
pub use self::path::Path;
pub use self::query::Query;

/// The same traits as axum's extractors: a handler changes only its import.
macro_rules! dereferences {
    ($extractor:ident) => {
        impl<T> std::ops::Deref for $extractor<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.0
            }
        }

        impl<T> std::ops::DerefMut for $extractor<T> {
            fn deref_mut(&mut self) -> &mut T {
                &mut self.0
            }
        }
    };
}

#[cfg(feature = "jwt")]
dereferences!(Claims);
dereferences!(CallerData);
dereferences!(Form);
dereferences!(Json);
dereferences!(Query);
dereferences!(Path);
