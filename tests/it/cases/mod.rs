//! The contract as data: `tests/cases/*.toml` through every driver.
//!
//! A case is read (`format`, `load`), run by a driver (`layer`, `gateway`, `in_memory`) and checked (`check` for what it
//! names, `always` for what holds in every case). `CASES=part-of-a-name` runs some, `CASES_DIR=folder` runs others,
//! `CASES_WITH=field` runs those that wait for that word.

mod always;
mod body;
mod body_script;
mod check;
mod client;
mod drive;
mod envelope;
mod envoy;
mod failures;
mod format;
mod framed;
mod gateway;
mod http1;
mod http2;
mod in_memory;
mod inside;
mod kept;
mod layer;
mod load;
pub(crate) mod logs;
mod members;
mod policy;
mod process;
mod reply;
mod request;
mod rpc;
mod script;
mod seen;
mod self_test;
mod upstream;
mod value;
mod wire;

/// The status and JSON of each 4xx that a service of the cases sends.
pub(crate) fn json_errors() -> Vec<(u16, serde_json::Value)> {
    let cases = load::cases();
    let sent = cases.iter().filter_map(|case| {
        let status = case.inner.status.filter(|status| (400..600).contains(status))?;
        Some((status, serde_json::from_slice(&case.inner.body()?).ok()?))
    });
    sent.collect()
}

/// What this build has of the words in `cases/README.md`; a case that needs another one waits.
const HAS: &[&str] = &[
    "advice",
    "auth",
    "challenge",
    "clients",
    "cors",
    "decompress",
    "dialects",
    "doors",
    "field",
    "html",
    "jsonrpc",
    "jwt",
    "kept",
    "locked",
    "locked-all",
    "markdown",
    "modes",
    "negotiation",
    "one-event",
    "pool",
    "proxy-status",
    "readings",
    "readings-more",
    "record",
    "reload",
    "rpc",
    "rpc-auto",
    "own-shapes",
    "schemes",
    "scopes",
    "shapes",
    "streams",
    "to-status",
    "words",
    "world",
];

/// Whether this build has a word, or `CASES_WITH=word,word` runs the cases that wait for it as well.
fn has(word: &str) -> bool {
    let with = std::env::var("CASES_WITH").unwrap_or_default();
    HAS.contains(&word) || with.split(',').any(|it| it == word)
}

/// Rows of the contract that contradict a rule of it, the drivers that show it (none: all do), and the rule. They are run, and listed; one
/// that holds is none any more.
const DISPUTED: &[(&str, &[&str], &str)] = &[
    // A message is measured as it comes: in process it comes once the service reads it, and this one answers without.
    ("rpc-said/on-one-message-too-large", &["layer", "core"], "G4"),
    // What `fill` passes has no code in its head.
    ("fill-text-types/event-stream", &[], "M1"),
    ("fill-text-types/octets-with-nul", &[], "M1"),
    ("fill-text-types/svg", &[], "M1"),
    ("fill-text-types/text-xml", &[], "M1"),
];

/// The host of a request that names none.
const HOST: &str = "test.example";

#[test]
fn layer_holds_the_contract() {
    drive::all(&layer::Layer);
}

#[test]
fn gateway_holds_the_contract_over_http1() {
    drive::all(&gateway::Gateway::Http1);
}

#[test]
fn gateway_holds_the_contract_over_http2() {
    drive::all(&gateway::Gateway::Http2);
}

#[test]
fn core_holds_the_contract() {
    drive::all(&in_memory::Core);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_holds_the_contract_over_http1() {
    drive::all(&envoy::Envoy::Http1);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_with_the_processor_holds_the_contract_over_http1() {
    drive::all(&envoy::ExtProc::Http1);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_with_the_processor_holds_the_contract_over_http2() {
    drive::all(&envoy::ExtProc::Http2);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_holds_the_contract_over_http2() {
    drive::all(&envoy::Envoy::Http2);
}
