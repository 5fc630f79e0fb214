//! The parameters of a route's path.

use axum::extract::RawPathParams;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::issue::{self, Issue, Step};
use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;

/// The parameters of a route's path. `T` is a single value, a tuple in the order of the parameters, or a struct whose
/// fields have the parameters' names.
///
/// `Option<Path<T>>` is `None` on a route without parameters. An error names the wrong parameter, even if `T` is a
/// tuple. The [module](crate::extract) describes the responses to invalid input.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::extract::Path;
///
/// #[derive(Deserialize)]
/// struct Seat {
///     row: char,
///     number: u8,
/// }
///
/// async fn seat(Path(Seat { row, number }): Path<Seat>) -> String {
///     format!("{row}{number}")
/// }
/// # let _: axum::Router = axum::Router::new().route("/seats/{row}/{number}", axum::routing::get(seat));
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await;
        match path {
            Ok(path) => Ok(Self(path.0)),
            Err(rejection) => Err(rejection_fault(rejection, parts).await),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> OptionalFromRequestParts<S> for Path<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Fault> {
        let path = <axum::extract::Path<T> as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await;
        match path {
            Ok(path) => Ok(path.map(|path| Self(path.0))),
            Err(rejection) => Err(rejection_fault(rejection, parts).await),
        }
    }
}

async fn rejection_fault(rejection: PathRejection, parts: &mut Parts) -> Fault {
    let PathRejection::FailedToDeserializePathParams(error) = rejection else { return mistake(&rejection) };
    match error.into_kind() {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            Issue::expected([Step::Name(key)], expected_type).into()
        }
        ErrorKind::ParseErrorAtIndex { index, expected_type, .. } => {
            let name = names(parts).await.into_iter().nth(index);
            Issue::expected(name.map(Step::Name), expected_type).into()
        }
        ErrorKind::ParseError { expected_type, .. } => {
            Issue::expected(only_parameter(parts).await, expected_type).into()
        }
        ErrorKind::InvalidUtf8InPathParam { key } => Issue::expected([Step::Name(key)], "UTF-8").into(),
        ErrorKind::DeserializeError { key, message, .. } => issue::of_text([Step::Name(key)], &message).into(),
        ErrorKind::Message(message) => issue::of_text(only_parameter(parts).await, &message).into(),
        // The number of parameters is wrong, or `T` cannot be read from a path. Every request to this route fails in
        // the same way.
        kind => mistake(&kind),
    }
}

/// Returns the name of the route's parameter as a step of the issue's path, if the route has only one parameter. axum's
/// error does not name such a parameter, so the name comes from the route.
async fn only_parameter(parts: &mut Parts) -> Option<Step> {
    match &*names(parts).await {
        [name] => Some(Step::Name(name.clone())),
        _ => None,
    }
}

async fn names(parts: &mut Parts) -> Vec<String> {
    let parameters = RawPathParams::from_request_parts(parts, &()).await;
    parameters.map(|all| all.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default()
}

/// Reports as `internal_error` that the route does not fit its handler. The text for the log contains types and
/// numbers.
fn mistake(why: &dyn std::fmt::Display) -> Fault {
    Fault::new(ErrorCode::INTERNAL_ERROR).with_source(why.to_string())
}
