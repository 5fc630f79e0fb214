//! Tests that `probe` accepts a service that keeps the contract, and that it reports each broken rule by its name.

mod broken;
mod servers;
mod tls;
mod usage;

use serde_json::Value;

use self::servers::Answers;
pub(crate) use self::servers::Gateway;
use crate::kit::{Run, run};

const POLICY: &str = "examples/probe/policy.toml";
const PANIC: &str = "/panic";
const ROWS: u64 = 21;

fn probe(url: &str, args: &[&str]) -> Run {
    run(&[&["probe", url], args].concat())
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))
}

/// Returns the names of the lines with that outcome.
fn with_outcome<'a>(report: &'a Value, outcome: &str) -> Vec<&'a str> {
    let lines = report["lines"].as_array().unwrap().iter();
    lines.filter(|it| it["outcome"] == outcome).map(|it| it["name"].as_str().unwrap()).collect()
}

/// Returns the rules that the lines break.
fn broken(report: &Value) -> Vec<&str> {
    let lines = report["lines"].as_array().unwrap().iter();
    let findings = lines.flat_map(|line| line["findings"].as_array().unwrap());
    let mut rules: Vec<_> = findings.map(|finding| finding["rule"].as_str().unwrap()).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[test]
fn the_gateway_passes_every_line() {
    let gateway = Gateway::start(POLICY);
    let human = probe(&gateway.url, &["--policy", POLICY, "--panic-path", PANIC]);
    assert_eq!((human.code, human.err.as_str()), (Some(0), ""), "{}", human.out);
    assert!(human.out.ends_with("\n21 lines: 21 passed, 0 failed, 0 skipped\n"), "{}", human.out);

    let json = probe(&gateway.url, &["--policy", POLICY, "--panic-path", PANIC, "--format", "json"]);
    let told = report(&json);
    assert_eq!(
        (json.code, &told["passed"], &told["failed"], &told["skipped"]),
        (Some(0), &ROWS.into(), &0.into(), &0.into())
    );
    assert_eq!((&told["policy"], &told["lines"][0]["got"]), (&POLICY.into(), &"404 not_found".into()));
}

#[test]
fn the_time_of_an_answer_is_no_difference_and_its_form_is() {
    let policy = written("meta", "[defaults]\ndialect = \"error_with_meta\"\nbody_limit = 9\n");
    let gateway = Gateway::start(&policy);
    for _ in 0..3 {
        let run = probe(&gateway.url, &["--policy", &policy, "--format", "json"]);
        assert_eq!((run.code, broken(&report(&run))), (Some(0), Vec::<&str>::new()), "{}", run.out);
    }
    let other = written("no-meta", "[defaults]\nbody_limit = 9\n");
    assert_eq!(probe(&gateway.url, &["--policy", &other]).code, Some(1));
}

#[test]
fn in_observe_it_states_that_guards_only_observe() {
    let policy = written("observe", "[defaults]\nmode = \"observe\"\nbody_limit = 9\n");
    let gateway = Gateway::start(&policy);
    let told = probe(&gateway.url, &["--policy", &policy]).out;
    let why =
        "is in mode \"observe\", in which guards other than credentials only observe, and errors keep their shape\n";
    assert!(told.contains(why), "{told}");
}

/// Writes a policy with this text, and returns its path.
fn written(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probe-{name}.toml"));
    std::fs::write(&path, format!("version = 1\n{text}")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_service_without_the_layer_passes_no_line() {
    let gateway = Gateway::start(POLICY);
    // The embedded service waits for bodies that never end.
    let args = ["--policy", POLICY, "--timeout", "500ms"];
    let json = probe(&gateway.bare, &[&args[..], &["--format", "json"]].concat());
    assert_eq!((json.code, &report(&json)["passed"]), (Some(1), &0.into()), "{}", json.out);

    let human = probe(&gateway.bare, &args);
    assert_eq!(human.code, Some(1));
    assert!(human.out.contains("\nFAIL G2  no-credentials            GET /ok -> 200\n"), "{}", human.out);
    assert!(human.out.contains("\n     I1  there are 0 x-request-id headers, expected 1\n"), "{}", human.out);
}

#[test]
fn a_service_under_another_policy_is_reported_where_they_differ() {
    let gateway = Gateway::start("examples/probe/open.toml");
    let json = probe(&gateway.url, &["--policy", POLICY, "--format", "json"]);
    assert_eq!((json.code, broken(&report(&json))), (Some(1), vec!["G0", "G1", "G2", "G3", "G4"]), "{}", json.out);
}

#[test]
fn without_a_policy_rows_of_routes_are_skipped_with_what_they_need() {
    let gateway = Gateway::start(POLICY);
    let json = probe(&gateway.url, &["--format", "json"]);
    let told = report(&json);
    assert_eq!(json.code, Some(0), "{}", json.out);
    assert_eq!(
        with_outcome(&told, "passed"),
        ["not-found", "head", "problem-json", "malformed-id", "own-id", "two-ids", "too-large"]
    );
    for line in told["lines"].as_array().unwrap().iter().filter(|line| line["sent"].is_null()) {
        let flag = if line["name"] == "panic" { "--panic-path PATH" } else { "--policy FILE" };
        assert!(line["why"].as_str().unwrap().contains(flag), "{line}");
    }
}

#[test]
fn where_nothing_can_be_checked_the_exit_code_is_1() {
    let off = std::env::temp_dir().join(format!("probe-off-{}.toml", std::process::id()));
    std::fs::write(&off, "version = 1\n[defaults]\nmode = \"off\"\n").unwrap();
    let silent = Answers::silent();
    let human = probe(&silent.url, &["--policy", off.to_str().unwrap()]);
    std::fs::remove_file(off).unwrap();
    assert_eq!((human.code, human.err.as_str()), (Some(1), ""), "{}", human.out);
    assert!(human.out.contains("\n21 lines: 0 passed, 0 failed, 21 skipped\n"), "{}", human.out);
    assert!(human.out.contains("is in mode \"off\", which keeps the shape of errors"), "{}", human.out);
}

#[test]
fn with_credentials_closed_routes_can_be_probed() {
    let closed = std::env::temp_dir().join(format!("probe-closed-{}.toml", std::process::id()));
    let open = std::fs::read_to_string(crate::kit::repository().join(POLICY)).unwrap();
    std::fs::write(&closed, open.replace("[header.tenant]", "[defaults]\nauth = [\"app\"]\n\n[header.tenant]"))
        .unwrap();
    let policy = closed.to_str().unwrap();
    let gateway = Gateway::start(policy);
    let ask = |args: &[&str]| {
        let mut command = crate::kit::command(&["probe", &gateway.url, "--policy", policy, "--format", "json"]);
        let output = command.args(args).env("PROBE_KEY", "probe-key-0123456789").output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("probe-key-0123456789"), "a secret is printed");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (without, with) = (ask(&[]), ask(&["--header", "x-api-key: $PROBE_KEY"]));
    std::fs::remove_file(closed).unwrap();
    let why = without["lines"][0]["why"].as_str().unwrap();
    assert!(why.contains("would get auth_missing first; add the needed header: --header"), "{why}");
    assert_eq!((&with["lines"][0]["outcome"], &with["failed"]), (&"passed".into(), &0.into()), "{with:#}");
}
