//! Tests each lint with a policy that has it, and a similar policy that does not. The whole report is compared.

use super::Lint;
use crate::loader::PolicyLoader;

const KEY: &str = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";

fn lints(text: &str) -> Vec<Lint> {
    let text =
        format!("version = 1\n{}", text.replace("$KEY", &format!("keys = [{{ id = \"k\", sha256 = \"{KEY}\" }}]")));
    PolicyLoader::new().parse("p.toml", &text).unwrap_or_else(|error| panic!("{error}")).lints()
}

#[track_caller]
fn assert_lints(text: &str, expected: &[&str]) {
    let texts: Vec<_> = lints(text).iter().map(|lint| format!("{} {lint}", lint.name)).collect();
    assert_eq!(texts, expected, "{text}");
}

const AUTH: &str = "[auth.a]\nscheme = \"bearer\"\n$KEY\n";

#[test]
fn m1_auth_observe() {
    let watched = format!("[[route]]\nmatch = \"/a\"\nauth = [\"a\"]\nauth_observe = true\n{AUTH}");
    assert_lints(
        &watched,
        &[
            "auth-observe p.toml:5: route[0].auth_observe: credentials are checked and logged, but no request is refused; \
           remove auth_observe once the log shows no failures of valid clients",
        ],
    );
    assert_lints(&watched.replace("true", "false"), &[]);
}

#[test]
fn m1_a_mode_opens_no_door() {
    let text = format!("defaults.auth = [\"a\"]\n[[route]]\nmatch = \"/a/{{*r}}\"\nmode = \"observe\"\n{AUTH}");
    assert_lints(
        &text,
        &[
            "mode-opens-no-door p.toml:5: route[0].mode: mode = \"observe\" does not switch off auth: requests without credentials are still refused (auth: line 2); set auth_observe = true to accept all requests and log the failures, or auth = [] to require no credentials",
        ],
    );
    let below = format!("defaults.mode = \"off\"\n[[route]]\nmatch = \"GET /a\"\nauth = [\"a\"]\n{AUTH}");
    assert_lints(
        &below,
        &[
            "mode-opens-no-door p.toml:5: route[0].auth: mode = \"off\" does not switch off auth: requests without credentials are still refused (mode: line 2); set auth_observe = true to accept all requests and log the failures, or auth = [] to require no credentials",
        ],
    );
    assert_lints(&text.replace("observe", "own"), &[]);
    assert_eq!(lints(&text.replace("\"observe\"", "\"observe\"\nauth_observe = true"))[0].name, "auth-observe");
    assert_eq!(lints(&text.replace("\"observe\"", "\"observe\"\nauth = []"))[0].name, "open-under-closed");
}

#[test]
fn g2_an_open_route_under_a_closed_one_is_noted() {
    let text = format!("[defaults]\nauth = [\"a\"]\n[[route]]\nmatch = \"GET /health\"\nauth = []\n{AUTH}");
    let open = lints(&text);
    assert_eq!(
        open[0].to_string(),
        "p.toml:6: route[0].auth: the route requires no credentials, but a wider setting is auth = [\"a\"] (line 3); this is fine for a health check or a login; otherwise remove auth here"
    );
    assert!(open.len() == 1 && open[0].is_note && open[0].name == "open-under-closed");
}

#[test]
fn g0_routes_that_differ_in_letter_case_alone() {
    assert_lints(
        "[[route]]\nmatch = \"/a/{x}\"\nbody_limit = 1024\n[[route]]\nmatch = \"/A/{x}\"\nbody_limit = 2048",
        &[
            "route-differs-in-case p.toml:6: route[1].match: the route differs only in letter case from another route with other guards (line 3); \
           keep one of them, or set case = \"exact\" on both if every service treats the two paths as different",
        ],
    );
    for routes in [
        "[[route]]\nmatch = \"/a/{x}\"\nbody_limit = 1024\n[[route]]\nmatch = \"/A/{x}\"\nbody_limit = 1024",
        "defaults.case = \"exact\"\n[[route]]\nmatch = \"/a\"\nbody_limit = 1024\n[[route]]\nmatch = \"/A\"\nbody_limit = 2048",
    ] {
        assert_lints(routes, &[]);
    }
}

