//! Runs the contract as data: every driver runs `tests/cases/*.toml`.
//!
//! A case is read (`format`, `load`), run by a driver (`layer`, `gateway`, `in_memory`) and checked. `check` checks
//! what the case names, and `always` checks what holds in every case. `CASES=part-of-a-name` selects some cases,
//! `CASES_DIR=folder` selects other files, and `CASES_WITH=field` also runs the cases that wait for that word.

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

/// Returns the status and JSON of each 4xx that a service of the cases sends.
pub(crate) fn json_errors() -> Vec<(u16, serde_json::Value)> {
    let cases = load::cases();
    let sent = cases.iter().filter_map(|case| {
        let status = case.inner.status.filter(|status| (400..600).contains(status))?;
        Some((status, serde_json::from_slice(&case.inner.body()?).ok()?))
    });
    sent.collect()
}

/// The words of `cases/README.md` that this build supports. A case that needs another word waits.
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

/// Returns true if this build has a word, or if `CASES_WITH=word,word` names it.
fn has(word: &str) -> bool {
    let with = std::env::var("CASES_WITH").unwrap_or_default();
    HAS.contains(&word) || with.split(',').any(|it| it == word)
}

/// Rows of the contract that contradict one of its rules, the drivers that show it (an empty list means all), and the
/// rule. They are run and listed. A row that holds must leave this list.
const DISPUTED: &[(&str, &[&str], &str)] = &[
    // A message is measured when it arrives. In process, it arrives once the service reads it, and this service
    // responds without that.
    ("rpc-said/on-one-message-too-large", &["layer", "core"], "G4"),
    // A response that `fill` passes has no code in its head.
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
