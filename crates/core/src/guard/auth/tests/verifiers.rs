//! Schemes whose credentials are checked by the service's own verifier.

use super::*;
use crate::code::{CodeSet, ErrorCode};

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
    let cause = std::error::Error::source(&fault).unwrap();
    assert_eq!(cause.to_string(), "scheme one: no response from the verifier");
    assert_eq!(cause.source().unwrap().to_string(), "the directory is down");
    assert_eq!(outcome(ask_verifiers(&schemes, &[], &[Ok(Verified::Missing), Ok(Verified::Expired)])), "auth_expired");
}

#[test]
fn g2_a_403_and_a_503_offer_no_challenge() {
    let schemes = compiled([("partner", AuthScheme::custom().no_email("Verify first").unavailable("Later"))]);
    let (fault, challenges) = refused(ask_verifiers(&schemes, &[], &[Ok(Verified::NoEmail)]));
    assert_eq!((fault.status().as_u16(), &*fault.message(), challenges.len()), (403, "Verify first", 0));
    let (fault, challenges) = refused(ask_verifiers(&schemes, &[], &[down()]));
    assert_eq!((fault.status().as_u16(), &*fault.message(), challenges.len()), (503, "Later", 0));
    let (_, challenges) = refused(ask_verifiers(&schemes, &[], &[Ok(Verified::Missing)]));
    assert_eq!(challenges, ["Bearer"]);
}

#[test]
fn g2_the_code_of_a_failed_verifier_is_the_schemes() {
    let known = |name| ErrorCode::in_catalogue(name).or_else(|| ErrorCode::foreign(name)).unwrap();
    let seats = CodeSet::new(vec![ErrorCode::custom("seats_down", 507)]);
    for (code, status) in [("internal_error", 500), ("auth_invalid", 401), ("seats_down", 507)] {
        let scheme = AuthScheme::custom().unavailable_code(known(code)).unavailable("Later.");
        let scheme = crate::table::alone(|it| scheme.compile("partner", &seats, it)).unwrap();
        let (fault, challenges) = refused(ask_verifiers(&[Arc::new(scheme)], &[], &[down()]));
        assert_eq!((fault.code().as_str(), fault.status().as_u16(), &*fault.message()), (code, status, "Later."));
        assert_eq!(challenges.len(), usize::from(status == 401), "{code}");
    }
}
