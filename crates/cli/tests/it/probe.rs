//! `probe`: a service that keeps the contract passes, one that does not is reported by rule, and one that misbehaves is
//! named.

mod hostile;
mod operations;
mod servers;
mod tls;
mod usage;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::servers::Answers;
pub(crate) use self::servers::Gateway;
use crate::kit::{Run, run};

const POLICY: &str = "examples/probe/policy.toml";
/// As fast as it goes.
const FAST: [&str; 2] = ["--rate", "100000"];

fn probe(url: &str, args: &[&str]) -> Run {
    run(&[&["probe", url], &FAST[..], args].concat())
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))
}

/// The names of the lines, or of the rules, with that outcome.
fn with_outcome<'a>(report: &'a Value, list: &str, name: &str, outcome: &str) -> Vec<&'a str> {
    let all = report[list].as_array().unwrap().iter();
    all.filter(|it| it["outcome"] == outcome).map(|it| it[name].as_str().unwrap()).collect()
}

#[test]
fn the_gateway_passes_every_line() {
    let gateway = Gateway::start(POLICY);
    let human = probe(&gateway.url, &["--policy", POLICY, "--deny-skipped"]);
    assert_eq!((human.code, human.err.as_str()), (Some(0), ""), "{}", human.out);
    assert!(human.out.contains("\n26 lines: 26 passed, 0 failed, 0 skipped\n"), "{}", human.out);
    assert!(human.out.starts_with(&format!("{}, with {POLICY}\n", gateway.url)), "{}", human.out);

    let json = probe(&gateway.url, &["--policy", POLICY, "--format", "json"]);
    let told = report(&json);
    assert_eq!(
        (json.code, &told["passed"], &told["failed"], &told["skipped"]),
        (Some(0), &26.into(), &0.into(), &0.into())
    );
    assert_eq!(with_outcome(&told, "rules", "rule", "broken"), [""; 0]);
    // F1 and F4 are what a line breaks whose answer does not come; no route of this policy has a shape of its own, and there is
    // no document.
    assert_eq!(with_outcome(&told, "rules", "rule", "not_asked"), ["F1", "F4", "R12", "OpenAPI"]);
    assert_eq!(told["advice"], Value::Array(Vec::new()));

    let junit = probe(&gateway.url, &["--policy", POLICY, "--format", "junit"]);
    let suites = quick_junit::Report::deserialize_from_str(&junit.out).unwrap();
    assert_eq!((junit.code, suites.tests, suites.failures), (Some(0), 26, 0));
}

#[test]
fn a_service_without_the_layer_is_told_by_each_rule() {
    let gateway = Gateway::start(POLICY);
    // The embedded service waits for bodies that never end.
    let args = ["--policy", POLICY, "--timeout", "500ms"];
    let json = probe(&gateway.bare, &[&args[..], &["--format", "json"]].concat());
    let told = report(&json);
    assert_eq!(
        (json.code, &told["passed"], &told["failed"], &told["skipped"]),
        (Some(1), &0.into(), &25.into(), &1.into())
    );
    let broken = with_outcome(&told, "rules", "rule", "broken");
    // The embedded service writes the same bytes whatever the method.
    assert_eq!(broken, ["E1", "E4", "E5", "I1", "G0", "G1", "G2", "G3", "G4", "G5", "R7", "R11", "R13", "P2", "P3"]);
    // What cannot be seen in such answers is not stated to be kept.
    assert_eq!(with_outcome(&told, "rules", "rule", "kept"), [""; 0]);
    assert_eq!(with_outcome(&told, "lines", "name", "skipped"), ["grpc"]);

    let human = probe(&gateway.bare, &args);
    assert_eq!(human.code, Some(1));
    for line in [
        "\nFAIL no-credentials          GET /ok -> 200\n",
        "\n       G2   was let through with 200, expected 401 auth_missing\n",
        "\nskip grpc                    POST /error-envelope-probe.v1.Nothing/Nothing\n       the service does not support HTTP/2; serve HTTP/2: ",
        "\n    use tower_error_envelope::ErrorEnvelopeLayer;\n    let app = app.layer(ErrorEnvelopeLayer::new());\n",
    ] {
        assert!(human.out.contains(line), "{line}\n{}", human.out);
    }

    let junit = probe(&gateway.bare, &[&args[..], &["--format", "junit"]].concat());
    let suites = quick_junit::Report::deserialize_from_str(&junit.out).unwrap();
    assert_eq!((junit.code, suites.tests, suites.failures), (Some(1), 26, 25));
}

/// What a service answers that does not do as its policy states.
#[test]
fn a_service_under_another_policy_is_told_where_they_differ() {
    let gateway = Gateway::start("examples/probe/open.toml");
    let json = probe(&gateway.url, &["--policy", POLICY, "--format", "json"]);
    let told = report(&json);
    assert_eq!(json.code, Some(1));
    assert_eq!(with_outcome(&told, "rules", "rule", "broken"), ["G0", "G1", "G2", "G3", "G4"]);
}

