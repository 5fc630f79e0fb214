//! Tests of which errors the rules of a policy match, and of which rules are refused.

use super::*;

impl MapRule {
    pub(crate) fn compiled(self) -> Result<Rule, SettingError> {
        crate::table::alone(|it| self.compile(&CodeSet::default(), it))
    }
}

fn not_found_at(path: &str) -> ErrorFacts<'_> {
    ErrorFacts {
        status: StatusCode::NOT_FOUND,
        raw_code: None,
        code: Some("NO_SESSION"),
        message: Some(" Session not found\n"),
        media_type: Some("Text/HTML"),
        path: Some(path),
        method: &Method::HEAD,
    }
}

fn fits(rule: MapRule) -> bool {
    first_fit(&[Arc::new(rule.compiled().unwrap())], &not_found_at("/api/%76%31//x/"), |_, _| {}).is_some()
}

fn rule() -> MapRule {
    MapRule::to(ErrorCode::GONE)
}

#[test]
fn r1_every_condition_of_a_rule_must_hold() {
    for (good, bad) in [
        (rule().code("NO_SESSION"), rule().code("no_session")),
        (rule().message("Session not found"), rule().message("session not found")),
        (rule().message_pattern("^Session .* found$"), rule().message_pattern("^found")),
        (rule().content_type("text/html"), rule().content_type("text/plain")),
        (rule().route("GET /api/v1/{*rest}"), rule().route("POST /api/v1/{*rest}")),
        (rule().route("/api/v1/x"), rule().route("/api/v2/x")),
    ] {
        assert!(fits(good.clone()), "{good:?}");
        assert!(!fits(bad.clone()), "{bad:?}");
        assert!(!fits(bad.status(404)) && fits(good.clone().status(404)) && !fits(good.status(410)));
    }
}

#[test]
fn r1_the_first_rule_that_fits_decides() {
    let rules = [
        rule().status(410),
        MapRule::to(ErrorCode::NOT_FOUND).status(404).say("Nothing there."),
        rule().code("NO_SESSION"),
    ];
    let rules = rules.map(|rule| Arc::new(rule.compiled().unwrap()));
    let mut tried = Vec::new();
    let (at, fit) = first_fit(&rules, &not_found_at("/"), |at, unmet| tried.push((at, unmet))).unwrap();
    assert_eq!(at, 1);
    assert_eq!(tried, [(0, Some("status")), (1, None)]);
    assert_eq!((&fit.to, fit.say.as_deref(), fit.names_code()), (&ErrorCode::NOT_FOUND, Some("Nothing there."), false));
}

#[test]
fn r1_what_the_error_does_not_say_fits_no_condition() {
    let silent = ErrorFacts { code: None, message: None, media_type: None, path: None, ..not_found_at("/") };
    let patterns = [rule().message_pattern(""), rule().code("x"), rule().content_type("a/b"), rule().route("/{*x}")];
    let rules = patterns.map(|rule| Arc::new(rule.compiled().unwrap()));
    assert!(first_fit(&rules, &silent, |_, _| {}).is_none());
}

#[test]
fn r12_backwards_a_rule_that_is_bound_to_another_route_says_nothing() {
    let rules = [
        MapRule::to(ErrorCode::NOT_FOUND).code("OTHER"),
        rule().code("ELSEWHERE").route("/b/{*rest}"),
        rule().code("HERE").route("/a/{*rest}"),
        rule().message("Gone already"),
        rule().message_pattern("^Gone"),
    ];
    let rules = rules.map(|rule| Arc::new(rule.compiled().unwrap()));
    let texts = |path| {
        let target = RequestTarget::new(&Method::GET, path);
        let code = ErrorCode::GONE;
        let texts = rules_for_code(&rules, &code, &target).map(|rule| rule.code.as_deref().or(rule.exact_message()));
        texts.map(|texts| texts.unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(Some("/a/%78")), ["HERE", "Gone already", "-"]);
    assert_eq!(texts(Some("/c")), ["Gone already", "-"]);
    assert_eq!(texts(None), ["Gone already", "-"]);
}

#[test]
fn r3_a_rule_tells_a_very_text_from_a_pattern() {
    let exact = rule().message("x").compiled().unwrap();
    let pattern = rule().message_pattern("x").compiled().unwrap();
    assert!(exact.names_message() && exact.exact_message().is_some());
    assert!(pattern.names_message() && pattern.exact_message().is_none());
}

#[test]
fn m2_a_wrong_rule_names_its_key() {
    for (wrong, key) in [
        (rule(), ""),
        (rule().status(399), "status"),
        (rule().status(600), "status"),
        (rule().code(""), "code"),
        (rule().message(" "), "message"),
        (rule().status(404).say("a\nb"), "say"),
        (rule().message("x").message_pattern("x"), "message_pattern"),
        (rule().message_pattern("("), "message_pattern"),
        (rule().message_pattern(r"[^\s\S]"), "message_pattern"),
        (rule().content_type("html"), "content_type"),
        (rule().route("api"), "route"),
        (MapRule::to(ErrorCode::foreign("unheard_of").unwrap()).status(404), "to"),
    ] {
        assert_eq!(wrong.clone().compiled().unwrap_err().key, key, "{wrong:?}");
    }
}
