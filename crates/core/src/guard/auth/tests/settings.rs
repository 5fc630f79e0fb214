//! The valid schemes of a policy.

use super::*;
use crate::table::TablePath;

const DIGEST: &str = "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd";

#[test]
fn m2_what_is_wrong_with_a_scheme_is_refused_by_its_key() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let header = |name: &str| AuthScheme::header(name).key(Key::sha256("a", DIGEST));
    for (scheme, key, wrong) in [
        (AuthScheme::bearer(), "keys", "no key"),
        (AuthScheme::header("x-api-key"), "keys", "no key"),
        (AuthScheme::bearer().key(Key::sha256("", DIGEST)), "keys", "empty id"),
        (bearer().key(Key::sha256("live", DIGEST)), "keys", "two keys have the same id"),
        (bearer().key(Key::of_secret("again", "key-live-1")), "keys", "two keys have the same hash"),
        (AuthScheme::bearer().key(Key::sha256("a", "hunter2")), "keys", "not 64 hexadecimal digits"),
        (AuthScheme::bearer().key(Key::sha256("a", empty)), "keys", "SHA-256 of an empty text"),
        (AuthScheme::bearer().key(Key::of_secret("a", "")), "keys", "SHA-256 of an empty text"),
        (AuthScheme::bearer().key(Key::sha256("ä", DIGEST)).forward_id("x-id"), "keys", "cannot be sent"),
        (AuthScheme::bearer().key(Key::sha256("a\nb", DIGEST)).forward_id("x-id"), "keys", "cannot be sent"),
        (AuthScheme::bearer().key(Key::sha256(" a", DIGEST)).forward_id("x-id"), "keys", "cannot be sent"),
        (header("x api key"), "header", "not a valid header name"),
        (header(""), "header", "not a valid header name"),
        (header("Authorization"), "header", "authorization is reserved"),
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
        (AuthScheme::custom().key(Key::sha256("a", DIGEST)), "keys", "does not apply to scheme"),
        (AuthScheme::custom().pattern("a"), "pattern", "does not apply to scheme"),
        (bearer().timeout(Duration::from_secs(1)), "timeout", "does not apply to scheme"),
    ] {
        let text = format!("{scheme:?}");
        let refused = scheme.compiled("api").err().unwrap_or_else(|| panic!("{text} was taken"));
        assert_eq!(refused.key, key, "{text}: {}", refused.wrong);
        assert!(refused.wrong.contains(wrong), "{text}: {}", refused.wrong);
        assert!(!refused.wrong.contains("hunter2") && !refused.right.contains("hunter2"), "{}", refused.wrong);
    }
    assert!(AuthScheme::bearer().key(Key::sha256("ä", DIGEST)).compiled("api").is_ok(), "nobody forwards it");
    assert!(AuthScheme::custom().timeout(Duration::from_secs(300)).challenge("Own").compiled("own").is_ok());
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
        (jwt().timeout(Duration::from_secs(1)), "timeout"),
    ] {
        assert_eq!(scheme.compiled("api").err().unwrap().key, key);
    }
    assert!(jwt().compiled("api").is_ok());
}

#[test]
fn m2_a_forwarded_header_that_carries_anothers_keys_is_refused() {
    let schemes = compiled([("app", key_header()), ("api", bearer().forward_id("x_api_key"))]);
    let refused = refuse_together(schemes.iter().map(|scheme| &**scheme)).unwrap_err();
    assert_eq!((refused.place, &*refused.key), (TablePath::Auth("api".to_owned()), "forward_id"));
    assert!(refuse_together(schemes[..1].iter().map(|scheme| &**scheme)).is_ok());
}
