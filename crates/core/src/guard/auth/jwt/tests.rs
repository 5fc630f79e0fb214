use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;
use crate::guard::auth::outcome::{AuthCause, AuthFailure};

impl Tokens {
    fn compiled(keys: JwtKeys, settings: JwtSettings) -> Result<Self, SettingError> {
        crate::table::alone(|it| Self::new(Some(keys), settings, it))
    }
}

const SECRET: &str = "a secret of sixty-four bytes, so that each of the hashes has one";
const NOW: u64 = 1_700_000_000;

/// Returns keys and tokens that another implementation made (Python's `cryptography`). The private keys no longer
/// exist.
fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn settings(algorithms: &[&str]) -> JwtSettings {
    JwtSettings {
        algorithms: Some(algorithms.iter().map(|it| (*it).to_owned()).collect()),
        issuer: None,
        audiences: vec!["api".to_owned()],
        leeway: Duration::ZERO,
        require_verified_email: false,
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn check(tokens: &Tokens, token: &str) -> Result<Option<String>, AuthFailure> {
    tokens.check(token.as_bytes(), &|| at(NOW)).map(|token| token.subject).map_err(|rejection| rejection.why)
}

fn signed(algorithm: Algorithm, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signer = (DEFAULT_PROVIDER.signer_factory)(&algorithm, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    let signature = signer.try_sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(claims: &Value) -> String {
    signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, &claims.to_string())
}

fn of_secret(change: impl FnOnce(&mut JwtSettings)) -> Tokens {
    let mut settings = JwtSettings { audiences: Vec::new(), ..settings(&["HS256"]) };
    change(&mut settings);
    Tokens::compiled(JwtKeys::secret(SECRET), settings).unwrap()
}

#[test]
fn g2_each_algorithm_verifies_what_another_implementation_signed() {
    let vectors = vectors();
    let all: Vec<&str> = vectors["tokens"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(all.len(), 9);
    for (algorithm, token) in vectors["tokens"].as_object().unwrap() {
        let token = token.as_str().unwrap();
        let tokens =
            |algorithms: &[&str]| Tokens::compiled(JwtKeys::jwks(vectors["jwks"].to_string()), settings(algorithms));
        assert_eq!(check(&tokens(&[algorithm]).unwrap(), token), Ok(Some("u1".to_owned())), "{algorithm}");
        assert_eq!(check(&tokens(&all).unwrap(), token), Ok(Some("u1".to_owned())), "{algorithm} among all");
        let others: Vec<&str> = all.iter().copied().filter(|it| it != algorithm).collect();
        assert_eq!(
            check(&tokens(&others).unwrap(), token),
            Err(AuthFailure::Invalid),
            "{algorithm} is not in the list"
        );
        let (rest, last) = token.split_at(token.len() - 6);
        let forged = format!("{rest}{}", if last.starts_with('A') { "BAAAAA" } else { "AAAAAA" });
        let forged = check(&tokens(&all).unwrap(), &forged);
        assert!(matches!(forged, Err(AuthFailure::Invalid | AuthFailure::Malformed)), "{algorithm}: {forged:?}");
    }
}

#[test]
fn g2_each_hash_verifies_what_its_secret_signed() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let token = signed(algorithm, &format!(r#"{{"alg":"{algorithm:?}"}}"#), r#"{"sub":"u1","exp":1700000001}"#);
        let tokens = of_secret(|it| it.algorithms = Some(vec![format!("{algorithm:?}")]));
        assert_eq!(check(&tokens, &token), Ok(Some("u1".to_owned())), "{algorithm:?}");
        let other = Tokens::compiled(JwtKeys::secret(SECRET.replace('a', "b")), settings(&["HS256"])).unwrap();
        assert_eq!(check(&other, &token), Err(AuthFailure::Invalid));
    }
}

#[test]
fn g2_a_key_id_picks_the_key_and_none_tries_all() {
    let vectors = vectors();
    let tokens = Tokens::compiled(JwtKeys::jwks(vectors["jwks"].to_string()), settings(&["RS256", "ES256"])).unwrap();
    for token in vectors["without_kid"].as_object().unwrap().values() {
        assert!(check(&tokens, token.as_str().unwrap()).is_ok());
    }
    assert_eq!(check(&tokens, vectors["other_kid"].as_str().unwrap()), Err(AuthFailure::Invalid));
    let mut nameless = vectors["jwks"].clone();
    nameless["keys"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|key| drop(key.as_object_mut().unwrap().remove("kid")));
    let tokens = Tokens::compiled(JwtKeys::jwks(nameless.to_string()), settings(&["RS256"])).unwrap();
    assert!(check(&tokens, vectors["other_kid"].as_str().unwrap()).is_ok());
}

#[test]
fn g2_the_keys_algorithm_binds() {
    let vectors = vectors();
    let token = vectors["tokens"]["PS256"].as_str().unwrap();
    for (named, verdict) in [("PS256", Ok(())), ("RS256", Err(AuthFailure::Invalid))] {
        let mut jwks = vectors["jwks"].clone();
        jwks["keys"][0]["alg"] = json!(named);
        let tokens = Tokens::compiled(JwtKeys::jwks(jwks.to_string()), settings(&["RS256", "PS256"])).unwrap();
        assert_eq!(check(&tokens, token).map(drop), verdict, "{named}");
    }
}

/// Tests a classic attack, in which a token is signed with the public key as if that key were a secret.
#[test]
fn g2_a_public_key_is_never_a_secret() {
    let vectors = vectors();
    let modulus = vectors["jwks"]["keys"][0]["n"].as_str().unwrap();
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"rsa"}"#),
        URL_SAFE_NO_PAD.encode(r#"{"sub":"root","exp":4102444800,"aud":"api"}"#)
    );
    let key = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(modulus).unwrap());
    let signer = (DEFAULT_PROVIDER.signer_factory)(&Algorithm::HS256, &key).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signer.try_sign(message.as_bytes()).unwrap()));
    let tokens = Tokens::compiled(JwtKeys::jwks(vectors["jwks"].to_string()), settings(&["RS256"])).unwrap();
    assert_eq!(check(&tokens, &token), Err(AuthFailure::Invalid));
}

