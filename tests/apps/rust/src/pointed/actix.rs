use actix_web::dev::Payload;
use actix_web::error::ErrorBadRequest;
use actix_web::web::Json;
use actix_web::{Error, FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Like `Json`, but its text about a wrong field begins with the path. Limit and media type are those of `Json`.
pub(crate) struct PointedJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for PointedJson<T> {
    type Error = Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = Json::<Box<RawValue>>::from_request(request, payload);
        Box::pin(async move {
            let value = serde_path_to_error::deserialize(&**json.await?);
            value.map(Self).map_err(|error| ErrorBadRequest(format!("Json deserialize error: {error}")))
        })
    }
}

/// Parses a query, or the bytes of a form.
pub(crate) fn pairs<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| ErrorBadRequest(format!("Query deserialize error: {error}")))
}

/// Like `Query`, but its text about a wrong field begins with the path.
pub(crate) struct PointedQuery<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for PointedQuery<T> {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(pairs(request.query_string().as_bytes()).map(Self))
    }
}
