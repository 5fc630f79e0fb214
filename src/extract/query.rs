//! The query string.

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::issue;
use error_envelope_core::fault::Fault;

/// The query string, read as `application/x-www-form-urlencoded`. A missing query is treated as empty.
///
/// The [module](crate::extract) describes the responses to invalid input.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::extract::Query;
///
/// #[derive(Deserialize)]
/// struct Page {
///     size: Option<u8>,
/// }
///
/// async fn list(Query(page): Query<Page>) -> String {
///     format!("{} a page", page.size.unwrap_or(20))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(list));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        read(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Parses a text of the type `application/x-www-form-urlencoded`.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    let value = serde_path_to_error::deserialize(pairs);
    value.map_err(|error| issue::of_data(error.path(), &error.inner().to_string()).into())
}
