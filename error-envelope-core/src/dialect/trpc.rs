//! tRPC's errors (10 and 11): `{"error":{"message","code":-32…,"data":{"code","httpStatus"…}}}`, or what stands in `error` under
//! `json`, or a batch of them (rule R10).

use std::str;

use super::json::{self, Object, quoted, with_members};
use super::outgoing::{is_identifier, is_name};
use super::parsed_error::{Body, ParsedError};

/// Whether a JSON object is an error of tRPC's, and nothing else.
pub(super) fn is_error(body: &Body<'_, '_>) -> bool {
    let is_alone = |(name, value): (&str, &serde_json::value::RawValue)| match name {
        "error" => true,
        "id" => value.get() == "null",
        _ => false,
    };
    body.object.members().all(is_alone) && body.error.as_ref().is_some_and(|error| inside(error, |_| ()).is_some())
}

/// Where `protocols = "rewrite"`: its data name the code.
pub(super) fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let parse = |error: &Object<'a>| Some((error.object("data")?.words("code"), error.words("message")));
    let (code, message) = inside(body.error.as_ref()?, parse)??;
    Some(ParsedError::new(code, message))
}

/// A body of a 5xx as its clients may read it: with this message, and of its members those that name the error.
pub(crate) fn masked(body: &[u8], message: &str) -> Option<Vec<u8>> {
    let text = str::from_utf8(body).ok()?.trim();
    let Some(batch) = json::array(text) else { return masked_one(text, message) };
    let errors = batch.iter().map(|it| masked_one(it.get(), message)).collect::<Option<Vec<_>>>()?;
    Some([b"[", &*errors.join(&b','), b"]"].concat())
}

fn masked_one(text: &str, message: &str) -> Option<Vec<u8>> {
    let body = Object::parse(text)?;
    let error = body.object("error")?;
    let written = inside(&error, |error| {
        let data = error.object("data").map(|data| with_members(&data, &[], names_error)).unwrap_or_default();
        with_members(error, &[("message", quoted(message)), ("data", data)], |name, _| name == "code")
    })?;
    let written = if error.has("json") { with_members(&error, &[("json", written)], |_, _| false) } else { written };
    Some(with_members(&body, &[("error", written)], |name, _| name == "id"))
}

fn names_error(name: &str, value: &serde_json::value::RawValue) -> bool {
    matches!(name, "code" | "httpStatus" | "path") && is_name(value)
}

/// The error itself, which superjson puts under `json`.
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
    fn r10_a_5xx_tells_nothing_but_the_errors_name() {
        let one = format!(r#"{{"message":"s3cret","code":-32603,{DATA},"cause":"s3cret"}}"#);
        let told = r#"{"message":"No.","code":-32603,"data":{"code":"X","httpStatus":500,"path":"a.b"}}"#;
        for (body, masked_body) in [
            (format!(r#"{{"error":{one}}}"#), format!(r#"{{"error":{told}}}"#)),
            (format!(r#"{{"id":null,"error":{one}}}"#), format!(r#"{{"id":null,"error":{told}}}"#)),
            (
                format!(r#" [{{"error":{{"json":{one},"meta":{{"s3cret":1}}}}}},{{"error":{one}}}]"#),
                format!(r#"[{{"error":{{"json":{told}}}}},{{"error":{told}}}]"#),
            ),
        ] {
            let masked_once = masked(body.as_bytes(), "No.").unwrap();
            assert_eq!(str::from_utf8(&masked_once).unwrap(), masked_body);
            assert_eq!(masked(&masked_once, "No.").unwrap(), masked_once);
        }
    }

    #[test]
    fn r10_what_is_only_alike_is_none() {
        // What masking would leave out is no sign, so that a second layer reads what the first one wrote (E7).
        let prose = r#"{"error":{"message":"m","code":-32603,"data":{"code":"NO NAME","httpStatus":500}}}"#;
        assert!(masked(prose.as_bytes(), "No.").is_none());
        for (body, is) in [
            (format!(r#"{{"error":{{"message":"m","code":-32009,{DATA}}}}}"#), true),
            (format!(r#"{{"id":null,"error":{{"json":{{"message":"m","code":-32009,{DATA}}}}}}}"#), true),
            (format!(r#"{{"id":1,"error":{{"message":"m","code":-32009,{DATA}}}}}"#), false),
            (format!(r#"{{"stack":"","error":{{"message":"m","code":-32009,{DATA}}}}}"#), false),
            (format!(r#"{{"error":{{"message":"m","code":32009,{DATA}}}}}"#), false),
            (format!(r#"{{"error":{{"message":1,"code":-32009,{DATA}}}}}"#), false),
            (r#"{"error":{"message":"m","code":-32009}}"#.to_owned(), false),
            (r#"{"error":{"message":"m","code":-32009,"data":{"code":"X"}}}"#.to_owned(), false),
        ] {
            assert_eq!(is_error(&Body::new(None, Object::parse(&body).unwrap())), is, "{body}");
        }
    }
}