#[test]
fn g0_routes_that_cross() {
    let text = "[[route]]\nmatch = \"/{tenant}/admin\"\nmode = \"own\"\n[[route]]\nmatch = \"GET /public/{page}\"\nmode = \"off\"\n";
    assert_lints(
        text,
        &[
            "routes-cross p.toml:4: route[0].mode: GET /public/admin also matches another route (line 6), which decides mode; add a route for the paths that both match, or make them match different paths",
        ],
    );
    let turned = "[[route]]\nmatch = \"GET /public/{page}\"\nmode = \"off\"\n[[route]]\nmatch = \"/{tenant}/admin\"\nmode = \"own\"\n";
    assert_lints(
        turned,
        &[
            "routes-cross p.toml:7: route[1].mode: GET /public/admin also matches another route (line 3), which decides mode; add a route for the paths that both match, or make them match different paths",
        ],
    );
    assert_lints(&text.replace("\"off\"", "\"own\""), &[]);
    assert_lints(&text.replace("/public/{page}", "/public/{*page}").replace("/{tenant}/admin", "/public/admin"), &[]);
}

#[test]
fn r1_a_map_rule_that_never_fits() {
    let text = "[[map]]\nmessage_pattern = \"^No \"\nto = \"not_found\"\n[[map]]\nstatus = 404\nmessage = \"No room\"\nto = \"gone\"\n";
    assert_lints(
        text,
        &["map-never-fits p.toml:5: map[1]: no error reaches the rule: an earlier rule matches all of them (line 2); \
           put the narrower rule first, or remove this one"],
    );
    assert_lints(&text.replace("No room", "no room"), &[]);
    assert_lints(
        "[[map]]\nmessage = \" x\"\nto = \"gone\"\n",
        &[
            "map-never-fits p.toml:3: map[0].message: no error matches, because messages are compared without surrounding white space; remove the white space around the message",
        ],
    );
}

#[test]
fn m1_a_map_rule_on_a_route_where_errors_pass() {
    let rule = "[[map]]\nstatus = 404\nroute = \"GET /old/{*r}\"\nto = \"gone\"\n";
    let text = format!("{rule}[[route]]\nmatch = \"/old/{{*r}}\"\nmode = \"off\"\n");
    assert_lints(
        &text,
        &[
            "map-never-fits p.toml:4: map[0].route: no error reaches the rule: errors pass through on its route, by mode = \"off\"; \
           remove it, or give the route another mode",
        ],
    );
    assert_lints(&format!("{rule}[defaults]\nmode = \"observe\"\n"), &[]);
    assert_lints(&text.replace("\"off\"", "\"own\"\ndialect = \"openai\""), &[]);
    let below = format!("{text}[[route]]\nmatch = \"/old/{{x}}/y\"\nmode = \"fill\"\n");
    assert_lints(&below, &[]);
    assert_lints(
        &below.replace("match = \"/old/{x}", "match = \"POST /old/{x}"),
        &["map-never-fits p.toml:4: map[0].route: \
        no error reaches the rule: errors pass through on its route, by mode = \"off\"; remove it, or give the route another mode"],
    );
    assert_lints(&text.replace("/old/{*r}\"\nmode", "/old/x\"\nmode"), &[]);
}

#[test]
fn g0_methods_that_nobody_sends() {
    let text = "[[route]]\nmatch = \"GET|POTS /a\"\nmode = \"own\"\n[[map]]\nroute = \"ANY /b\"\nto = \"gone\"\n";
    assert_lints(
        text,
        &[
            "method-unregistered p.toml:3: route[0].match: POTS is not a registered method; only requests with exactly this method match; did you mean POST?",
            "method-unregistered p.toml:6: map[0].route: ANY is not a registered method; only requests with exactly this method match; remove it, because a path without a method matches all methods",
        ],
    );
    assert_lints(&text.replace("POTS", "M-SEARCH|PURGE|MKCOL").replace("ANY", "QUERY"), &[]);
    let own = lints(&text.replace("POTS", "FROBNICATE").replace("ANY", "GET"));
    assert!(own.iter().map(|lint| (lint.name, lint.is_note)).eq([("method-unregistered", true)]));
}

