use salvo::http::{ParseError, StatusCode};
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The response of a handler to input that it cannot read.
pub(crate) struct Refused(StatusCode, String);

#[async_trait]
impl Writer for Refused {
    async fn write(self, _: &mut Request, _: &mut Depot, response: &mut Response) {
        response.status_code(self.0);
        response.render(self.1);
    }
}

impl From<ParseError> for Refused {
    fn from(error: ParseError) -> Self {
        let status = match error {
            ParseError::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ParseError::InvalidContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

/// Like `parse_json_with_max_size`, but its text about a wrong field begins with the path.
pub(crate) async fn json<T: DeserializeOwned>(request: &mut Request, limit: usize) -> Result<T, Refused> {
    let json: Box<RawValue> = request.parse_json_with_max_size(limit).await?;
    let value = serde_path_to_error::deserialize(&*json);
    value.map_err(|error| Refused(StatusCode::BAD_REQUEST, format!("serde json error: {error}")))
}

/// Parses a query, or the bytes of a form.
pub(crate) fn pairs<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refused> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    let value = serde_path_to_error::deserialize(pairs);
    value.map_err(|error| Refused(StatusCode::BAD_REQUEST, format!("Failed to deserialize form: {error}")))
}
