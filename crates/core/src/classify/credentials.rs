//! Decides the code of an inner 401 without a code, from the request and `www-authenticate` (R1).

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http_auth::parser::ChallengeParser;

use crate::code::ErrorCode;
use crate::syntax::elements;

/// The kind of the credentials of a request, on which the code of an inner 401 depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    None,
    Bearer,
    /// `authorization` with a scheme other than `Bearer`. The inner service may have offered that scheme.
    Scheme,
    /// A key in another header.
    Key,
}

impl Credentials {
    /// Finds the credentials in the headers of a request, and the name of another scheme than `Bearer`. `has_key` is
    /// true if one of the headers from which services read keys has a value.
    pub(crate) fn from_headers(headers: &HeaderMap, has_key: bool) -> (Self, Option<Cow<'_, str>>) {
        let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
        match authorization.filter(|value| !value.is_empty()) {
            Some(value) => Self::of_authorization(value),
            None if has_key => (Self::Key, None),
            None => (Self::None, None),
        }
    }

    fn of_authorization(value: &[u8]) -> (Self, Option<Cow<'_, str>>) {
        // A value of a single word has no scheme, and may itself be a key, which must not be logged (L3).
        let scheme = value.iter().position(u8::is_ascii_whitespace).map_or(&b""[..], |end| &value[..end]);
        let scheme = if value.eq_ignore_ascii_case(b"bearer") { value } else { scheme };
        if scheme.eq_ignore_ascii_case(b"bearer") {
            (Self::Bearer, None)
        } else {
            (Self::Scheme, Some(String::from_utf8_lossy(scheme)))
        }
    }
}

/// Returns the code of an inner 401 that states no code itself. `scheme` is the name of a scheme other than `Bearer`.
pub(crate) fn code_of_401(sent: Credentials, scheme: &str, response: &HeaderMap) -> ErrorCode {
    match sent {
        Credentials::None => ErrorCode::AUTH_MISSING,
        Credentials::Scheme if !offers(response, scheme) => ErrorCode::AUTH_MALFORMED,
        _ if reports_expiry(response) => ErrorCode::AUTH_EXPIRED,
        _ => ErrorCode::AUTH_INVALID,
    }
}

fn offers(response: &HeaderMap, scheme: &str) -> bool {
    any_challenge(response, &|challenge| challenge.scheme.eq_ignore_ascii_case(scheme))
        || challenge_lines(response).any(|line| begins_unparsed(line, scheme))
}

/// Returns true if an element of a line that the parser cannot read begins with that scheme. In the second step of
/// Negotiate and NTLM, a token68 takes the place of the parameters.
fn begins_unparsed(line: &str, scheme: &str) -> bool {
    let begins = |element: &[u8]| {
        let (name, rest) = element.split_at(element.iter().position(|byte| *byte == b' ').unwrap_or(element.len()));
        !name.is_empty() && name.eq_ignore_ascii_case(scheme.as_bytes()) && !rest.trim_ascii_start().starts_with(b"=")
    };
    let unparsed = ChallengeParser::new(line).any(|challenge| challenge.is_err());
    unparsed && elements(line.as_bytes()).any(begins)
}

/// Returns true if a challenge reports an expired token. RFC 6750 defines one error for every fault of a token, so only
/// the description mentions the expiry.
fn reports_expiry(response: &HeaderMap) -> bool {
    any_challenge(response, &|challenge| {
        let param = |name: &str| {
            let found = challenge.params.iter().find(|(param, _)| param.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        param("error").is_some_and(|error| error == "invalid_token")
            && param("error_description").is_some_and(|text| text.to_ascii_lowercase().contains("expir"))
    })
}

fn any_challenge(response: &HeaderMap, is: &dyn Fn(&http_auth::ChallengeRef<'_>) -> bool) -> bool {
    challenge_lines(response).any(|line| ChallengeParser::new(line).map_while(Result::ok).any(|it| is(&it)))
}

fn challenge_lines(response: &HeaderMap) -> impl Iterator<Item = &str> {
    response.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn r1_what_counts_as_credentials() {
        for (lines, has_key, sent) in [
            (&[][..], false, (Credentials::None, None)),
            (&[], true, (Credentials::Key, None)),
            (&[("authorization", " ")], false, (Credentials::None, None)),
            (&[("authorization", "")], true, (Credentials::Key, None)),
            (&[("authorization", "bearer x")], true, (Credentials::Bearer, None)),
            (&[("authorization", "Basic YTpi")], false, (Credentials::Scheme, Some("Basic".into()))),
            (&[("authorization", "sk-live-1")], false, (Credentials::Scheme, Some("".into()))),
            (&[("authorization", "Bearer")], false, (Credentials::Bearer, None)),
        ] {
            assert_eq!(Credentials::from_headers(&headers(lines), has_key), sent, "{lines:?}");
        }
    }

    #[test]
    fn r1_an_inner_401_is_told_apart() {
        for (sent, challenge, code) in [
            ((Credentials::None, ""), "Bearer error=\"invalid_token\", error_description=\"expired\"", "auth_missing"),
            ((Credentials::Scheme, "basic"), "Bearer", "auth_malformed"),
            ((Credentials::Scheme, "basic"), "Bearer realm=\"a, Basic\"", "auth_malformed"),
            ((Credentials::Scheme, "basic"), "Bearer realm=\"a\", Basic realm=\"b\"", "auth_invalid"),
            ((Credentials::Scheme, "basic"), "BASIC YWJj==", "auth_invalid"),
            ((Credentials::Scheme, "basic"), "Negotiate YWJj==, Basic realm=\"b\"", "auth_invalid"),
            ((Credentials::Scheme, "basic"), "Bearer realm=\"a, Basic YWJj, b\"", "auth_malformed"),
            (
                (Credentials::Scheme, "basic"),
                "Negotiate YWJj==, Bearer realm=\"x, Basic y, \\\", Basic z\"",
                "auth_malformed",
            ),
            ((Credentials::Scheme, ""), "Negotiate YWJj==, ,", "auth_malformed"),
            (
                (Credentials::Bearer, ""),
                "Bearer error=\"invalid_token\", error_description=\"The token expired\"",
                "auth_expired",
            ),
            (
                (Credentials::Bearer, ""),
                "Bearer error=\"invalid_token\", error_description=\"bad signature\"",
                "auth_invalid",
            ),
            (
                (Credentials::Bearer, ""),
                "Bearer error=\"insufficient_scope\", error_description=\"expired\"",
                "auth_invalid",
            ),
            ((Credentials::Key, ""), "", "auth_invalid"),
        ] {
            let response = headers(&[("www-authenticate", challenge)]);
            assert_eq!(code_of_401(sent.0, sent.1, &response), code, "{sent:?} {challenge}");
        }
    }
}
