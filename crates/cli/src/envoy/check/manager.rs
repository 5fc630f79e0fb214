//! Finds settings of a connection manager that would break the contract.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use error_envelope_runtime::{FilterConfig, FilterPolicy};
use serde_json::Value;
use tower_error_envelope::PolicyError;

use super::config::{is_a, overrides};
use super::findings::Findings;
use super::processor;
use crate::policy;

/// The required fields of a connection manager, their accepted values, and what breaks without them.
const MANAGER: [(&str, &[&str], &str); 6] = [
    ("generate_request_id", &["false"], "Envoy generates a second id beside the policy's (I1)"),
    ("preserve_external_request_id", &["true"], "Envoy removes the id that a trusted client sent (I2)"),
    ("normalize_path", &["true"], "Envoy may choose another route than the policy (G0)"),
    ("merge_slashes", &["true"], "Envoy may choose another route than the policy (G0)"),
    (
        "path_with_escaped_slashes_action",
        &["UNESCAPE_AND_REDIRECT", "REJECT_REQUEST"],
        "Envoy may choose another route than the policy (G0)",
    ),
    ("proxy_100_continue", &["true"], "Envoy accepts an upload before the guards run (G4)"),
];

/// Filters whose own responses bypass the module if they are placed before it, as tests with Envoy 1.40 show:
/// `tests/it/cases/envoy/answering.rs`.
const PASSING: [&str; 10] = [
    "api_key_auth",
    "basic_auth",
    "buffer",
    "csrf",
    "ext_authz",
    "fault",
    "jwt_authn",
    "local_ratelimit",
    "lua",
    "rbac",
];

/// Further filters that respond by themselves; whether their responses bypass the module was not tested.
const ANSWERING: [&str; 11] = [
    "adaptive_concurrency",
    "admission_control",
    "cache",
    "cors",
    "custom_response",
    "golang",
    "health_check",
    "oauth2",
    "ratelimit",
    "wasm",
    "ext_proc",
];

const NOT_TRACED: &str = "Envoy traces no request: it samples by UUID request ids, and generate_request_id is false; \
                          set request_id_extension with use_request_id_for_trace_sampling: false";

pub(super) const MODULE: &str = "error_envelope";

pub(super) fn check(place: &str, manager: &Value, findings: &mut Findings) {
    let place = if place.is_empty() { "the connection manager" } else { place };
    let empty = Vec::new();
    let filters = manager["http_filters"].as_array().unwrap_or(&empty);
    let module = filters.iter().position(is_module);
    let Some(at) = module.or_else(|| filters.iter().position(processor::is_ours)) else {
        let what = "http_filters has neither the module error_envelope nor its external processor: the contract is not \
                    applied";
        findings.warn(place, what);
        return;
    };
    match module {
        Some(at) => check_module(place, manager, &filters[at], findings),
        None => processor::check(&format!("{place}/http_filters/{at}/typed_config"), &filters[at], findings),
    }
    check_neighbours(place, filters, at, findings);
    for (key, wanted, breaks) in MANAGER {
        let value = match &manager[key] {
            Value::String(text) => text.clone(),
            Value::Null => "not set".to_owned(),
            other => other.to_string(),
        };
        if !wanted.contains(&&*value) {
            findings.warn(place, &format!("{key} is {value}: {breaks}; write {}", wanted.join(" or ")));
        }
    }
    check_time_limits(place, manager, findings);
    check_local_replies(place, &manager["local_reply_config"], findings);
    note_differences(place, manager, filters, findings);
    if overrides(&manager["route_config"], MODULE) {
        findings.warn(
            place,
            "a route has a per-route configuration of the module, which the module rejects: set routes in the policy",
        );
    }
}

/// Filters other than the module that may respond by themselves.
fn check_neighbours(place: &str, filters: &[Value], module: usize, findings: &mut Findings) {
    for (index, filter) in filters.iter().enumerate() {
        let name = filter["name"].as_str().unwrap_or("a filter has no name");
        // A filter's name can be anything; its type shows what it is.
        let kind = filter["typed_config"]["@type"].as_str().unwrap_or(name);
        let is_one_of = |filters: &[&str]| kind.split('.').any(|part| filters.contains(&part));
        if index < module && is_one_of(&ANSWERING) {
            findings.note(
                place,
                &format!("{name} comes before the module and may return responses itself; whether the module sees them was not tested: put it after the module (E1, I1)"),
            );
        } else if index > module && (is_one_of(&PASSING) || is_one_of(&ANSWERING)) {
            findings.note(place, &format!("{name} may return responses itself after the module: status and headers stay, the body is rewritten (V2)"));
        }
    }
}

/// Settings that break nothing, but may be unexpected.
fn note_differences(place: &str, manager: &Value, filters: &[Value], findings: &mut Findings) {
    let sampled = &manager["request_id_extension"]["typed_config"]["use_request_id_for_trace_sampling"];
    if !manager["tracing"].is_null() && *sampled != false {
        findings.note(place, NOT_TRACED);
    }
    let router = filters.iter().find(|filter| is_a(&filter["typed_config"], "Router"));
    if router.is_some_and(|router| router["typed_config"]["suppress_envoy_headers"] != true) {
        findings.note(place, "the router adds x-envoy headers to responses; suppress_envoy_headers: true removes them");
    }
    if manager["server_header_transformation"] != "PASS_THROUGH" {
        findings.note(
            place,
            "every response has Envoy's `server` header; server_header_transformation: PASS_THROUGH \
                              keeps the service's (R6)",
        );
    }
}

