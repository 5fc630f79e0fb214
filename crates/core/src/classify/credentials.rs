//! Decides the code of an inner 401 without a code, from the request and `www-authenticate` (R1).

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http_auth::parser::ChallengeParser;

use crate::code::ErrorCode;
use crate::syntax::elements;

/// The credentials of a request. Only the facts on which the code of an inner 401 depends are stored.
#[derive(PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    None,
    Bearer,
    /// `authorization` with a scheme other than `Bearer`. The inner service may have offered that scheme.
    Scheme(Cow<'a, str>),
    /// A key in another header.
    Key,
}

/// The kind of the credentials, without the name of their scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    None,
    Bearer,
    Scheme,
    Key,
}

impl<'a> Credentials<'a> {
    pub(crate) fn new(kind: CredentialKind, scheme: Option<&'a str>) -> Self {
        match kind {
            CredentialKind::None => Self::None,
            CredentialKind::Bearer => Self::Bearer,
            CredentialKind::Scheme => Self::Scheme(scheme.unwrap_or_default().into()),
            CredentialKind::Key => Self::Key,
        }
    }

    pub(crate) fn kind(&self) -> CredentialKind {
        match self {
            Self::None => CredentialKind::None,
            Self::Bearer => CredentialKind::Bearer,
            Self::Scheme(_) => CredentialKind::Scheme,
            Self::Key => CredentialKind::Key,
        }
    }

    /// Finds the credentials in the headers of a request. `has_key` is true if one of the headers from which services
    /// read keys has a value.
    pub(crate) fn from_headers(headers: &'a HeaderMap, has_key: bool) -> Self {
        let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
        match authorization.filter(|value| !value.is_empty()) {
            Some(value) => Self::of_authorization(value),
            None if has_key => Self::Key,
            None => Self::None,
        }
    }

    fn of_authorization(value: &'a [u8]) -> Self {
        // A value of a single word has no scheme, and may itself be a key, which must not be logged (L3).
        let scheme = value.iter().position(u8::is_ascii_whitespace).map_or(&b""[..], |end| &value[..end]);
        let scheme = if value.eq_ignore_ascii_case(b"bearer") { value } else { scheme };
        if scheme.eq_ignore_ascii_case(b"bearer") {
            Self::Bearer
        } else {
            Self::Scheme(String::from_utf8_lossy(scheme))
        }
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

/// Returns the code of an inner 401 that states no code itself.
pub(crate) fn code_of_401(sent: &Credentials<'_>, response: &HeaderMap) -> ErrorCode {
    match sent {
        Credentials::None => ErrorCode::AUTH_MISSING,
        Credentials::Scheme(scheme) if !offers(response, scheme) => ErrorCode::AUTH_MALFORMED,
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
            (&[][..], false, Credentials::None),
            (&[], true, Credentials::Key),
            (&[("authorization", " ")], false, Credentials::None),
            (&[("authorization", "")], true, Credentials::Key),
            (&[("authorization", "bearer x")], true, Credentials::Bearer),
            (&[("authorization", "Basic YTpi")], false, Credentials::Scheme("Basic".into())),
            (&[("authorization", "sk-live-1")], false, Credentials::Scheme("".into())),
            (&[("authorization", "Bearer")], false, Credentials::Bearer),
        ] {
            assert_eq!(Credentials::from_headers(&headers(lines), has_key), sent, "{lines:?}");
        }
    }

    #[test]
    fn r1_an_inner_401_is_told_apart() {
        let basic = || Credentials::Scheme("basic".into());
        for (sent, challenge, code) in [
            (Credentials::None, "Bearer error=\"invalid_token\", error_description=\"expired\"", "auth_missing"),
            (basic(), "Bearer", "auth_malformed"),
            (basic(), "Bearer realm=\"a, Basic\"", "auth_malformed"),
            (basic(), "Bearer realm=\"a\", Basic realm=\"b\"", "auth_invalid"),
            (basic(), "BASIC YWJj==", "auth_invalid"),
            (basic(), "Negotiate YWJj==, Basic realm=\"b\"", "auth_invalid"),
            (basic(), "Bearer realm=\"a, Basic YWJj, b\"", "auth_malformed"),
            (basic(), "Negotiate YWJj==, Bearer realm=\"x, Basic y, \\\", Basic z\"", "auth_malformed"),
            (Credentials::Scheme("".into()), "Negotiate YWJj==, ,", "auth_malformed"),
            (
                Credentials::Bearer,
                "Bearer error=\"invalid_token\", error_description=\"The token expired\"",
                "auth_expired",
            ),
            (
                Credentials::Bearer,
                "Bearer error=\"invalid_token\", error_description=\"bad signature\"",
                "auth_invalid",
            ),
            (Credentials::Bearer, "Bearer error=\"insufficient_scope\", error_description=\"expired\"", "auth_invalid"),
            (Credentials::Key, "", "auth_invalid"),
        ] {
            let response = headers(&[("www-authenticate", challenge)]);
            assert_eq!(code_of_401(&sent, &response), code, "{sent:?} {challenge}");
        }
    }
}
