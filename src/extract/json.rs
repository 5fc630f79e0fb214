//! Extracts and writes JSON bodies.

use axum_core::extract::{FromRequest, OptionalFromRequest, Request};
use axum_core::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::issue;
use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::guard::content_type::{JSON, declared_essence};

/// A JSON body. It is an extractor as a handler's argument, and a response as a handler's result.
///
/// The extractor accepts `application/json` and types that end in `+json`, as axum's `Json` does. A body must be within
/// axum's limit (2 MiB by default, or axum's `DefaultBodyLimit`) and within the layer's limit. `Option<Json<T>>` is
/// `None` for a request without a content type. The [module](crate::extract) describes the responses to invalid input.
///
/// The response lists only the first wrong field, because serde stops there. To list all wrong fields, use types that
/// accept every value of the right JSON type. Then validate the values with `garde` or `validator` (features of this
/// crate). `?` converts their reports to issues.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::Fault;
/// use tower_error_envelope::extract::Json;
///
/// #[derive(Deserialize)]
/// struct Message {
///     text: String,
/// }
///
/// async fn send(Json(message): Json<Message>) -> Json<usize> {
///     Json(message.text.len())
/// }
///
/// async fn send_or_400(message: Result<Json<Message>, Fault>) -> Result<Json<usize>, Fault> {
///     let Json(message) = message.map_err(|fault| fault.with_status(http::StatusCode::BAD_REQUEST))?;
///     Ok(Json(message.text.len()))
/// }
/// # let _: axum::Router =
/// #     axum::Router::new().route("/", axum::routing::post(send)).route("/400", axum::routing::post(send_or_400));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> Json<T> {
    /// Parses JSON that is not a request's body, such as a message of a WebSocket.
    ///
    /// ```
    /// use tower_error_envelope::extract::Json;
    ///
    /// let fault = Json::<Vec<u8>>::from_bytes(b"[3,300]").unwrap_err();
    /// assert_eq!((fault.status().as_u16(), fault.code().as_str()), (422, "invalid_request"));
    /// assert!(fault.details_json().unwrap().contains(r#""path":[1]"#));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the same faults as the extractor: `invalid_request` with an issue, or `bad_request` for bytes that are
    /// not JSON.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        read(bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            let fault = Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE);
            return Err(fault.with_header(ACCEPT, HeaderValue::from_static(JSON)));
        }
        let coding = request.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
        let is_coded =
            matches!(coding.as_deref(), Some(b"gzip" | b"x-gzip" | b"deflate" | b"br" | b"zstd" | b"compress"));
        let body = Bytes::from_request(request, state).await?;
        // RFC 9110, 8.4: a resource that does not decode a body answers 415.
        Self::from_bytes(&body).map_err(|fault| match is_coded && *fault.code() == ErrorCode::BAD_REQUEST {
            true => Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE)
                .with_message("The body must not have a Content-Encoding.")
                .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            false => fault,
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Fault> {
        if request.headers().contains_key(CONTENT_TYPE) {
            <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    /// Writes the value as JSON. If the value cannot be written as JSON, the response is `internal_error`. axum's
    /// `Json` would send the reason to the client.
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, HeaderValue::from_static(JSON))], body).into_response(),
            Err(error) => Fault::new(ErrorCode::INTERNAL_ERROR).with_source(error).into_response(),
        }
    }
}

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some((kind, subtype)) = declared_essence(headers).and_then(|it| it.split_once('/')) else { return false };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        // For the errors of `Category::Data`, the status is the same as that of axum's `Json`.
        let text = match error.inner().classify() {
            Category::Data => Some(without_place(error.inner())),
            _ => text_of_json(body, error.inner()).map(str::to_owned),
        };
        match text {
            Some(text) => {
                Fault::from(issue::of_data(error.path(), &text)).with_status(StatusCode::UNPROCESSABLE_ENTITY)
            }
            None => not_json(body, error.inner()),
        }
    })?;
    deserializer.end().map_err(|error| not_json(body, &error))?;
    Ok(value)
}

/// Returns a text in serde's form for errors that serde_json reports as wrong syntax, although the body is JSON.
fn text_of_json(body: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let text = error.to_string();
    let texts = [
        ("trailing characters", issue::TOO_LONG),
        ("number out of range", "number too large to fit in target type"),
        // A variant of an enum is a text or an object with one member.
        ("expected value", "invalid type: value, expected enum"),
        ("invalid value: expected key to be a number", "invalid value: key, expected a number as the name of a field"),
    ];
    let (_, found) = texts.into_iter().find(|(begin, _)| text.starts_with(begin))?;
    serde_json::from_slice::<IgnoredAny>(body).is_ok().then_some(found)
}

/// Makes the fault of a body that is not JSON. serde_json's own error text is not used, because it can quote the body.
fn not_json(body: &[u8], error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    Fault::new(ErrorCode::BAD_REQUEST).with_message(if body.trim_ascii().is_empty() {
        "The body is empty: it must be JSON.".to_owned()
    } else if error.to_string().starts_with("recursion limit exceeded") {
        "The body is nested too deeply.".to_owned()
    } else if error.is_eof() {
        format!("The body ends before its JSON does, at line {line}, column {column}.")
    } else {
        format!("The body is not valid JSON at line {line}, column {column}.")
    })
}

/// Returns the error's text without line and column. The issue's path shows better than line and column where the error
/// is.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())) {
        Some(text) => text.to_owned(),
        None => text,
    }
}
