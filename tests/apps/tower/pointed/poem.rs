use poem::http::StatusCode;
use poem::web::Json;
use poem::{Error, FromRequest, IntoResponse, Request, RequestBody, Result};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Like `Json`, but its text about a wrong field begins with the path. Media type and limit are those of `Json`.
pub(crate) struct PointedJson<T>(pub(crate) T);

impl<'a, T: DeserializeOwned> FromRequest<'a> for PointedJson<T> {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let Json(json) = Json::<Box<RawValue>>::from_request(request, body).await?;
        let value = serde_path_to_error::deserialize(&*json);
        value.map(Self).map_err(|error| refused(format!("parse error: {error}")))
    }
}

/// Like `Query`, but its text about a wrong field begins with the path.
pub(crate) struct PointedQuery<T>(pub(crate) T);

impl<'a, T: DeserializeOwned> FromRequest<'a> for PointedQuery<T> {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        pairs(request.uri().query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Parses a query, or the bytes of a form.
pub(crate) fn pairs<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(pairs).map_err(|error| refused(format!("url decode: {error}")))
}

fn refused(text: String) -> Error {
    // `Error::from_string` would respond without a media type.
    Error::from_response((StatusCode::BAD_REQUEST, text).into_response())
}
