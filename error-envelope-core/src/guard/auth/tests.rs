use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::strategy::Strategy;

use super::outcome::Checked;
use super::*;
use crate::fault::Fault;

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
    schemes.into_iter().map(|(name, scheme)| Arc::new(scheme.compile(name).unwrap())).collect()
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
        SchemesOutcome::Refused(refusal) => refusal.fault().code().as_str().to_owned(),
        SchemesOutcome::Open(undecided) => format!("ask {}", undecided.next().map_or("nobody", |scheme| scheme.name())),
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
    assert_eq!(outcome(verdict(&schemes, &[("x_api_key", "app key: 1")])), "auth_missing");
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
fn g2_one_scheme_is_enough_else_the_one_that_came_furthest_decides() {
    let schemes = compiled([("api", bearer()), ("app", key_header())]);
    for (lines, verdict) in [
        (&[][..], "auth_missing"),
        (&[("authorization", "Bearer nope"), ("x-api-key", "app key: 1")], "in as app/app"),
        (&[("authorization", "Bearer key-live-1"), ("x-api-key", "app key: 1")], "in as api/live"),
        (&[("authorization", "Basic YTpi"), ("x-api-key", "nope")], "auth_invalid"),
        (&[("x-api-key", "nope")], "auth_invalid"),
        (&[("authorization", "Bearer key-gone-1"), ("x-api-key", "nope")], "auth_expired"),
    ] {
        assert_eq!(outcome(self::verdict(&schemes, lines)), verdict, "{lines:?}");
    }
}