/// Whether a filter is the module or the processor.
pub(super) fn is_ours(filter: &Value) -> bool {
    is_module(filter) || processor::is_ours(filter)
}

/// Envoy finds the module by its name, or gets a file or an address. With a file or an address, only the filter's name
/// shows whether it is the module.
fn is_module(filter: &Value) -> bool {
    let config = &filter["typed_config"];
    let source = &config["dynamic_module_config"];
    source["name"] == MODULE || !source["module"].is_null() && config["filter_name"] == MODULE
}

/// Whether Envoy looks for the module's file in its search path.
pub(super) fn needs_search_path(manager: &Value) -> bool {
    let mut filters = manager["http_filters"].as_array().into_iter().flatten();
    !filters.any(|filter| is_ours(filter) && filter["typed_config"]["dynamic_module_config"]["name"].is_null())
}

fn check_module(place: &str, manager: &Value, filter: &Value, findings: &mut Findings) {
    let source = &filter["typed_config"]["dynamic_module_config"];
    if !source["module"]["remote"].is_null() {
        let what = "Envoy fetches the module; if it cannot, it leaves the filter out, and requests pass without guards (V4); \
                    mount the file, and name it in module.local.filename";
        findings.error(place.to_owned(), what.to_owned());
    }
    if source["do_not_close"] != true {
        findings.note(place, "do_not_close: true keeps the module loaded; without it, it stays loaded only on Linux");
    }
    let given = match filter_config(&filter["typed_config"]["filter_config"]) {
        Err(why) => return findings.warn(place, &format!("the module rejects this configuration (V4): {why}")),
        Ok(given) => given,
    };
    if given.admin.is_some_and(|admin| !admin.ip().is_loopback()) {
        findings.note(
            place,
            "admin is not on loopback: anyone who can reach it can read errors; changes need admin_token_file",
        );
    }
    if !given.metadata && manager["access_log"].to_string().contains("DYNAMIC_METADATA(error_envelope") {
        findings
            .note(place, "metadata is false, but the access_log reads the module's metadata: it logs a dash instead");
    }
    match given.policy {
        FilterPolicy::Nowhere => findings.note(place, "no policy is set: the defaults apply to every route"),
        FilterPolicy::Here(text) => check_policy(place, policy::read_inline_in_envoy(&text), findings),
        FilterPolicy::File(file) => check_policy(place, policy::read_in_envoy(Path::new(&file)), findings),
    }
}

fn filter_config(config: &Value) -> Result<FilterConfig, String> {
    let kind = config["@type"].as_str().and_then(|kind| kind.rsplit('.').next()).unwrap_or_default();
    match (&config["value"], kind) {
        (Value::String(text), "StringValue") => FilterConfig::parse(text.as_bytes()),
        (Value::String(text), "BytesValue") => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|error| format!("filter_config: {error}"))?;
            FilterConfig::parse(&bytes)
        }
        (value @ Value::Object(_), "Struct") => FilterConfig::of_struct(value),
        _ if config.is_null() => Ok(FilterConfig::default()),
        _ => Err("filter_config is not a google.protobuf.StringValue, BytesValue or Struct with a value".to_owned()),
    }
}

fn check_policy(place: &str, read: Result<policy::LoadedPolicy, Vec<PolicyError>>, findings: &mut Findings) {
    for error in read.err().unwrap_or_default() {
        findings.warn(place, &format!("the module rejects the policy, and with it the configuration (V4): {error}"));
    }
}

fn check_time_limits(place: &str, manager: &Value, findings: &mut Findings) {
    let never = |value: &Value| {
        let seconds = value.as_str().and_then(|text| text.trim_end_matches('s').parse().ok());
        seconds.or(value.as_f64()) == Some(0.0)
    };
    for (key, breaks) in [
        ("stream_idle_timeout", "a stalled stream never gets a response (V2)"),
        ("delayed_close_timeout", "a client that is still uploading may not receive its response (G5)"),
    ] {
        if never(&manager[key]) {
            findings.warn(place, &format!("{key} is 0: {breaks}"));
        }
    }
    if manager["request_headers_timeout"].is_null() || never(&manager["request_headers_timeout"]) {
        findings
            .warn(place, "request_headers_timeout is not set: an endless request head keeps its connection open (V4)");
    }
    if manager["http_protocol_options"]["enable_trailers"] != true {
        findings
            .note(place, "http_protocol_options.enable_trailers is not true: gRPC over HTTP/1 loses its status (P1)");
    }
}

fn check_local_replies(place: &str, config: &Value, findings: &mut Findings) {
    let empty = Vec::new();
    let mappers = config["mappers"].as_array().unwrap_or(&empty);
    // The module and the processor mark their own replies with the same metadata.
    let ours = |mapper: &Value| mapper["filter"]["metadata_filter"]["matcher"]["filter"] == MODULE;
    let Some(at) = mappers.iter().position(ours) else {
        findings.warn(place, "local_reply_config has no mapper for the module's replies: if reading an error fails, clients get Envoy's own text (V3); copy the mapper from `envoy-config --snippet`");
        return;
    };
    if at > 0 {
        findings
            .warn(place, "a mapper comes before the module's in local_reply_config, and may replace its reply (V3)");
    }
}
