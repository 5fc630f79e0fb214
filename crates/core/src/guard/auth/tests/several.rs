//! If there are several schemes, the one whose check got furthest decides.

use super::*;

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

/// Returns the results of a verifier, in the order of how far the check got. The failure is last, because it may hide a
/// valid credential.
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
            assert_eq!((fault.code().as_str(), &*fault.message()), (outcomes()[first.max(second)].1, winner));
            let lines: &[&str] = if fault.status() == 401 { &["one", "two"] } else { &[] };
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
    // A scheme that lets the request in, or did not run, decides nothing, but its challenge is listed.
    let offered = refusal(&[app], &[]).with_offered_schemes(&schemes[..1]).with_offered_schemes(&schemes[1..]);
    assert_eq!(with_challenges(&offered).1, [app_line, "Bearer", own_line]);
    assert_eq!(offered.fault().message(), Fault::new(crate::code::ErrorCode::AUTH_MISSING).message());
    // A 403 of one route has no challenge. If another route refuses an expired key, the response is a 401 with the
    // challenges of both routes.
    let no_email = || match ask_verifiers(&schemes[2..], &[], &[Ok(Verified::NoEmail)]) {
        SchemesOutcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let (fault, lines) = with_challenges(&refusal(&[api], &[]).and(no_email()));
    assert_eq!((fault.status().as_u16(), lines.len()), (403, 0));
    let (fault, lines) = with_challenges(&no_email().and(refusal(&[api], &[("authorization", "Bearer key-past-1")])));
    assert_eq!((fault.status().as_u16(), &lines[..]), (401, &[own_line.to_owned(), expired.to_owned()][..]));
}
