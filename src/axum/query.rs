//! The query string.

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::issue;
use error_envelope_core::fault::Fault;

/// The query string, read as `application/x-www-form-urlencoded`; none at all is an empty one.
///
/// See the [module](crate::axum) for what a client is told.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::axum::Query;
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
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let value = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        value.map(Self).map_err(|error| issue::of_data(error.path(), &error.inner().to_string()).into())
    }
}
