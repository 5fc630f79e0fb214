//! Multipart forms, such as uploads.

use axum::extract::Multipart as AxumMultipart;
use axum::extract::multipart::MultipartRejection;
use axum_core::extract::{FromRequest, OptionalFromRequest, Request};

use error_envelope_core::fault::Fault;

/// A `multipart/form-data` body, field by field: axum's
/// [`Multipart`](https://docs.rs/axum/0.8/axum/extract/struct.Multipart.html) with a [`Fault`] as its rejection.
///
/// `?` converts the errors of axum's methods, with axum's status. A body over a limit is `payload_too_large`. An
/// incomplete or badly formed body, or a body of another media type, is `bad_request`. Uploads of more than 2 MiB need
/// axum's `DefaultBodyLimit` on their route. Uploads of more than 1 MiB need the layer's `body_limit`.
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
        <AxumMultipart as FromRequest<S>>::from_request(request, state).await.map(Self).map_err(no_form)
    }
}

impl<S: Send + Sync> OptionalFromRequest<S> for Multipart {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Fault> {
        let form = <AxumMultipart as OptionalFromRequest<S>>::from_request(request, state).await;
        form.map(|form| form.map(Self)).map_err(no_form)
    }
}

/// Makes the fault for a request without a form. axum's own text names only the boundary, even if the body is JSON.
fn no_form(rejection: MultipartRejection) -> Fault {
    Fault::from(rejection).with_message("Content-Type must be multipart/form-data with a boundary.")
}
