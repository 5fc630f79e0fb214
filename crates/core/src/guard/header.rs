//! Required headers (rule G1). Each required header must be present exactly once, and be well-formed. A header whose
//! name is the same to a service that works like CGI is treated as a repetition.
//!
//! A missing header has one message, and a malformed or repeated header has another message. The pattern must match the
//! whole value. Without a pattern, every value except an empty one is accepted.

use http::header::HeaderMap;
use http::{HeaderName, HeaderValue};

use super::expression::{HEADER_VALUES, WholeValue};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::fields;
use crate::table::{Message, Refusals, SettingError, setters};

setters! {
    /// A header that requests must have: `[header.*]` in the policy file (rule G1).
    ///
    /// A mistake is refused when the policy is built.
    ///
    /// ```
    /// use tower_error_envelope::policy::RequiredHeader;
    /// use tower_error_envelope::{Policy, RouteRule};
    ///
    /// let app_id = RequiredHeader::new("x-app-id").pattern("[A-Za-z0-9_-]{1,64}").missing("Missing X-App-ID header");
    /// let policy = Policy::builder()
    ///     .header("app-id", app_id)
    ///     .route(RouteRule::new("/api/{*rest}").require_headers(["app-id"]))
    ///     .build();
    /// assert!(policy.is_ok());
    /// ```
    pub struct RequiredHeader {
        /// The name of the header, in any letter case.
        name: String = required,
        /// Sets a regular expression that must match the whole value.
        #[cfg(feature = "pattern")]
        pattern: String,
        /// Sets the message for requests without the header.
        missing: Message,
        /// Sets the message for requests whose value does not match, or which repeat the header.
        invalid: Message,
    }
}

impl RequiredHeader {
    /// Creates a required header of this name, in any letter case.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Returns the header's name if the gateway sets it on each request by default, and any value is accepted.
    #[cfg(feature = "policy-file")]
    pub(crate) fn set_by_gateway(&self) -> Option<&'static str> {
        const SET: [&str; 3] = ["forwarded", "x-forwarded-for", "x-forwarded-proto"];

        let name = self.name.as_deref().filter(|_| self.pattern.is_none())?;
        SET.into_iter().find(|set| fields::is_same_to_cgi(name, set))
    }

    pub(crate) fn compile(self, refusals: &mut Refusals) -> Option<HeaderGuard> {
        let name = self.name.and_then(|name| refusals.keep(parse_name(&name)));
        let pattern = refusals.keep_some(self.pattern, |it| WholeValue::compile(&it, HEADER_VALUES));
        for (key, text) in [("missing", &self.missing), ("invalid", &self.invalid)] {
            text.as_deref().map(|text| refusals.keep(SettingError::check_message(key, text)));
        }
        let (name, pattern) = (name?, pattern?);
        let refusal = |text: Option<Message>, why: &str| {
            let fault = Fault::new(ErrorCode::BAD_REQUEST);
            // In a dialect for old clients, the dialect's own text replaces a stock message of the layer, but no message
            // of the policy (R12).
            let fault = match text {
                Some(text) => fault.with_message(text),
                None => fault.with_stock_message(format!("The header {name} is {why}.")),
            };
            fault.with_source(format!("header {name}: {why}")).with_stored_reply()
        };
        let (missing, invalid) = (refusal(self.missing, "missing"), refusal(self.invalid, "badly formed or repeated"));
        Some(HeaderGuard { name, pattern, missing, invalid })
    }
}

/// A valid [`RequiredHeader`].
#[derive(Clone, Debug)]
pub(crate) struct HeaderGuard {
    pub(crate) name: HeaderName,
    pattern: Option<WholeValue>,
    pub(crate) missing: Fault,
    invalid: Fault,
}

impl HeaderGuard {
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        match fields::with_rivals(headers, &self.name) {
            (Some(value), false) if self.accepts(value) => Ok(()),
            (None, _) => Err(self.missing.clone()),
            _ => Err(self.invalid.clone()),
        }
    }

    fn accepts(&self, value: &HeaderValue) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.matches(value.as_bytes()),
            None => !is_blank(value.as_bytes()),
        }
    }
}

