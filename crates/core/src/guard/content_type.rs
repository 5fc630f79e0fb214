//! The content type (rule G3): compares the type that a request declares with the types that the route decodes.
//!
//! A request with two content types is refused. A content type that cannot be parsed is also refused. Parameters must
//! be valid, but are not compared.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::fields;
use crate::syntax::media_type;
use crate::table::SettingError;

/// The media types that a route decodes, in lower case. The list is never empty.
#[derive(Clone, Debug)]
pub(crate) struct MediaTypes {
    types: Box<[String]>,
    /// The fault for a wrong type. It lists the types that the route accepts, in its message and in the header that RFC
    /// 9110 §15.5.16 defines.
    pub(crate) refusal: Fault,
}

/// The result of comparing a request's content type with a list of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    Accepted,
    Missing,
    Refused,
}

impl MediaTypes {
    /// Returns the types of a list, which must not be empty.
    pub(crate) fn new(types: &[String]) -> Result<Self, SettingError> {
        let types: Box<[String]> = types.iter().map(|media_type| parse(media_type)).collect::<Result<_, _>>()?;
        let accept = HeaderValue::from_str(&types.join(", "));
        match accept {
            Ok(accept) if !types.is_empty() => Ok(Self { refusal: refusal(&types, accept).with_stored_reply(), types }),
            _ => Err(SettingError::new(KEY, "the list has no media type", "list at least one, or remove the guard")),
        }
    }

    /// Compares the content type of a request. `first` is the first value of the header. `second` is true if there is
    /// another value, which is refused.
    pub(crate) fn declared(&self, first: Option<&HeaderValue>, second: bool) -> Declared {
        match first {
            None => Declared::Missing,
            Some(value) if !second && self.accepts(value) => Declared::Accepted,
            Some(_) => Declared::Refused,
        }
    }

    fn accepts(&self, value: &HeaderValue) -> bool {
        // Nearly all clients send the type without parameters, so it is compared as a whole first.
        if self.types.iter().any(|accepted| accepted.as_bytes() == value.as_bytes()) {
            return true;
        }
        let Some(essence) = essence(value.as_bytes()) else { return false };
        self.types.iter().any(|accepted| accepted.eq_ignore_ascii_case(essence))
    }
}

fn refusal(types: &[String], accept: HeaderValue) -> Fault {
    let cause = format!("header content-type: not {}", types.join(" or "));
    let fault = Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE).with_header(ACCEPT, accept).with_source(cause);
    match types {
        [json] if json == JSON => fault,
        [one] => fault.with_stock_message(format!("Content-Type must be {one}.")),
        [first @ .., last] => fault.with_stock_message(format!("Content-Type must be {} or {last}.", first.join(", "))),
        [] => fault,
    }
}

/// The media type that `json = true` requires.
pub const JSON: &str = "application/json";

const KEY: &str = "content_types";

/// Parses a media type of a policy, and returns it in lower case.
pub(crate) fn parse(written: &str) -> Result<String, SettingError> {
    let right = "write a whole type without parameters, such as \"application/json\"";
    match essence(written.as_bytes()) {
        Some(whole) if whole == written && !written.contains('*') => Ok(written.to_ascii_lowercase()),
        _ => Err(SettingError::new(KEY, format!("{written:?} is not a valid media type"), right)),
    }
}

/// Returns the `type/subtype` of the content-type header. Returns `None` if there is not exactly one such header, or if
/// it is not valid.
pub fn declared_essence(headers: &HeaderMap) -> Option<&str> {
    essence(fields::single_value(headers, &CONTENT_TYPE)?.as_bytes())
}

/// Returns the `type/subtype` of a content-type header, or `None` if its parameters are not valid (RFC 9110 §8.3.1).
pub fn essence(value: &[u8]) -> Option<&str> {
    let value = value.trim_ascii();
    let (kind, subtype) = media_type(value, |_, _| true)?;
    str::from_utf8(&value[..kind.len() + 1 + subtype.len()]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(types: &[&str]) -> MediaTypes {
        MediaTypes::new(&types.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn declared(values: &[&str]) -> Declared {
        let first = values.first().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
        list(&["application/json", "Text/X-Note"]).declared(first.as_ref(), values.len() > 1)
    }

    #[test]
    fn g3_parameters_and_case_do_not_matter() {
        for good in [
            "application/json",
            "Application/JSON;Charset=\"UTF-8\"",
            "application/json ; charset=utf-8;",
            "application/json;a=\"x;\\\",y\"; b=c",
            "text/x-note",
        ] {
            assert_eq!(declared(&[good]), Declared::Accepted, "{good}");
        }
        assert_eq!(declared(&[]), Declared::Missing);
    }

    #[test]
    fn g3_two_headers_or_an_unparsable_one_are_refused() {
        for bad in [
            "",
            "json",
            "application/jsonp",
            "application/json, text/plain",
            "application/json;charset=utf-8, text/plain",
            "application/json; charset",
            "application/json;a=\"x",
            "application/json; a=\"x\\\"",
            "application/ json",
            "/json",
            "application/js\u{f6}n",
        ] {
            assert_eq!(declared(&[bad]), Declared::Refused, "{bad}");
        }
        assert_eq!(declared(&["application/json", "application/json"]), Declared::Refused);
    }

    #[test]
    fn g3_the_answer_names_the_types_of_the_route() {
        assert_eq!(
            list(&["application/json"]).refusal.to_string(),
            "unsupported_media_type: Content-Type must be application/json."
        );
        assert!(list(&["a/b"]).refusal.to_string().ends_with("must be a/b."));
        assert!(list(&["a/b", "c/d", "E/f"]).refusal.to_string().ends_with("must be a/b, c/d or e/f."));
    }

    #[test]
    fn m2_a_type_with_parameters_or_a_star_is_refused() {
        for bad in ["", "json", "application/*", "application/json; charset=utf-8", " a/b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
