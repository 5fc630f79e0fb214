//! Extracts and writes forms.

use axum_core::extract::{FromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::guard::content_type::declared_essence;

const FORM: &str = "application/x-www-form-urlencoded";

/// A form. It is the query of a GET or HEAD request. For other methods, it is a body of the type
/// `application/x-www-form-urlencoded`.
///
/// A body may have as many bytes as axum's `DefaultBodyLimit` and the layer allow. The [module](crate::extract)
/// describes the responses to invalid input.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::extract::Form;
///
/// #[derive(Deserialize)]
/// struct Login {
///     name: String,
/// }
///
/// async fn login(Form(login): Form<Login>) -> String {
///     login.name
/// }
/// # let _: axum::Router = axum::Router::new().route("/login", axum::routing::post(login));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return super::query::read(request.uri().query().unwrap_or_default().as_bytes()).map(Self);
        }
        let declared = declared_essence(request.headers());
        if !declared.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM)) {
            let fault = Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE);
            let fault = fault.with_message("Content-Type must be application/x-www-form-urlencoded.");
            return Err(fault.with_header(ACCEPT, HeaderValue::from_static(FORM)));
        }
        let body = Bytes::from_request(request, state).await?;
        // The status is the same as that of axum's `Form`.
        super::query::read(&body).map(Self).map_err(|fault| fault.with_status(StatusCode::UNPROCESSABLE_ENTITY))
    }
}

impl<T: Serialize> IntoResponse for Form<T> {
    /// Writes the value as a form. If the value cannot be written as a form, the response is `internal_error`. axum's
    /// `Form` would send the reason to the client.
    fn into_response(self) -> Response {
        match serde_urlencoded::to_string(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static(FORM))], body).into_response(),
            Err(error) => Fault::new(ErrorCode::INTERNAL_ERROR).with_source(error).into_response(),
        }
    }
}