#[test]
fn g2_the_claims_decide_in_order() {
    use AuthFailure::{Expired, Invalid, NoEmail};

    let base = json!({ "iss": "us", "sub": "u1", "aud": "api", "exp": NOW + 60, "email_verified": true });
    let strict = of_secret(|it| {
        it.issuer = Some("us".to_owned());
        it.audiences = vec!["web".to_owned(), "api".to_owned()];
        it.require_verified_email = true;
    });
    assert_eq!(check(&strict, &hs256(&base)), Ok(Some("u1".to_owned())));
    for (claim, value, why) in [
        ("iss", json!("them"), Some(Invalid)),
        ("iss", Value::Null, Some(Invalid)),
        ("iss", json!(["us"]), Some(Invalid)),
        ("aud", json!("other"), Some(Invalid)),
        ("aud", Value::Null, Some(Invalid)),
        ("aud", json!([]), Some(Invalid)),
        ("aud", json!(["other", "web"]), None),
        ("aud", json!(7), Some(Invalid)),
        ("exp", Value::Null, Some(Invalid)),
        ("exp", json!("1800000000"), Some(Invalid)),
        ("exp", json!(NOW), Some(Expired)),
        ("exp", json!(NOW - 1), Some(Expired)),
        ("exp", json!(-1), Some(Expired)),
        ("exp", json!(1_700_000_000.5), None),
        ("exp", json!(1e300), None),
        ("nbf", json!(NOW), None),
        ("nbf", json!(NOW + 1), Some(Invalid)),
        ("nbf", json!("now"), Some(Invalid)),
        ("email_verified", json!(false), Some(NoEmail)),
        ("email_verified", json!("true"), Some(NoEmail)),
        ("email_verified", json!(1), Some(NoEmail)),
        ("email_verified", Value::Null, Some(NoEmail)),
        ("sub", json!(7), Some(Invalid)),
    ] {
        let mut claims = base.clone();
        claims[claim] = value.clone();
        assert_eq!(check(&strict, &hs256(&claims)).err(), why, "{claim}: {value}");
    }
    let mut late_stranger = base.clone();
    late_stranger["exp"] = json!(NOW - 1);
    late_stranger["email_verified"] = json!(false);
    assert_eq!(check(&strict, &hs256(&late_stranger)), Err(Expired), "expired before its email");
    late_stranger["iss"] = json!("them");
    assert_eq!(check(&strict, &hs256(&late_stranger)), Err(Invalid), "a stranger's before its expiry");
}