#[test]
fn tables_that_nothing_asks_for() {
    let text = format!("[header.h]\nname = \"x-h\"\n{AUTH}");
    assert_lints(
        &text,
        &[
            "unused-header p.toml:2: header.h: no route requires the header; add it to require_headers, or remove the table",
            "unused-auth p.toml:4: auth.a: no route uses the auth scheme; add it to auth, or remove the table",
        ],
    );
    assert_lints(
        &format!("defaults.auth = [\"a\"]\n[[route]]\nmatch = \"/x\"\nrequire_headers = [\"h\"]\n{text}"),
        &[],
    );
}

#[test]
fn g1_a_header_that_the_gateway_sets_on_every_request() {
    let text = "defaults.require_headers = [\"h\"]\n[header.h]\nname = \"X_Forwarded-For\"\n";
    assert_lints(
        text,
        &[
            "header-never-missing p.toml:4: header.h.name: by default, the gateway itself sets x-forwarded-for on each request, so the requirement never fails there; remove it, or add a pattern that the value must match",
        ],
    );
    for name in ["x-forwarded-proto", "Forwarded"] {
        assert_eq!(lints(&text.replace("X_Forwarded-For", name))[0].name, "header-never-missing");
    }
    assert_lints(&text.replace("X_Forwarded-For", "x-forwarded-port"), &[]);
    assert_lints(&format!("{text}pattern = \"10[.].*\"\n"), &[]);
}

#[cfg(feature = "jwt")]
#[test]
fn g2_tokens_that_name_no_audience() {
    let loader = || PolicyLoader::new().environment(|_| Some("s".repeat(64)));
    let text = "version = 1\ndefaults.auth = [\"t\"]\n[auth.t]\nscheme = \"jwt\"\nsecret_env = \"S\"\nalgorithms = [\"HS256\"]\n";
    let lints = |text: &str| loader().parse("p.toml", text).unwrap().lints();
    assert_eq!(
        lints(text)[0].to_string(),
        "p.toml:3: auth.t: no audience is set: tokens with an audience are refused, and tokens without one are accepted for any service; set audience to the value in the tokens"
    );
    assert!(lints(&format!("{text}audience = \"api\"\n")).is_empty());
}