#[test]
fn express_is_told_to_have_something_put_in_front() {
    let express = Answers::start("HTTP/1.1 404 Not Found\r\nx-powered-by: Express\r\ncontent-type: text/html\r\n");
    let human = probe(&express.url, &[]);
    assert_eq!(human.code, Some(1));
    let (_, advice) = human.out.split_once("\nNo response has a request id, ").unwrap();
    assert!(advice.contains("This is Express: put the gateway or Envoy in front"), "{advice}");
    assert!(advice.contains(&format!("gateway --listen 127.0.0.1:8080 --upstream {}\n", express.url)), "{advice}");
    assert!(!advice.contains("ErrorEnvelopeLayer"), "{advice}");
}

#[test]
fn what_cannot_be_asked_is_skipped_and_says_what_would_make_it_possible() {
    let gateway = Gateway::start(POLICY);
    let json = probe(&gateway.url, &["--format", "json"]);
    let told = report(&json);
    let skipped = with_outcome(&told, "lines", "name", "skipped");
    assert_eq!((json.code, skipped.len() as u64), (Some(0), told["skipped"].as_u64().unwrap()));
    for (name, advice) in [
        ("no-credentials", "--protected METHOD:PATH"),
        ("not-json", "--json-path METHOD:PATH"),
        ("required-header-missing", "--policy FILE"),
    ] {
        let line = told["lines"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap();
        assert_eq!((&line["outcome"], &line["sent"]), (&"skipped".into(), &Value::Null), "{line}");
        assert!(line["why"].as_str().unwrap().contains(advice), "{line}");
    }
    assert_eq!(probe(&gateway.url, &["--deny-skipped"]).code, Some(1));

    // What the command line names is asked, too.
    let named =
        ["--json-path", "POST:/fastapi", "--protected", "GET:/ok", "--key-header", "x-api-key", "--format", "json"];
    let told = report(&probe(&gateway.url, &named));
    let passed = with_outcome(&told, "lines", "name", "passed");
    for name in ["no-credentials", "wrong-credentials", "other-spelling", "preflight", "not-json", "malformed-json"] {
        assert!(passed.contains(&name), "{name}: {told:#}");
    }
}

#[test]
fn where_nothing_can_be_asked_nothing_is_well() {
    let off = std::env::temp_dir().join(format!("probe-off-{}.toml", std::process::id()));
    std::fs::write(&off, "version = 1\n[defaults]\nmode = \"off\"\n").unwrap();
    let silent = Answers::silent();
    let human = probe(&silent.url, &["--policy", off.to_str().unwrap()]);
    std::fs::remove_file(off).unwrap();
    assert_eq!((human.code, human.err.as_str()), (Some(1), ""), "{}", human.out);
    assert!(human.out.contains("\n26 lines: 0 passed, 0 failed, 26 skipped\n"), "{}", human.out);
    assert!(human.out.contains("is in mode \"off\", which keeps the shape of errors"), "{}", human.out);
}

#[test]
fn with_credentials_what_is_closed_can_be_asked() {
    let closed = std::env::temp_dir().join(format!("probe-closed-{}.toml", std::process::id()));
    let open = std::fs::read_to_string(crate::kit::repository().join(POLICY)).unwrap();
    std::fs::write(&closed, open.replace("[header.tenant]", "[defaults]\nauth = [\"app\"]\n\n[header.tenant]"))
        .unwrap();
    let policy = closed.to_str().unwrap();
    let gateway = Gateway::start(policy);
    let ask = |key: Option<&str>| {
        let mut command = crate::kit::command(&["probe", &gateway.url, "--policy", policy, "--format", "json"]);
        command.args(FAST).args(["--verbose"]).env("PROBE_KEY", key.unwrap_or_default());
        if key.is_some() {
            command.args(["--header-env", "x-api-key=PROBE_KEY"]);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("probe-key-0123456789"), "a secret on the screen: {said}");
        assert_eq!(key.is_some(), said.contains("\n> x-api-key: (as given)\n"), "{said}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (without, with) = (ask(None), ask(Some("probe-key-0123456789")));
    std::fs::remove_file(closed).unwrap();
    let line = |report: &Value| report["lines"][0].clone();
    let why = line(&without)["why"].as_str().unwrap().to_owned();
    assert!(why.contains("the service would first answer 401 auth_missing; give credentials"), "{why}");
    assert_eq!((&line(&with)["outcome"], &with["failed"]), (&"passed".into(), &0.into()), "{with:#}");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "how long a program takes; the ban is for the library")]
fn it_takes_its_time() {
    let gateway = Gateway::start(POLICY);
    let begun = Instant::now();
    let slow = run(&["probe", &gateway.url, "--policy", POLICY, "--rate", "25"]);
    assert_eq!(slow.code, Some(0), "{}", slow.out);
    // 26 requests have 25 pauses of 40 ms between them.
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}
