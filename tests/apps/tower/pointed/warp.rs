use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use warp::http::StatusCode;
use warp::reject::{self, Reject};
use warp::{Filter, Rejection, Reply, reply};

#[derive(Debug)]
struct Refused(String);

impl Reject for Refused {}

/// Like `warp::body::json`, but its text about a wrong field begins with the path. The media type is that of
/// `warp::body::json`.
pub(crate) fn json<T: DeserializeOwned + Send>() -> impl Filter<Extract = (T,), Error = Rejection> + Copy {
    warp::body::json().and_then(|json: Box<RawValue>| async move {
        let value = serde_path_to_error::deserialize(&*json);
        value.map_err(|error| reject::custom(Refused(format!("Request body deserialize error: {error}"))))
    })
}

/// Parses a query, or the bytes of a form.
pub(crate) async fn pairs<T: DeserializeOwned>(text: impl AsRef<[u8]>) -> Result<T, Rejection> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_ref()));
    let value = serde_path_to_error::deserialize(pairs);
    value.map_err(|error| reject::custom(Refused(format!("Failed to deserialize form: {error}"))))
}

/// Makes the response to a rejection. It is used by `recover` around all routes.
pub(crate) async fn refusal_reply(rejection: Rejection) -> Result<impl Reply, Rejection> {
    match rejection.find::<Refused>() {
        Some(Refused(text)) => Ok(reply::with_status(text.clone(), StatusCode::BAD_REQUEST)),
        None => Err(rejection),
    }
}