#[test]
fn the_given_policies_have_notes_alone() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/policies");
    let notes = |name: &str| {
        let loader = PolicyLoader::new().environment(|_| Some("0123456789abcdef0123456789abcdef".to_owned()));
        let file = loader.load(format!("{folder}/{name}.toml")).unwrap();
        let lints = file.lints();
        assert!(lints.iter().all(|lint| lint.is_note));
        lints.iter().map(|lint| (lint.name, lint.finding.line().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(notes("messaging"), []);
    assert_eq!(notes("voice-ai"), []);
    assert_eq!(notes("channels"), []);
    assert_eq!(notes("voice-gateway"), [("open-under-closed", 68)]);
}

#[test]
fn r15_a_shape_that_is_never_read() {
    const WHOLE: &str =
        "[shape.a]\nwhen.\"/c\" = \"string\"\nwrite = '{\"c\":{{code}},\"m\":{{message}},\"i\":{{request_id}}}'\n";
    assert_lints(WHOLE, &[]);
    assert_lints(
        &format!("{WHOLE}[shape.b]\nwhen = {{ \"/c\" = {{ is = \"x\" }}, \"/d\" = 1 }}\ncode = \"/c\"\n"),
        &[
            "shape-never-read p.toml:6: shape.b.when: every body of this shape is read as \"a\", which is tried before it; \
           put this shape before that one, or add a condition to that one's `when`",
        ],
    );
    assert_lints(&format!("{WHOLE}[shape.b]\nwhen.\"/d\" = 1\ncode = \"/c\"\n"), &[]);
    assert_lints(&format!("{WHOLE}[shape.b]\nany = {{ \"/c\" = \"name\", \"/d\" = 1 }}\ncode = \"/c\"\n"), &[]);
}

#[test]
fn an_ordinary_policy_of_a_gateway_has_no_findings() {
    assert_lints("[scope]\nprefix = \"/orders\"\nupstream = \"http://orders:8080\"\n", &[]);
}

#[test]
fn r1_a_message_that_looks_like_an_expression() {
    let rule = |message: &str| format!("[[map]]\nmessage = '{message}'\nto = \"not_found\"\n");
    for message in ["^No .+ found$", "^No order", "order gone$", "No .* found", r"Order \d{4} is gone"] {
        let found = lints(&rule(message));
        assert!(found.iter().all(|lint| lint.is_note));
        let expected = "message-like-expression p.toml:3: map[0].message: a message is not a regular expression, so only an \
                        error with exactly this text matches; this is fine if the text is meant literally; otherwise \
                        write message_pattern instead of message";
        assert_lints(&rule(message), &[expected]);
    }
    for message in ["Not found.", "Is it gone?", "a + b (c) [d] {e} costs $5 ..."] {
        assert_lints(&rule(message), &[]);
    }
}

/// Pairs of settings of one key. The first setting of each pair requires more of a request than the second.
const STRONGER_AND_WEAKER: [(&str, &str, &str); 15] = [
    ("mode", "mode = \"own\"", "mode = \"observe\""),
    ("mode", "mode = \"enforce\"", "mode = \"off\""),
    ("body_limit", "body_limit = 10", "body_limit = 11"),
    ("body_limit", "body_limit = 10", "body_limit = \"none\""),
    ("body_limit_per", "body_limit_per = \"body\"", "body_limit_per = \"auto\""),
    ("json", "json = true", "json = false"),
    ("json", "json = true", "content_types = [\"application/json\", \"a/b\"]"),
    ("auth", "auth = [\"a\"]", "auth = []"),
    ("auth", "auth = [\"a\"]", "auth = [\"a\", \"b\"]"),
    ("auth_observe", "auth_observe = false", "auth_observe = true"),
    ("auth_optional", "auth_optional = false", "auth_optional = true"),
    ("require_headers", "require_headers = [\"h\", \"i\"]", "require_headers = [\"h\"]"),
    ("preflight", "preflight = \"guard\"", "preflight = \"pass\""),
    ("paths", "paths = \"refuse\"", "paths = \"guard\""),
    ("case", "case = \"fold\"", "case = \"exact\""),
];

#[test]
fn an_override_that_weakens_a_guard_is_told_from_one_that_does_not() {
    let named = "[auth.a]\nscheme = \"bearer\"\n$KEY\n[auth.b]\nscheme = \"header\"\nheader = \"x-b\"\n$KEY\n\
                 [header.h]\nname = \"x-h\"\n[header.i]\nname = \"x-i\"\n";
    let keys = |line: &str| {
        let text = format!("version = 1\n[defaults]\n{line}\n{named}");
        let key = format!("keys = [{{ id = \"k\", sha256 = \"{KEY}\" }}]");
        let read = PolicyLoader::new().parse("p.toml", &text.replace("$KEY", &key));
        read.unwrap_or_else(|error| panic!("{error}")).builder.part.keys
    };
    for (key, strong, weak) in STRONGER_AND_WEAKER {
        let (strong, weak) = (keys(strong), keys(weak));
        assert!(weak.weakens(&strong, key) && !strong.weakens(&weak, key) && !strong.weakens(&strong, key), "{key}");
    }
    assert!(!keys("mode = \"own\"").weakens(&keys("mode = \"enforce\""), "mode"), "the guards are the same");
    assert!(!keys("auth = [\"a\"]").weakens(&keys("auth = []"), "auth"));
}

#[test]
fn g0_patterns_that_look_like_regular_expressions() {
    for pattern in ["/users/[0-9]+", "/a/.*", "/(a|b)/c", "/a$", "GET /a.+"] {
        let found = lints(&format!("[[route]]\nmatch = {pattern:?}\nmode = \"own\"\n"));
        assert_eq!(found.iter().map(|lint| lint.name).collect::<Vec<_>>(), ["pattern-like-expression"], "{pattern}");
    }
    for pattern in ["/v1.2/{id}", "/odata/$metadata", "/Users(1)/a", "/a+b", "/~me/a:b@c"] {
        assert_lints(&format!("[[route]]\nmatch = {pattern:?}\nmode = \"own\"\n"), &[]);
    }
    assert_lints(
        "[[map]]\nstatus = 404\nroute = \"/a/.*\"\nto = \"conflict\"\n",
        &[
            "pattern-like-expression p.toml:4: map[0].route: a path pattern is not a regular expression: it matches only the literal text \
           \".*\"; write a name in braces, such as {id}, for one arbitrary segment, and {*rest} at the end for all segments that follow",
        ],
    );
}

/// Returns the lints of a policy that includes a file with a scope.
fn lints_with(name: &str, top: &str, scope: &str) -> Vec<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let keys = format!("[auth.a]\nscheme = \"bearer\"\nkeys = [{{ id = \"k\", sha256 = \"{KEY}\" }}]\n");
    std::fs::write(folder.join("p.toml"), format!("version = 1\ninclude = [\"a.toml\"]\n{top}{keys}")).unwrap();
    std::fs::write(folder.join("a.toml"), format!("version = 1\n[scope]\n{scope}")).unwrap();
    let file = PolicyLoader::new().load(folder.join("p.toml")).unwrap();
    let text = |lint: &Lint| format!("{} {lint}", lint.name).replace(&format!("{}/", folder.display()), "");
    file.lints().iter().map(text).collect()
}

#[test]
fn m2_an_include_that_shadows_a_route_around_it() {
    let route = "[[route]]\nmatch = \"/orders/admin/{*rest}\"\nauth = [\"a\"]\n";
    let scope = "prefix = \"/orders\"\n[defaults]\nauth = []\n";
    let found = lints_with("shadows", route, scope);
    let shadowed: Vec<_> = found.iter().filter(|lint| lint.starts_with("shadowed-by-include")).collect();
    assert_eq!(
        shadowed,
        ["shadowed-by-include p.toml:5: route[0].auth: this never applies: auth = [] of an included file comes first \
          (a.toml:5); set it in a route of that file, or remove it here"]
    );
    let is_found = |scope: &str| lints_with("shadows", route, scope).iter().any(|lint| lint.starts_with("shadowed"));
    // The route applies on another host, and does not shadow another key.
    assert!(!is_found("hosts = [\"a.example\"]\nprefix = \"/orders\"\n[defaults]\nauth = []\n"));
    assert!(!is_found("prefix = \"/orders\"\n[defaults]\nmode = \"own\"\n"));
    assert!(!is_found("prefix = \"/orders/admin/x\"\n[defaults]\nauth = []\n"));
    assert!(is_found("prefix = \"/orders\"\n[[route]]\nmatch = \"/orders/{*rest}\"\nauth = []\n"));
}

/// `auth = []` of a whole scope under a closed policy is noted like that of a route.
#[test]
fn g2_a_scope_that_opens_what_is_closed_around_it() {
    let found = lints_with("opens", "[defaults]\nauth = [\"a\"]\n", "prefix = \"/a\"\n[defaults]\nauth = []\n");
    assert_eq!(
        found,
        [
            "open-under-closed a.toml:5: defaults.auth: the scope requires no credentials, but a wider setting is auth = [\"a\"] \
          (p.toml:4); this is fine for a health check or a login; otherwise remove auth here"
        ]
    );
}
