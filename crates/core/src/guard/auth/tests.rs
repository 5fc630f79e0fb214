mod forwarding;
mod settings;
mod several;
mod verifiers;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::strategy::Strategy;

use super::scheme::Sent;
use super::*;
use crate::fault::Fault;
use crate::table::SettingError;

impl AuthScheme {
    pub(crate) fn compiled(self, name: &str) -> Result<Scheme, SettingError> {
        crate::table::alone(|it| self.compile(name, &Default::default(), it))
    }
}

impl<'a> From<&'a HeaderMap> for Sent<'a> {
    fn from(headers: &'a HeaderMap) -> Self {
        Self { headers, certificate: None }
    }
}

const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

fn compiled(schemes: impl IntoIterator<Item = (&'static str, AuthScheme)>) -> Vec<Arc<Scheme>> {
    schemes.into_iter().map(|(name, scheme)| Arc::new(scheme.compiled(name).unwrap())).collect()
}

fn bearer() -> AuthScheme {
    AuthScheme::bearer()
        .key(Key::of_secret("live", "key-live-1"))
        .key(Key::of_secret("gone", "key-gone-1").revoked())
        .key(Key::of_secret("past", "key-past-1").expires(at(NOW)))
        .key(Key::of_secret("later", "key-later-1").expires(at(NOW + 1)))
}

fn key_header() -> AuthScheme {
    AuthScheme::header("X-Api-Key").key(Key::of_secret("app", "app key: 1"))
}

fn verdict(schemes: &[Arc<Scheme>], lines: &[(&'static str, &str)]) -> SchemesOutcome {
    check_without_wait(schemes, &headers(lines), &|| at(NOW))
}

fn outcome(verdict: SchemesOutcome) -> String {
    match verdict {
        SchemesOutcome::In(passed) => {
            format!("in as {}/{}", passed.identity.scheme(), passed.identity.id().unwrap_or("-"))
        }
        SchemesOutcome::Anonymous => "in without an identity".to_owned(),
        SchemesOutcome::Refused(refusal) => refusal.fault().code().as_str().to_owned(),
        SchemesOutcome::Open(undecided) => format!("ask {}", undecided.next().map_or("nobody", |scheme| &*scheme.name)),
    }
}

fn refused(verdict: SchemesOutcome) -> (Fault, Vec<String>) {
    let SchemesOutcome::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    with_challenges(&refusal)
}

fn with_challenges(refusal: &AuthRefusal) -> (Fault, Vec<String>) {
    let fault = refusal.fault();
    let lines = fault.headers().get_all("www-authenticate").iter();
    let lines = lines.map(|line| line.to_str().unwrap().to_owned()).collect();
    (fault, lines)
}

fn ask_verifiers(
    schemes: &[Arc<Scheme>],
    lines: &[(&'static str, &str)],
    answers: &[Result<Verified, VerifierFailure>],
) -> SchemesOutcome {
    let mut verdict = verdict(schemes, lines);
    for answer in answers {
        let SchemesOutcome::Open(undecided) = verdict else { panic!("{verdict:?}") };
        let scheme = undecided.next().unwrap().clone();
        verdict = undecided.verified((&scheme, answer), (&HeaderMap::new()).into(), &|| at(NOW));
    }
    verdict
}

fn down() -> Result<Verified, VerifierFailure> {
    let error: Box<dyn std::error::Error + Send + Sync> = "the directory is down".into();
    Err(error.into())
}

#[test]
fn g2_what_becomes_of_an_authorization_header() {
    let schemes = compiled([("api", bearer())]);
    let long = |length: usize| format!("Bearer {}", "a".repeat(length));
    let (longest, longer) = (long(8192), long(8193));
    for (values, verdict) in [
        (&[][..], "auth_missing"),
        (&[""], "auth_missing"),
        (&["  "], "auth_missing"),
        (&["Bearer key-live-1"], "in as api/live"),
        (&["bEARER key-live-1"], "in as api/live"),
        (&["Bearer   key-live-1"], "in as api/live"),
        (&["Bearer key-later-1"], "in as api/later"),
        (&["Bearer key-gone-1"], "auth_expired"),
        (&["Bearer key-past-1"], "auth_expired"),
        (&["Bearer KEY-LIVE-1"], "auth_invalid"),
        (&["Bearer key-live-1="], "auth_invalid"),
        (&["Bearer key-live-"], "auth_invalid"),
        (&["Bearer key-live-11"], "auth_invalid"),
        (&[&longest], "auth_invalid"),
        (&[&longer], "auth_malformed"),
        (&["Basic YTpi"], "auth_malformed"),
        (&["key-live-1"], "auth_malformed"),
        (&["Bearer"], "auth_malformed"),
        (&["Bearer "], "auth_malformed"),
        (&["Bearer\tkey-live-1"], "auth_malformed"),
        (&["Bearer:key-live-1"], "auth_malformed"),
        (&["Bearer key-live-1 "], "auth_malformed"),
        (&[" Bearer key-live-1"], "auth_malformed"),
        (&["Bearer key-live-1, Bearer key-live-1"], "auth_malformed"),
        (&["Bearer key-live-1,key-live-1"], "auth_malformed"),
        (&["Bearer \"key-live-1\""], "auth_malformed"),
        (&["Bearer ==="], "auth_malformed"),
        (&["Bearer a=b"], "auth_malformed"),
        (&["Bearer schlüssel"], "auth_malformed"),
        (&["Bearer key-live-1", "Bearer key-live-1"], "auth_malformed"),
        (&["Bearer key-live-1", ""], "auth_malformed"),
        (&["", ""], "auth_malformed"),
    ] {
        let lines: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        assert_eq!(outcome(self::verdict(&schemes, &lines)), verdict, "{values:?}");
    }
    let mut latin = HeaderMap::new();
    latin.insert("authorization", HeaderValue::from_bytes(b"Bearer key-live-1\xff").unwrap());
    assert_eq!(outcome(check_without_wait(&schemes, &latin, &|| at(NOW))), "auth_malformed");
}

#[test]
fn g2_what_becomes_of_a_key_header() {
    let schemes = compiled([("app", key_header())]);
    let longer = "a".repeat(8193);
    for (values, verdict) in [
        (&[][..], "auth_missing"),
        (&[""], "auth_missing"),
        (&["app key: 1"], "in as app/app"),
        (&["App key: 1"], "auth_invalid"),
        (&["Bearer app key: 1"], "auth_invalid"),
        (&[" app key: 1"], "auth_malformed"),
        (&["app key: 1\t"], "auth_malformed"),
        (&["app key: 1, app key: 1"], "auth_malformed"),
        (&["schlüssel"], "auth_malformed"),
        (&[&longer], "auth_malformed"),
        (&["app key: 1", "app key: 1"], "auth_malformed"),
    ] {
        let lines: Vec<_> = values.iter().map(|value| ("x-api-key", *value)).collect();
        assert_eq!(outcome(self::verdict(&schemes, &lines)), verdict, "{values:?}");
    }
    assert_eq!(outcome(verdict(&schemes, &[("x_api_key", "app key: 1")])), "auth_malformed");
    assert_eq!(outcome(verdict(&schemes, &[("authorization", "Bearer app key: 1")])), "auth_missing");
}

#[test]
fn g2_a_pattern_is_for_the_whole_key() {
    let schemes = compiled([("api", bearer().pattern("key-[a-z]+-[0-9]"))]);
    assert_eq!(outcome(verdict(&schemes, &[("authorization", "Bearer key-live-1")])), "in as api/live");
    assert_eq!(outcome(verdict(&schemes, &[("authorization", "Bearer key-nobody-1")])), "auth_invalid");
    assert_eq!(outcome(verdict(&schemes, &[("authorization", "Bearer xkey-live-1")])), "auth_malformed");
}

#[test]
fn g2_the_time_is_asked_for_where_a_key_has_an_end() {
    let schemes = compiled([("api", bearer())]);
    let never = || -> SystemTime { panic!("nobody needs it") };
    for token in ["Bearer key-live-1", "Bearer key-gone-1", "Bearer nope"] {
        check_without_wait(&schemes, &headers(&[("authorization", token)]), &never);
    }
}

#[test]
fn g2_a_401_says_how_to_get_in_a_line_for_each_scheme() {
    let own = AuthScheme::header("x-own").challenge("Own realm=\"test\"").key(Key::of_secret("o", "own-1"));
    let schemes = compiled([("api", bearer()), ("app", key_header()), ("own", own), ("more", bearer())]);
    let invalid = "Bearer error=\"invalid_token\"";
    let expired = "Bearer error=\"invalid_token\", error_description=\"The token has expired or was revoked\"";
    for (lines, first) in [
        (&[][..], "Bearer"),
        (&[("x-api-key", "nope")], "Bearer"),
        (&[("authorization", "Basic YTpi")], "Bearer"),
        (&[("authorization", "Bearer")], "Bearer"),
        (&[("authorization", "Bearer nope")], invalid),
        (&[("authorization", "Bearer no pe")], invalid),
        (&[("authorization", "Bearer key-gone-1")], expired),
    ] {
        let (_, challenges) = refused(verdict(&schemes, lines));
        assert_eq!(challenges, [first, "ApiKey header=\"x-api-key\"", "Own realm=\"test\""], "{lines:?}");
    }
}

/// Another layer reads the expiry of a token from this layer's 401 (R1).
#[test]
fn r1_an_expiry_is_read_back_as_one() {
    use crate::code::ErrorCode;
    let (fault, _) = refused(verdict(&compiled([("api", bearer())]), &[("authorization", "Bearer key-gone-1")]));
    let line = fault.headers().get("www-authenticate").unwrap().to_str().unwrap();
    let mut challenges = http_auth::parser::ChallengeParser::new(line);
    let challenge = challenges.next().unwrap().unwrap();
    let described = challenge.params.iter().any(|(name, value)| {
        *name == "error_description" && value.to_unescaped().to_ascii_lowercase().contains("expir")
    });
    assert!(described && fault.code() == &ErrorCode::AUTH_EXPIRED, "{line}");
}

#[test]
fn g2_the_wording_is_the_schemes() {
    let worded = key_header().missing("Key?").malformed("Odd key").invalid("Wrong key").expired("Old key");
    let schemes = compiled([("app", worded.key(Key::of_secret("old", "old-1").revoked()))]);
    for (lines, text) in [
        (&[][..], "Key?"),
        (&[("x-api-key", "a,b")], "Odd key"),
        (&[("x-api-key", "b")], "Wrong key"),
        (&[("x-api-key", "old-1")], "Old key"),
    ] {
        assert_eq!(refused(verdict(&schemes, lines)).0.message(), text);
    }
    let (fault, _) = refused(verdict(&compiled([("app", key_header())]), &[("x-api-key", "a,b")]));
    assert_eq!(fault.message(), "The header x-api-key is badly formed or repeated.");
    let (fault, _) = refused(verdict(&compiled([("api", bearer())]), &[("authorization", "x")]));
    assert_eq!(fault.message(), "The Authorization header is not a well-formed Bearer token.");
}

#[test]
fn l3_nothing_shows_a_key() {
    let secret = "key-live-1";
    let digest = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";
    let schemes = compiled([("api", bearer())]);
    let verdicts = [
        verdict(&schemes, &[("authorization", "Bearer key-live-1")]),
        verdict(&schemes, &[("authorization", "Bearer key-live-1 x")]),
    ];
    let shown = format!("{:?} {schemes:?} {verdicts:?} {:?}", bearer(), Key::of_secret("a", secret));
    assert!(!shown.contains(secret) && !shown.contains(&digest[..12]), "{shown}");
}

#[test]
fn g2_a_key_is_found_wherever_it_stands() {
    let digests: Vec<_> = (0..300_u32).map(|it| digest::Digest::hash(&it.to_le_bytes())).collect();
    for (place, digest) in digests.iter().enumerate() {
        assert_eq!(digest::position(digest, &digests), Some(place));
    }
    assert_eq!(digest::position(&digest::Digest::hash(b"none"), &digests), None);
    assert_eq!(digest::position(&digests[0], &[]), None);
    // Each byte matters.
    for byte in 0..32 {
        let mut bytes = [0; 32];
        bytes[byte] = 1;
        assert_eq!(
            digest::position(&digest::Digest::from_bytes(&bytes), &[digest::Digest::from_bytes(&[0; 32])]),
            None
        );
    }
}

#[test]
fn g2_a_digest_is_read_in_either_case() {
    let lower = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";
    let of_secret = digest::Digest::hash(b"key-live-1");
    assert_eq!(digest::Digest::from_hex(lower).unwrap(), of_secret);
    assert_eq!(digest::Digest::from_hex(&lower.to_uppercase()).unwrap(), of_secret);
    for wrong in ["", &lower[1..], &format!("{lower}0"), &lower.replace('f', "g"), &lower.replace("fa", "+a")] {
        assert!(digest::Digest::from_hex(wrong).is_none(), "{wrong}");
    }
}

proptest::proptest! {
    /// Sends arbitrary headers. Without a right key, no request gets in and nothing panics.
    #[test]
    fn g2_soup_lets_nobody_in(
        lines in proptest::collection::vec(
            (
                proptest::sample::select(vec!["authorization", "x-api-key", "x_api_key", "cookie", "proxy-authorization"]),
                proptest::prop_oneof![
                    "(?i:bearer|basic|)[ \t]{0,3}[A-Za-z0-9._~+/=,-]{0,24}",
                    "[\\x20-\\x7e]{0,24}",
                    proptest::collection::vec(0x80_u8..=0xff, 0..12).prop_map(|bytes| bytes.into_iter().map(char::from).collect()),
                    "Bearer key-(live|gone|past|later)-[02-9]",
                    "app key: [02-9]",
                ],
            ),
            0..5,
        ),
    ) {
        let schemes = compiled([("api", bearer()), ("app", key_header())]);
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let verdict = verdict(&schemes, &lines);
        proptest::prop_assert!(matches!(verdict, SchemesOutcome::Refused(_)), "{lines:?}: {verdict:?}");
    }

    /// A valid key is accepted next to any other credentials, unless its header has two values.
    #[test]
    fn g2_a_right_key_gets_in_beside_anything_else(other in "[\\x20-\\x7e]{0,24}", case in "(?i)bearer", spaces in " {1,3}") {
        let schemes = compiled([("api", bearer()), ("app", key_header())]);
        let token = format!("{case}{spaces}key-live-1");
        let verdict = verdict(&schemes, &[("x-api-key", &other), ("authorization", &token)]);
        proptest::prop_assert_eq!(outcome(verdict), "in as api/live");
    }
}

#[test]
fn g2_a_custom_scheme_is_never_let_in_by_itself() {
    let scheme = AuthScheme::custom().compiled("partner").unwrap();
    assert!(scheme.check((&headers(&[("authorization", "Bearer key-live-1")])).into(), &|| at(NOW)).is_none());
}

/// The id is the name in a certificate that the server verified. A header cannot set it.
#[test]
fn g2_what_becomes_of_a_certificate() {
    let schemes = compiled([("mesh", AuthScheme::certificate().forward_id("x-peer"))]);
    let both = compiled([("api", bearer()), ("mesh", AuthScheme::certificate())]);
    for (name, outcome_of_one, outcome_of_both) in [
        (None, "auth_missing", "auth_missing"),
        (
            Some("spiffe://example.org/billing"),
            "in as mesh/spiffe://example.org/billing",
            "in as mesh/spiffe://example.org/billing",
        ),
        (Some(""), "auth_invalid", "auth_invalid"),
        // The id cannot be forwarded.
        (Some("bücher"), "auth_invalid", "in as mesh/bücher"),
        (Some("a\nb"), "auth_invalid", "in as mesh/a\nb"),
    ] {
        let mut request = http::Request::new(());
        request.extensions_mut().extend(
            name.map(|name| {
                let mut extensions = http::Extensions::new();
                extensions.insert(ClientCertificate::new(name));
                extensions
            })
            .unwrap_or_default(),
        );
        let head = request.into_parts().0;
        assert_eq!(outcome(check_without_wait(&schemes, &head, &|| at(NOW))), outcome_of_one, "{name:?}");
        assert_eq!(outcome(check_without_wait(&both, &head, &|| at(NOW))), outcome_of_both, "{name:?}");
    }
    let (_, lines) = refused(verdict(&schemes, &[("x-peer", "spiffe://example.org/billing")]));
    assert_eq!(lines, ["ClientCertificate"]);
}