/// What a verifier returns, each further than the one before; the failure last, because it may hide a good answer.
fn outcomes() -> [(Result<Verified, VerifierFailure>, &'static str); 6] {
    [
        (Ok(Verified::Missing), "auth_missing"),
        (Ok(Verified::Malformed), "auth_malformed"),
        (Ok(Verified::Invalid), "auth_invalid"),
        (Ok(Verified::NoEmail), "auth_no_email"),
        (Ok(Verified::Expired), "auth_expired"),
        (down(), "service_unavailable"),
    ]
}

fn worded(name: &'static str) -> (&'static str, AuthScheme) {
    let scheme = AuthScheme::custom().challenge(name).missing(name).malformed(name).invalid(name).expired(name);
    (name, scheme.no_email(name).unavailable(name))
}

#[test]
fn g2_of_two_schemes_the_one_that_came_furthest_decides_else_the_first() {
    let schemes = compiled([worded("one"), worded("two")]);
    for first in 0..6 {
        for second in 0..6 {
            let [(one, _), (two, _)] = [first, second].map(|place| outcomes().into_iter().nth(place).unwrap());
            let (fault, challenges) = refused(ask_verifiers(&schemes, &[], &[one, two]));
            let winner = if second > first { "two" } else { "one" };
            assert_eq!((fault.code().as_str(), &*fault.text()), (outcomes()[first.max(second)].1, winner));
            let lines: &[&str] = if fault.status_code() == 401 { &["one", "two"] } else { &[] };
            assert_eq!(challenges, lines, "{first} {second}");
        }
    }
}

#[test]
fn g0_the_schemes_of_several_routes_decide_as_one_list() {
    let schemes = compiled([("api", bearer()), ("app", key_header()), worded("own")]);
    let refusal = |lists: &[&[Arc<Scheme>]], lines: &[(&'static str, &str)]| {
        let of_list = |list: &&[Arc<Scheme>]| match verdict(list, lines) {
            SchemesOutcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        lists.iter().map(of_list).reduce(AuthRefusal::and).unwrap()
    };
    let (api, app, both) = (&schemes[..1], &schemes[1..2], &schemes[..2]);
    let (app_line, own_line) = ("ApiKey header=\"x-api-key\"", "own");
    let expired = "Bearer error=\"invalid_token\", error_description=\"The token has expired or was revoked\"";
    for (lists, lines, code, challenges) in [
        (&[api, app][..], &[][..], "auth_missing", &["Bearer", app_line][..]),
        (&[app, api], &[], "auth_missing", &[app_line, "Bearer"]),
        (
            &[app, api],
            &[("authorization", "Bearer key-gone-1"), ("x-api-key", "no")],
            "auth_expired",
            &[app_line, expired],
        ),
        (&[app, both, api], &[("x-api-key", "no")], "auth_invalid", &[app_line, "Bearer"]),
        (&[api, api], &[], "auth_missing", &["Bearer"]),
    ] {
        let (fault, found) = with_challenges(&refusal(lists, lines));
        assert_eq!(
            (fault.code().as_str(), &found[..]),
            (code, &challenges.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()[..]),
            "{lines:?}"
        );
    }
    // A scheme that lets the request in, or was not asked, decides nothing, and is named.
    let offered = refusal(&[app], &[]).offering(&schemes[..1]).offering(&schemes[1..]);
    assert_eq!(with_challenges(&offered).1, [app_line, "Bearer", own_line]);
    assert_eq!(offered.fault().text(), Fault::new(crate::code::ErrorCode::AUTH_MISSING).text());
    // A 403 of one route offers nothing; beside another route's expired key it is a 401 with the challenges of both.
    let no_email = || match ask_verifiers(&schemes[2..], &[], &[Ok(Verified::NoEmail)]) {
        SchemesOutcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let (fault, lines) = with_challenges(&refusal(&[api], &[]).and(no_email()));
    assert_eq!((fault.status_code().as_u16(), lines.len()), (403, 0));
    let (fault, lines) = with_challenges(&no_email().and(refusal(&[api], &[("authorization", "Bearer key-past-1")])));
    assert_eq!((fault.status_code().as_u16(), &lines[..]), (401, &[own_line.to_owned(), expired.to_owned()][..]));
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

/// What this layer says is what the reading side of another one understands (R1).
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
        assert_eq!(refused(verdict(&schemes, lines)).0.text(), text);
    }
    let (fault, _) = refused(verdict(&compiled([("app", key_header())]), &[("x-api-key", "a,b")]));
    assert_eq!(fault.text(), "The header x-api-key is badly formed or repeated.");
    let (fault, _) = refused(verdict(&compiled([("api", bearer())]), &[("authorization", "x")]));
    assert_eq!(fault.text(), "The Authorization header is not a well-formed Bearer token.");
}

fn ask_verifiers(
    schemes: &[Arc<Scheme>],
    lines: &[(&'static str, &str)],
    answers: &[Result<Verified, VerifierFailure>],
) -> SchemesOutcome {
    let mut verdict = verdict(schemes, lines);
    for answer in answers {
        let SchemesOutcome::Open(undecided) = verdict else { panic!("{verdict:?}") };
        let asked = undecided.next().unwrap().clone();
        verdict = undecided.verified((&asked, answer), (&HeaderMap::new()).into(), &|| at(NOW));
    }
    verdict
}

fn down() -> Result<Verified, VerifierFailure> {
    let error: Box<dyn std::error::Error + Send + Sync> = "the directory is down".into();
    Err(error.into())
}

#[test]
fn g2_a_verifier_is_asked_where_nobody_else_lets_in() {
    let schemes = compiled([("partner", AuthScheme::custom()), ("app", key_header())]);
    assert_eq!(outcome(verdict(&schemes, &[("x-api-key", "app key: 1")])), "in as app/app");
    assert_eq!(outcome(verdict(&schemes, &[])), "ask partner");
    for (answer, without, with_a_wrong_key) in [
        (Ok(Verified::granted("p1")), "in as partner/p1", "in as partner/p1"),
        (Ok(Verified::granted("")), "in as partner/-", "in as partner/-"),
        (Ok(Verified::Missing), "auth_missing", "auth_invalid"),
        (Ok(Verified::Malformed), "auth_malformed", "auth_invalid"),
        (Ok(Verified::Invalid), "auth_invalid", "auth_invalid"),
        (Ok(Verified::Expired), "auth_expired", "auth_expired"),
        (Ok(Verified::NoEmail), "auth_no_email", "auth_no_email"),
        (down(), "service_unavailable", "service_unavailable"),
    ] {
        let text = format!("{answer:?}");
        let answers = [answer];
        assert_eq!(outcome(ask_verifiers(&schemes, &[], &answers)), without, "{text}");
        assert_eq!(
            outcome(ask_verifiers(&schemes, &[("x-api-key", "no")], &answers)),
            with_a_wrong_key,
            "{text} beside a key"
        );
    }
}

#[test]
fn g2_several_verifiers_are_asked_in_turn_and_one_that_failed_outranks_a_401() {
    let schemes = compiled([("api", bearer()), ("one", AuthScheme::custom()), ("two", AuthScheme::custom())]);
    let wrong = [("authorization", "Bearer nope")];
    assert_eq!(outcome(ask_verifiers(&schemes, &wrong, &[down()])), "ask two");
    assert_eq!(outcome(ask_verifiers(&schemes, &wrong, &[down(), Ok(Verified::granted("x"))])), "in as two/x");
    let (fault, challenges) = refused(ask_verifiers(&schemes, &wrong, &[down(), Ok(Verified::Invalid)]));
    assert_eq!((fault.code().as_str(), challenges.len()), ("service_unavailable", 0));
    let cause = std::error::Error::source(&fault).unwrap().to_string();
    assert_eq!(cause, "the directory is down");
    assert_eq!(outcome(ask_verifiers(&schemes, &[], &[Ok(Verified::Missing), Ok(Verified::Expired)])), "auth_expired");
}

#[test]
fn g2_a_403_and_a_503_offer_no_challenge() {
    let schemes = compiled([("partner", AuthScheme::custom().no_email("Verify first").unavailable("Later"))]);
    let (fault, challenges) = refused(ask_verifiers(&schemes, &[], &[Ok(Verified::NoEmail)]));
    assert_eq!((fault.status_code().as_u16(), &*fault.text(), challenges.len()), (403, "Verify first", 0));
    let (fault, challenges) = refused(ask_verifiers(&schemes, &[], &[down()]));
    assert_eq!((fault.status_code().as_u16(), &*fault.text(), challenges.len()), (503, "Later", 0));
    let (_, challenges) = refused(ask_verifiers(&schemes, &[], &[Ok(Verified::Missing)]));
    assert_eq!(challenges, ["Bearer"]);
}

#[test]
fn g2_an_id_that_cannot_be_forwarded_lets_nobody_in() {
    let schemes = compiled([("partner", AuthScheme::custom().forward_id("x-consumer-id"))]);
    for id in ["", " ", "a\nb", "a ", "Jürgen"] {
        assert_eq!(
            outcome(ask_verifiers(&schemes, &[], &[Ok(Verified::granted(id))])),
            "service_unavailable",
            "{id:?}"
        );
    }
    let SchemesOutcome::In(passed) = ask_verifiers(&schemes, &[], &[Ok(Verified::granted("a b"))]) else {
        panic!("a good id")
    };
    let mut head = http::Request::new(()).into_parts().0;
    passed.mark(&mut head);
    assert_eq!(head.headers["x-consumer-id"], "a b");
    assert_eq!(head.extensions.get::<Identity>().unwrap().id(), Some("a b"));
}

#[test]
fn g2_no_spelling_of_a_forwarded_header_stays() {
    let ids = [HeaderName::from_static("x-consumer-id"), HeaderName::from_static("x_other")];
    let mut sent = headers(&[
        ("x-consumer-id", "root"),
        ("x_consumer_id", "root"),
        ("x-consumer_id", "root"),
        ("x-consumer-id", "admin"),
        ("x-other", "root"),
        ("x-consumer-idx", "kept"),
        ("xconsumerid", "kept"),
    ]);
    forward::remove(&ids, &mut sent);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.values().all(|value| value == "kept"));
}

#[test]
fn g2_no_connection_header_hides_a_forwarded_id() {
    let ids = [HeaderName::from_static("x-consumer-id")];
    for (lines, kept) in [
        (&["close"][..], Some("close")),
        (&["close, X-Consumer-Id"], Some("close")),
        (&["x_consumer_id ,te", "upgrade"], Some("te,upgrade")),
        (&["x-consumer-id"], None),
        (&[" , x-consumer-id"], None),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("connection", *line)).collect();
        let mut sent = headers(&lines);
        forward::remove(&ids, &mut sent);
        let left = sent.get("connection").map(|it| it.to_str().unwrap().replace(' ', ""));
        assert_eq!((left.as_deref(), sent.len()), (kept, usize::from(kept.is_some())), "{lines:?}");
    }
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
    let digests: Vec<_> = (0..300_u32).map(|it| key::Digest::hash(&it.to_le_bytes())).collect();
    for (place, digest) in digests.iter().enumerate() {
        assert_eq!(key::position(digest, &digests), Some(place));
    }
    assert_eq!(key::position(&key::Digest::hash(b"none"), &digests), None);
    assert_eq!(key::position(&digests[0], &[]), None);
    // Each byte counts.
    for byte in 0..32 {
        let mut bytes = [0; 32];
        bytes[byte] = 1;
        assert_eq!(key::position(&key::Digest::from_bytes(&bytes), &[key::Digest::from_bytes(&[0; 32])]), None);
    }
}

#[test]
fn g2_a_digest_is_read_in_either_case() {
    let lower = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";
    let of_secret = key::Digest::hash(b"key-live-1").words();
    assert_eq!(key::Digest::from_hex(lower).unwrap().words(), of_secret);
    assert_eq!(key::Digest::from_hex(&lower.to_uppercase()).unwrap().words(), of_secret);
    for wrong in ["", &lower[1..], &format!("{lower}0"), &lower.replace('f', "g"), &lower.replace("fa", "+a")] {
        assert!(key::Digest::from_hex(wrong).is_none(), "{wrong}");
    }
}

const DIGEST: &str = "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd";

#[test]
fn m2_what_is_wrong_with_a_scheme_is_refused_by_its_key() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let header = |name: &str| AuthScheme::header(name).key(Key::sha256("a", DIGEST));
    for (scheme, key, wrong) in [
        (AuthScheme::bearer(), "keys", "no key"),
        (AuthScheme::header("x-api-key"), "keys", "no key"),
        (AuthScheme::bearer().key(Key::sha256("", DIGEST)), "keys", "empty id"),
        (bearer().key(Key::sha256("live", DIGEST)), "keys", "two keys have the id \"live\""),
        (bearer().key(Key::of_secret("again", "key-live-1")), "keys", "\"live\" and \"again\" have the same hash"),
        (AuthScheme::bearer().key(Key::sha256("a", "hunter2")), "keys", "not 64 hexadecimal digits"),
        (AuthScheme::bearer().key(Key::sha256("a", empty)), "keys", "SHA-256 of an empty text"),
        (AuthScheme::bearer().key(Key::of_secret("a", "")), "keys", "SHA-256 of an empty text"),
        (AuthScheme::bearer().key(Key::sha256("ä", DIGEST)).forward_id("x-id"), "keys", "\"ä\" cannot be sent"),
        (AuthScheme::bearer().key(Key::sha256("a\nb", DIGEST)).forward_id("x-id"), "keys", "cannot be sent"),
        (AuthScheme::bearer().key(Key::sha256(" a", DIGEST)).forward_id("x-id"), "keys", "cannot be sent"),
        (header("x api key"), "header", "not a valid header name"),
        (header(""), "header", "not a valid header name"),
        (header("Authorization"), "header", "carries tokens"),
        (header("host"), "header", "reserved for another purpose"),
        (header("content-length"), "header", "reserved for another purpose"),
        (header("x-request-id"), "header", "reserved for another purpose"),
        (header("cookie"), "header", "reserved for another purpose"),
        (header("x-forwarded-for"), "header", "reserved for another purpose"),
        (bearer().pattern("("), "pattern", "does not compile"),
        (bearer().pattern("a^b"), "pattern", "no token can match"),
        (header("x-key").challenge(""), "challenge", "not a valid challenge"),
        (header("x-key").challenge("Own realm="), "challenge", "not a valid challenge"),
        (header("x-key").challenge("Own realm=\"a\nb\""), "challenge", "not a valid challenge"),
        (header("x-key").challenge("Own realm=\"ä\""), "challenge", "not a valid challenge"),
        (bearer().challenge("Bearer realm=\"x\""), "challenge", "no such setting"),
        (bearer().forward_id("x consumer"), "forward_id", "not a valid header name"),
        (bearer().forward_id("authorization"), "forward_id", "reserved for another purpose"),
        (bearer().forward_id("content-type"), "forward_id", "reserved for another purpose"),
        (header("x-key").forward_id("X-Key"), "forward_id", "carries the key"),
        (header("x-key").forward_id("x_key"), "forward_id", "carries the key"),
        (bearer().missing(""), "messages.missing", "cannot be sent"),
        (bearer().expired("two\nlines"), "messages.expired", "cannot be sent"),
        (AuthScheme::custom().no_email(" x"), "messages.no_email", "cannot be sent"),
        (AuthScheme::custom().unavailable("\u{202e}"), "messages.unavailable", "cannot be sent"),
        (AuthScheme::custom().timeout(Duration::ZERO), "timeout", "out of range"),
        (AuthScheme::custom().timeout(Duration::from_secs(301)), "timeout", "out of range"),
        (AuthScheme::custom().key(Key::sha256("a", DIGEST)), "keys", "no such setting"),
        (AuthScheme::custom().pattern("a"), "pattern", "no such setting"),
        (bearer().timeout(Duration::from_secs(1)), "timeout", "no such setting"),
    ] {
        let text = format!("{scheme:?}");
        let refused = scheme.compile("api").err().unwrap_or_else(|| panic!("{text} was taken"));
        assert_eq!(refused.key, key, "{text}: {}", refused.wrong);
        assert!(refused.wrong.contains(wrong), "{text}: {}", refused.wrong);
        assert!(!refused.wrong.contains("hunter2") && !refused.right.contains("hunter2"), "{}", refused.wrong);
    }
    assert!(AuthScheme::bearer().key(Key::sha256("ä", DIGEST)).compile("api").is_ok(), "nobody forwards it");
    assert!(AuthScheme::custom().timeout(Duration::from_secs(300)).challenge("Own").compile("own").is_ok());
}

#[cfg(feature = "jwt")]
#[test]
fn m2_settings_of_tokens_are_for_tokens() {
    let jwt = || AuthScheme::jwt(JwtKeys::secret("a".repeat(32))).algorithms(["HS256"]);
    for (scheme, key) in [
        (bearer().algorithms(["HS256"]), "algorithms"),
        (bearer().issuer("a"), "issuer"),
        (AuthScheme::custom().audience("a"), "audience"),
        (key_header().leeway(Duration::from_secs(1)), "leeway"),
        (bearer().require_verified_email(true), "require_verified_email"),
        (jwt().key(Key::sha256("a", DIGEST)), "keys"),
        (jwt().pattern("a"), "pattern"),
        (jwt().challenge("Bearer"), "challenge"),
        (jwt().timeout(Duration::from_secs(1)), "timeout"),
    ] {
        assert_eq!(scheme.compile("api").err().unwrap().key, key);
    }
    assert!(jwt().compile("api").is_ok());
}

#[test]
fn m2_a_forwarded_header_that_carries_anothers_keys_is_refused() {
    let schemes = compiled([("app", key_header()), ("api", bearer().forward_id("x_api_key"))]);
    let (name, refused) = refuse_together(schemes.iter().map(|scheme| &**scheme)).unwrap_err();
    assert_eq!((name, refused.key), ("api", "forward_id"));
    assert!(refuse_together(schemes[..1].iter().map(|scheme| &**scheme)).is_ok());
}

proptest::proptest! {
    /// Whatever is sent: without a right key nobody gets in, and nothing panics.
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

    /// A right key gets in beside whatever else, unless its own header says two things.
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
    let scheme = AuthScheme::custom().compile("partner").unwrap();
    assert!(matches!(
        scheme.check((&headers(&[("authorization", "Bearer key-live-1")])).into(), &|| at(NOW)),
        Checked::NeedsVerifier
    ));
}

/// The name in a certificate that the server verified is the id; a header cannot have it.
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
        // It cannot be forwarded.
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