/// Returns true if nothing is left of a value in a service that trims white space in UTF-8 or in Latin-1.
fn is_blank(value: &[u8]) -> bool {
    let is_trimmed = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '\u{feff}';
    match str::from_utf8(value) {
        Ok(text) => text.chars().all(is_trimmed),
        Err(_) => value.iter().all(|byte| is_trimmed(char::from(*byte))),
    }
}

fn parse_name(name: &str) -> Result<HeaderName, SettingError> {
    let (wrong, right) = match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if name != "x-request-id" => return Ok(name),
        Ok(_) => (
            "x-request-id cannot be required, because the layer sets it on every request (I1)".to_owned(),
            "remove the table; trust = \"valid\" in [request_id] keeps the client's id",
        ),
        Err(_) => (format!("{name:?} is not a valid header name"), "write one such as \"x-app-id\""),
    };
    Err(SettingError::new("name", wrong, right))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> HeaderGuard {
        RequiredHeader::new("X-Tenant").pattern("[a-z]{1,8}|é+").invalid("bad").compiled().unwrap()
    }

    impl RequiredHeader {
        pub(crate) fn compiled(self) -> Result<HeaderGuard, SettingError> {
            crate::table::alone(|it| self.compile(it))
        }
    }

    fn verdict(guard: &HeaderGuard, values: &[&str]) -> Result<(), String> {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let headers = values.map(|value| (HeaderName::from_static("x-tenant"), value)).collect();
        guard.check(&headers).map_err(|fault| fault.to_string())
    }

    #[test]
    fn g1_the_whole_value_must_match_once() {
        for good in ["a", "abcdefgh", "éé"] {
            assert_eq!(verdict(&guard(), &[good]), Ok(()), "{good}");
        }
        for bad in [&["abcdefghi"][..], &["a b"], &[""], &["A"], &["a", "a"], &["é\u{e8}"]] {
            assert_eq!(verdict(&guard(), bad), Err("bad_request: bad".to_owned()), "{bad:?}");
        }
        assert_eq!(verdict(&guard(), &[]), Err("bad_request: The header x-tenant is missing.".to_owned()));
    }

    #[test]
    fn g1_a_look_alike_is_a_repetition_and_alone_it_is_no_header() {
        let guard = RequiredHeader::new("x-tenant_id").compiled().unwrap();
        let check = |lines: &[(&'static str, &'static str)]| {
            let line = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            guard.check(&lines.iter().map(line).collect()).map_err(|fault| fault.to_string())
        };
        let missing = "bad_request: The header x-tenant_id is missing.";
        let invalid = "bad_request: The header x-tenant_id is badly formed or repeated.";
        assert_eq!(check(&[("x-tenant_id", "a"), ("x-tenant_ix", "b"), ("x-tenantid", "c")]), Ok(()));
        assert_eq!(check(&[("x-tenant-id", "a"), ("x_tenant_id", "b")]), Err(missing.to_owned()));
        for name in ["x-tenant-id", "x_tenant_id", "x.tenant~id"] {
            assert_eq!(check(&[("x-tenant_id", "a"), (name, "a")]), Err(invalid.to_owned()), "{name}");
        }
    }

    #[test]
    fn g1_bytes_that_are_no_text_do_not_match_any_character() {
        let guard = RequiredHeader::new("x-tenant").pattern(".*").compiled().unwrap();
        let headers = [(HeaderName::from_static("x-tenant"), HeaderValue::from_bytes(b"\xff").unwrap())];
        assert!(guard.check(&headers.into_iter().collect()).is_err());
    }

    #[test]
    fn g1_without_a_pattern_an_empty_value_is_refused() {
        let guard = RequiredHeader::new("x-tenant").compiled().unwrap();
        assert_eq!(verdict(&guard, &["anything at all"]), Ok(()));
        let text = "bad_request: The header x-tenant is badly formed or repeated.";
        for blank in ["", " ", "\u{a0}", "\u{feff}\u{3000}"] {
            assert_eq!(verdict(&guard, &[blank]), Err(text.to_owned()), "{blank:?}");
        }
        let latin = [(HeaderName::from_static("x-tenant"), HeaderValue::from_bytes(b"\xa0\x85").unwrap())];
        assert!(guard.check(&latin.into_iter().collect()).is_err());
    }
}
