//! Extractors whose value is validated before the handler runs.

use std::ops::Deref;

use axum_core::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;

use error_envelope_core::fault::Fault;
#[cfg(feature = "aide")]
use error_envelope_core::openapi::VALIDATED;

macro_rules! validated {
    ($name:ident, $library:ident $($bounds:tt)*) => {
        impl<E, S> FromRequest<S> for $name<E>
        where
            E: FromRequest<S, Rejection: Into<Fault>> + Deref<Target: $library::Validate $($bounds)*>,
            S: Send + Sync,
        {
            type Rejection = Fault;

            async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
                use $library::Validate as _;

                let extracted = E::from_request(request, state).await.map_err(Into::into)?;
                extracted.validate()?;
                Ok(Self(extracted))
            }
        }

        impl<E, S> FromRequestParts<S> for $name<E>
        where
            E: FromRequestParts<S, Rejection: Into<Fault>> + Deref<Target: $library::Validate $($bounds)*>,
            S: Send + Sync,
        {
            type Rejection = Fault;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
                use $library::Validate as _;

                let extracted = E::from_request_parts(parts, state).await.map_err(Into::into)?;
                extracted.validate()?;
                Ok(Self(extracted))
            }
        }

        #[cfg(feature = "aide")]
        impl<E: aide::OperationInput> aide::OperationInput for $name<E> {
            fn operation_input(context: &mut aide::generate::GenContext, operation: &mut aide::openapi::Operation) {
                E::operation_input(context, operation);
                operation.extensions.insert(VALIDATED.to_owned(), true.into());
            }
        }
    };
}

/// An extractor such as `Json<T>`, of this module or of axum, whose value `validator` checks before the handler runs
/// (feature `validator`).
///
/// Each violated rule becomes an issue of 422 `invalid_request`. If the extractor itself refuses the request, the
/// response is the same as without this wrapper.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::extract::{Json, Valid};
/// use validator::Validate;
///
/// #[derive(Deserialize, Validate)]
/// struct Booking {
///     #[validate(range(min = 1, max = 8))]
///     guests: u32,
/// }
///
/// async fn book(Valid(Json(booking)): Valid<Json<Booking>>) -> String {
///     format!("A table for {}.", booking.guests)
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(book));
/// ```
#[cfg(feature = "validator")]
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Valid<E>(pub E);

#[cfg(feature = "validator")]
validated!(Valid, validator);

/// An extractor such as `Json<T>`, of this module or of axum, whose value `garde` checks before the handler runs
/// (feature `garde`).
///
/// Each violated rule becomes an issue of 422 `invalid_request`. If the extractor itself refuses the request, the
/// response is the same as without this wrapper. If the rules of a type need a context, validate it in the handler and
/// use `?`.
///
/// ```
/// use garde::Validate;
/// use serde::Deserialize;
/// use tower_error_envelope::extract::{Garde, Query};
///
/// #[derive(Deserialize, Validate)]
/// struct Page {
///     #[garde(range(min = 1, max = 100))]
///     size: u32,
/// }
///
/// async fn list(Garde(Query(page)): Garde<Query<Page>>) -> String {
///     format!("{} items.", page.size)
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(list));
/// ```
#[cfg(feature = "garde")]
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Garde<E>(pub E);

#[cfg(feature = "garde")]
validated!(Garde, garde <Context: Default>);