#[test]
fn g2_without_an_audience_a_token_that_names_one_is_for_others() {
    let lax = of_secret(|_| {});
    assert!(check(&lax, &hs256(&json!({ "exp": NOW + 1 }))).is_ok_and(|subject| subject.is_none()));
    assert_eq!(check(&lax, &hs256(&json!({ "exp": NOW + 1, "aud": "api" }))), Err(AuthFailure::Invalid));
}

#[test]
fn g2_leeway_is_for_both_ends() {
    let tokens = of_secret(|it| it.leeway = Duration::from_secs(30));
    for (claims, why) in [
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "exp": NOW - 30 }), Some(AuthFailure::Expired)),
        (json!({ "exp": NOW + 60, "nbf": NOW + 30 }), None),
        (json!({ "exp": NOW + 60, "nbf": NOW + 31 }), Some(AuthFailure::Invalid)),
    ] {
        assert_eq!(check(&tokens, &hs256(&claims)).err(), why, "{claims}");
    }
}

#[test]
fn g2_what_is_no_token_is_malformed_and_what_is_odd_is_invalid() {
    use AuthFailure::{Invalid, Malformed};

    let tokens = of_secret(|_| {});
    let good = hs256(&json!({ "exp": NOW + 1 }));
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    for (token, why) in [
        (format!("{header}.{claims}"), Malformed),
        (format!("{good}.{signature}"), Malformed),
        (format!("{header}.{claims}.{signature}="), Malformed),
        (format!("{header}.{claims}.+/+/"), Malformed),
        (format!("{header}.{claims}. "), Malformed),
        (format!("{}.{claims}.{signature}", encode("[]")), Malformed),
        (format!("{}.{claims}.{signature}", encode("{")), Malformed),
        (format!("{}.{claims}.{signature}", encode(r#"{"alg":7}"#)), Malformed),
        (format!("{}.{claims}.{signature}", encode(r#"{"alg":"HS256","alg":"none"}"#)), Malformed),
        (format!("{}.{claims}.{signature}", encode("{}")), Malformed),
        (format!("{}.{claims}.{signature}", encode(r#"["HS256",null]"#)), Malformed),
        (format!("{header}.{}.{signature}", encode("[]")), Malformed),
        (format!("{header}.{}.{signature}", encode(r#"{"exp":1}}"#)), Malformed),
        (format!("{header}..{signature}"), Malformed),
        (format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(b"{\"sub\":\"\xff\"}")), Malformed),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, "[]"), Malformed),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, r#"[null,"u1",null,1800000000,null,true]"#), Malformed),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, "null"), Malformed),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, "not json"), Malformed),
        ("..".to_owned(), Malformed),
        (format!("{header}.{claims}."), Invalid),
        (format!("{header}.{}.{signature}", encode("{}")), Invalid),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, r#"{"exp":"soon"}"#), Invalid),
        (format!("{}.{claims}.", encode(r#"{"alg":"none"}"#)), Invalid),
        (format!("{}.{claims}.", encode(r#"{"alg":"NONE"}"#)), Invalid),
        (format!("{}.{claims}.{signature}", encode(r#"{"alg":"hs256"}"#)), Invalid),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, r#"{"exp":1,"exp":1800000000}"#), Invalid),
        (signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, r#"{"exp":1e999}"#), Invalid),
        (signed(Algorithm::HS256, r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, r#"{"exp":1800000000}"#), Invalid),
        (signed(Algorithm::HS256, r#"{"alg":"HS256","crit":null}"#, r#"{"exp":1800000000}"#), Invalid),
    ] {
        assert_eq!(check(&tokens, &token), Err(why), "{token}");
    }
    // Base64 has only one spelling, because the unused bits of the last character are zero.
    let respelt = |last: char| format!("{}{last}", &good[..good.len() - 1]);
    let spellings = ('A'..='Z').chain('a'..='z').chain('0'..='9').filter(|it| check(&tokens, &respelt(*it)).is_ok());
    assert_eq!(spellings.count(), 1);
}

#[test]
fn m2_weak_or_unfitting_keys_are_refused() {
    let vectors = vectors();
    let jwks = vectors["jwks"].to_string();
    let set = |key: Value| json!({ "keys": [key] }).to_string();
    let with = |member: &str, value: Value| {
        let mut key = vectors["jwks"]["keys"][0].clone();
        key[member] = value;
        set(key)
    };
    let mut even_modulus = URL_SAFE_NO_PAD.decode(vectors["jwks"]["keys"][0]["n"].as_str().unwrap()).unwrap();
    *even_modulus.last_mut().unwrap() &= !1;
    let even_modulus = URL_SAFE_NO_PAD.encode(even_modulus);
    let mut off_the_curve = vectors["jwks"]["keys"][1].clone();
    off_the_curve["y"] = off_the_curve["x"].clone();
    for (keys, algorithms, key, wrong) in [
        (JwtKeys::secret(SECRET), &[][..], "algorithms", "algorithms is empty"),
        (JwtKeys::secret(SECRET), &["none"], "algorithms", "\"none\""),
        (JwtKeys::secret(SECRET), &["HS256", "None"], "algorithms", "\"none\""),
        (JwtKeys::secret(SECRET), &["hs256"], "algorithms[0]", "unknown algorithm"),
        (JwtKeys::secret(SECRET), &["HS256", "ES512"], "algorithms[1]", "unknown algorithm"),
        (JwtKeys::secret(SECRET), &["RS256"], "algorithms", "public key"),
        (JwtKeys::secret(SECRET), &["HS256", "EdDSA"], "algorithms", "public key"),
        (JwtKeys::secret(&SECRET[..31]), &["HS256"], "secret_env", "31 bytes"),
        (JwtKeys::secret(&SECRET[..63]), &["HS256", "HS512"], "secret_env", "63 bytes"),
        (JwtKeys::secret(""), &["HS256"], "secret_env", "0 bytes"),
        (JwtKeys::jwks(jwks.clone()), &["HS256"], "algorithms", "secret"),
        (JwtKeys::jwks("{"), &["RS256"], "jwks_file", "not a JWK set"),
        (JwtKeys::jwks("[]"), &["RS256"], "jwks_file", "not a JWK set"),
        (JwtKeys::jwks(r#"{"keys":[]}"#), &["RS256"], "jwks_file", "the key set has no key for RS256"),
        (JwtKeys::jwks(set(vectors["jwks"]["keys"][1].clone())), &["RS256", "EdDSA"], "jwks_file", "RS256 or EdDSA"),
        (JwtKeys::jwks(with("d", json!("AQAB"))), &["RS256"], "jwks_file", "private"),
        (JwtKeys::jwks(set(json!({ "kty": "oct", "k": "c2VjcmV0" }))), &["RS256"], "jwks_file", "symmetric"),
        (JwtKeys::jwks(with("use", json!("enc"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("key_ops", json!(["encrypt"]))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("alg", json!("RSA-OAEP"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("kid", json!(7))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("n", json!("!"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("n", json!(even_modulus))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!(""))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!("AA"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!("AQ"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!("BA"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!("AgAAAAE"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(with("e", json!("AQAAAAAAAAAD"))), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(set(vectors["short_rsa"].clone())), &["RS256"], "jwks_file", "no key"),
        (JwtKeys::jwks(set(off_the_curve)), &["ES256"], "jwks_file", "no key"),
    ] {
        let refused = Tokens::compiled(keys, settings(algorithms)).err().unwrap();
        assert_eq!(refused.key, key, "{}", refused.wrong);
        assert!(refused.wrong.contains(wrong), "{wrong}: {}", refused.wrong);
        assert!(!refused.wrong.contains(&SECRET[..20]) && !refused.right.contains(&SECRET[..20]));
    }
    let long = JwtSettings { leeway: Duration::from_secs(301), ..settings(&["HS256"]) };
    assert_eq!(Tokens::compiled(JwtKeys::secret(SECRET), long).err().unwrap().key, "leeway");
    let empty = JwtSettings { issuer: Some(String::new()), ..settings(&["HS256"]) };
    assert_eq!(Tokens::compiled(JwtKeys::secret(SECRET), empty).err().unwrap().key, "issuer");
}

/// RFC 7517 §5 requires that unknown entries are skipped, and do not spoil the rest.
#[test]
fn g2_a_set_may_hold_keys_for_others() {
    let mut jwks = vectors()["jwks"].clone();
    let keys = jwks["keys"].as_array_mut().unwrap();
    keys.insert(0, json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" }));
    keys.insert(0, json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }));
    let tokens = Tokens::compiled(JwtKeys::jwks(jwks.to_string()), settings(&["RS256"])).unwrap();
    assert!(check(&tokens, vectors()["tokens"]["RS256"].as_str().unwrap()).is_ok());
}

/// Tests which tokens wait for a newer set. If a newer set could not change the result for a token, the token does not
/// wait.
#[test]
fn g2_a_token_that_newer_keys_may_let_in_waits_for_them() {
    let vectors = vectors();
    let keys = RemoteKeys::new("https://id.example/keys", 7_u8);
    let scheme = crate::guard::auth::AuthScheme::jwt(JwtKeys::remote(keys.clone())).algorithms(["RS256", "ES256"]);
    let scheme = scheme.audience("api").issuer("https://id.test.example").compiled("id").unwrap();
    let ask = |token: &str| {
        let line = http::HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let headers: http::HeaderMap = [(http::header::AUTHORIZATION, line)].into_iter().collect();
        match scheme.check((&headers).into(), &|| at(NOW)) {
            Some(Ok(_)) => Ok("in"),
            None => Ok("wait"),
            Some(Err(rejection)) => Err(rejection.why),
        }
    };
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let (known, without_kid) = (text(&vectors["tokens"]["RS256"]), text(&vectors["without_kid"]["RS256"]));
    let other_algorithm = text(&vectors["tokens"]["EdDSA"]);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"elsewhere"}"#);
    let of_other_issuer = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://b.example","aud":"api","exp":4102444800}"#);
    let of_other_issuer = format!("{header}.{of_other_issuer}.AAAA");
    let of_ours = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://id.test.example","aud":"api","exp":4102444800}"#);
    let of_ours = format!("{header}.{of_ours}.AAAA");
    use AuthFailure::{Invalid, Malformed, Unavailable};
    // There is no set yet, and a set is being fetched.
    for (token, outcome) in [
        (&known, Ok("wait")),
        (&without_kid, Ok("wait")),
        (&of_ours, Ok("wait")),
        (&of_other_issuer, Err(Unavailable)),
        (&other_algorithm, Err(Invalid)),
        (&"x".to_owned(), Err(Malformed)),
    ] {
        assert_eq!(ask(token), outcome, "{token}");
    }
    keys.rest(true);
    assert_eq!((ask(&known), ask("x")), (Err(Unavailable), Err(Malformed)));
    assert!(keys.replace("[]").is_err() && !keys.has_set());
    assert_eq!(keys.replace(&vectors["jwks"].to_string()), Ok(4));
    for (is_resting, unknown_key) in [(true, Err(Invalid)), (false, Ok("wait"))] {
        keys.rest(is_resting);
        for (token, outcome) in [
            (&known, Ok("in")),
            (&without_kid, Ok("in")),
            (&of_ours, unknown_key),
            (&of_other_issuer, Err(Invalid)),
            (&format!("{}AAAA", &known[..known.len() - 4]), Err(Invalid)),
            (&other_algorithm, Err(Invalid)),
        ] {
            assert_eq!(ask(token), outcome, "{is_resting} {token}");
        }
    }
    // Only the next set is used.
    assert!(keys.replace("{}").is_err());
    assert_eq!(ask(&known), Ok("in"));
    assert_eq!(keys.replace(&json!({ "keys": [vectors["jwks"]["keys"][1]] }).to_string()), Ok(1));
    assert_eq!(ask(&known), Ok("wait"));
    assert_eq!((keys.fetcher::<u8>(), keys.fetcher::<u16>()), (Some(&7), None));
}

/// Some issuers write a number like a signed number, with a zero before it.
#[test]
fn g2_zeros_before_a_number_do_not_matter() {
    let vectors = vectors();
    let mut jwks = vectors["jwks"].clone();
    jwks["keys"][0]["e"] = json!("AAAAAAAAAAEAAQ");
    jwks["keys"][0]["n"] = json!(format!("AAAA{}", vectors["jwks"]["keys"][0]["n"].as_str().unwrap()));
    let tokens = Tokens::compiled(JwtKeys::jwks(jwks.to_string()), settings(&["RS256"])).unwrap();
    assert!(check(&tokens, vectors["tokens"]["RS256"].as_str().unwrap()).is_ok());
}

#[test]
fn l3_no_debug_shows_a_secret() {
    let scheme = crate::guard::auth::AuthScheme::jwt(JwtKeys::secret(SECRET)).algorithms(["HS256"]);
    assert!(!format!("{scheme:?}").contains("sixty-four"), "{scheme:?}");
    assert_eq!(format!("{:?}", JwtKeys::jwks("{}")), "JwtKeys(a key set)");
}

#[test]
fn l1_the_cause_of_a_refusal_names_the_claim_that_has_another_type() {
    let tokens = of_secret(|_| ());
    for (claims, cause) in [
        (json!({"exp": "2024-06-05T23:23:17Z"}), "the token's exp is not a number of seconds"),
        (json!({"exp": NOW + 1, "nbf": true}), "the token's nbf is not a number of seconds"),
        (json!({"exp": NOW + 1, "iss": ["a"]}), "the token's iss is not a string"),
        (json!({"exp": NOW + 1, "sub": 7}), "the token's sub is not a string"),
        (json!({"exp": NOW + 1, "aud": {"a": 1}}), "the token's aud is neither a text nor a list of texts"),
        (json!({"exp": NOW + 1, "aud": ["a", 1]}), "the token's aud is neither a text nor a list of texts"),
        (json!({"sub": null}), "the token has no expiry"),
    ] {
        let Err(refused) = tokens.check(hs256(&claims).as_bytes(), &|| at(NOW)) else { panic!("{claims}") };
        assert!(matches!(refused.cause, Some(AuthCause::Known(known)) if known == cause), "{claims}");
    }
    let twice = signed(Algorithm::HS256, r#"{"alg":"HS256"}"#, r#"{"sub":"a","sub":"b"}"#);
    let Err(refused) = tokens.check(twice.as_bytes(), &|| at(NOW)) else { panic!("two subjects") };
    assert!(matches!(refused.cause, Some(AuthCause::Known("the token's claims have no known form"))));
}
