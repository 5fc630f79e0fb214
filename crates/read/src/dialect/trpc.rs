//! tRPC's errors (10 and 11): `{"error":{"message","code":-32…,"data":{"code","httpStatus"…}}}`, or the same with
//! `json` inside `error`, or a batch of them (R10).

use super::json::Object;
use super::outgoing::is_identifier;
use super::parsed_error::{Body, ParsedError};

/// Returns true if a JSON object is an error of tRPC, without any other fields.
pub(super) fn is_error(body: &Body<'_, '_>) -> bool {
    let is_alone = |(name, value): (&str, &serde_json::value::RawValue)| match name {
        "error" => true,
        "id" => value.get() == "null",
        _ => false,
    };
    body.error.as_ref().is_some_and(|error| inside(error, |_| ()).is_some()) && body.object.members().all(is_alone)
}

/// Parses an error that `protocols = "rewrite"` rewrites. The code of the error is in the field `data`.
pub(super) fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let parse = |error: &Object<'a>| Some((error.object("data")?.words("code"), error.words("message")));
    let (code, message) = inside(body.error.as_ref()?, parse)??;
    Some(ParsedError::new(code, message))
}

/// Returns the result of `read` for the error object. superjson wraps this object in a field `json`.
fn inside<'a, T>(error: &Object<'a>, read: impl Fn(&Object<'a>) -> T) -> Option<T> {
    match error.object("json") {
        Some(inside) => has_signs(&inside).then(|| read(&inside)),
        None => has_signs(error).then(|| read(error)),
    }
}

fn has_signs(error: &Object<'_>) -> bool {
    error.number("code").is_some_and(|code| code.starts_with("-32"))
        && error.string("message").is_some()
        && error.object("data").is_some_and(|data| {
            data.words("code").is_some_and(|code| is_identifier(&code)) && data.number("httpStatus").is_some()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str =
        r#""data":{"code":"X","httpStatus":500,"path":"a.b","stack":"at s3cret","zodError":{"s3cret":1}}"#;

    #[test]
    fn r10_what_is_only_alike_is_none() {
        for (body, is) in [
            (format!(r#"{{"error":{{"message":"m","code":-32009,{DATA}}}}}"#), true),
            (format!(r#"{{"id":null,"error":{{"json":{{"message":"m","code":-32009,{DATA}}}}}}}"#), true),
            (format!(r#"{{"id":1,"error":{{"message":"m","code":-32009,{DATA}}}}}"#), false),
            (format!(r#"{{"stack":"","error":{{"message":"m","code":-32009,{DATA}}}}}"#), false),
            (format!(r#"{{"error":{{"message":"m","code":32009,{DATA}}}}}"#), false),
            (format!(r#"{{"error":{{"message":1,"code":-32009,{DATA}}}}}"#), false),
            // A part that is removed on a 5xx must not be needed to recognise the body. Otherwise a second layer could
            // not read the body that the first layer wrote (E7).
            (r#"{"error":{"message":"m","code":-32603,"data":{"code":"NO NAME","httpStatus":500}}}"#.to_owned(), false),
            (r#"{"error":{"message":"m","code":-32009}}"#.to_owned(), false),
            (r#"{"error":{"message":"m","code":-32009,"data":{"code":"X"}}}"#.to_owned(), false),
        ] {
            assert_eq!(is_error(&Body::new(None, Object::parse(&body).unwrap())), is, "{body}");
        }
    }
}
