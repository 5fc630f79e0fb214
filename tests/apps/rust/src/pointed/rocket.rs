use rocket::data::{Data, FromData, Outcome};
use rocket::form::Errors;
use rocket::http::Status;
use rocket::serde::json::{Json, Value, json};
use rocket::{Request, async_trait};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Like `Json`, but its error is a response that begins with the path. It is for handlers that take
/// `Result<PointedJson<T>, (Status, String)>`. Limit and statuses are those of `Json`.
pub(crate) struct PointedJson<T>(pub(crate) T);

#[async_trait]
impl<'r, T: Deserialize<'r>> FromData<'r> for PointedJson<T> {
    type Error = (Status, String);

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let refused = |status, text| Outcome::Error((status, (status, text)));
        match <Json<&'r RawValue>>::from_data(request, data).await {
            Outcome::Success(json) => match serde_path_to_error::deserialize(json.into_inner()) {
                Ok(value) => Outcome::Success(Self(value)),
                Err(error) => refused(Status::UnprocessableEntity, format!("parse error: {error}")),
            },
            Outcome::Error((status, error)) => refused(status, error.to_string()),
            Outcome::Forward(data) => Outcome::Forward(data),
        }
    }
}

/// Returns the errors of a query's and a form's guards, each with the name of its field.
pub(crate) fn fields(errors: Errors<'_>) -> (Status, Value) {
    let of_one = |error: &rocket::form::Error<'_>| {
        let name = error.name.as_ref().map(ToString::to_string);
        json!({ "field": name.unwrap_or_default(), "message": error.kind.to_string() })
    };
    (errors.status(), json!({ "errors": errors.iter().map(of_one).collect::<Vec<_>>() }))
}
