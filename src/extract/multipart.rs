//! Multipart forms, such as uploads.

use axum::extract::Multipart as AxumMultipart;
use axum::extract::multipart::MultipartRejection;
use axum_core::extract::{FromRequest, OptionalFromRequest, Request};
use http::HeaderMap;
use http::header::ACCEPT;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::guard::content_type::declared_essence;

const FORM: &str = "multipart/form-data";

/// A `multipart/form-data` body, field by field: axum's
/// [`Multipart`](https://docs.rs/axum/0.8/axum/extract/struct.Multipart.html) with a [`Fault`] as its rejection.
///
/// A request of another media type is `unsupported_media_type`, as with [`Json`](super::Json). axum's own `Multipart`
/// answers it with 400. A content type without a boundary is `bad_request`.
///
/// `?` converts the errors of axum's methods, with axum's status. A body over a limit is `payload_too_large`. An
/// incomplete or badly formed one is `bad_request`. Uploads of more than 2 MiB need axum's `DefaultBodyLimit` on their
/// route. Uploads of more than 1 MiB need the layer's `body_limit`.
///
/// ```
/// use tower_error_envelope::Fault;
/// use tower_error_envelope::extract::Multipart;
///
/// async fn upload(mut form: Multipart) -> Result<String, Fault> {
///     let mut bytes = 0;
///     while let Some(mut field) = form.next_field().await? {
///         while let Some(chunk) = field.chunk().await? {
///             bytes += chunk.len();
///         }
///     }
///     Ok(format!("{bytes} bytes"))
/// }
/// # let _: axum::Router = axum::Router::new().route("/upload", axum::routing::post(upload));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Multipart(pub AxumMultipart);

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let is_form = is_form(request.headers());
        let form = <AxumMultipart as FromRequest<S>>::from_request(request, state).await;
        form.map(Self).map_err(|rejection| no_form(is_form, rejection))
    }
}

impl<S: Send + Sync> OptionalFromRequest<S> for Multipart {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Fault> {
        let is_form = is_form(request.headers());
        let form = <AxumMultipart as OptionalFromRequest<S>>::from_request(request, state).await;
        form.map(|form| form.map(Self)).map_err(|rejection| no_form(is_form, rejection))
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    declared_essence(headers).is_some_and(|it| it.eq_ignore_ascii_case(FORM))
}

/// Makes the fault for a request without a form. axum's own text names only the boundary, even if the body is JSON.
fn no_form(is_form: bool, rejection: MultipartRejection) -> Fault {
    let fault = match is_form {
        true => Fault::from(rejection),
        false => Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE).with_header(ACCEPT, FORM),
    };
    fault.with_message("Content-Type must be multipart/form-data with a boundary.")
}
