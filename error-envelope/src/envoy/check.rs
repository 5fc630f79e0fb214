//! `error-envelope envoy-check`: reads a configuration of Envoy's and names what would break the contract.
//!
//! Each connection manager is looked at by itself. A warning breaks a rule, which it names; a note says what will be
//! otherwise than somebody may expect.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tower_error_envelope::PolicyError;
use tower_error_envelope::adapter::{GivenConfig, GivenPolicy};

use crate::failure::{Failure, print};
use crate::policy;

/// Say what in a configuration of Envoy's would break the contract
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A configuration, in YAML or JSON: a bootstrap, or a part of one that holds a connection manager
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What must be said of a connection manager, what it is without, and what breaks.
const MANAGER: [(&str, &[&str], &str); 6] = [
    ("generate_request_id", &["false"], "Envoy makes an id of its own, beside the module's (I1)"),
    ("preserve_external_request_id", &["true"], "Envoy removes the id that a trusted client sent (I2)"),
    ("normalize_path", &["true"], "Envoy may choose another route than the policy (G0)"),
    ("merge_slashes", &["true"], "Envoy may choose another route than the policy (G0)"),
    (
        "path_with_escaped_slashes_action",
        &["UNESCAPE_AND_REDIRECT", "REJECT_REQUEST"],
        "Envoy may choose another route than the policy (G0)",
    ),
    ("proxy_100_continue", &["true"], "Envoy invites an upload before the guards are asked (G4)"),
];

/// Filters that answer by themselves.
const ANSWERING: [&str; 21] = [
    "adaptive_concurrency",
    "admission_control",
    "api_key_auth",
    "basic_auth",
    "buffer",
    "cache",
    "cors",
    "csrf",
    "custom_response",
    "ext_authz",
    "fault",
    "golang",
    "health_check",
    "jwt_authn",
    "local_ratelimit",
    "lua",
    "oauth2",
    "ratelimit",
    "rbac",
    "wasm",
    "ext_proc",
];

const MODULE: &str = "error_envelope";

#[derive(Default)]
struct Findings {
    text: String,
    warnings: usize,
    notes: usize,
}

impl Findings {
    fn warn(&mut self, place: &str, what: &str) {
        self.warnings += 1;
        let _ = writeln!(self.text, "{place}: warning: {what}");
    }

    fn note(&mut self, place: &str, what: &str) {
        self.notes += 1;
        let _ = writeln!(self.text, "{place}: note: {what}");
    }
}

/// Writes to standard output; an exit code of 0, or 1 where there are warnings.
pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let name = args.file.display().to_string();
    let bytes = fs::read(&args.file).map_err(|error| Failure::Io(format!("{name}: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::Io(format!("{name}: it is no UTF-8; save it as such")))?;
    let config = parsed(&text).map_err(|why| Failure::Refused(format!("{name}: {why}")))?;
    let config = with_proto_names(config);
    let mut findings = Findings::default();
    let search = std::env::var_os("ENVOY_DYNAMIC_MODULES_SEARCH_PATH").map(PathBuf::from);
    check(&config, search.as_deref(), &mut findings);
    let Findings { mut text, warnings, notes } = findings;
    let _ = writeln!(text, "{name}: {warnings} warnings, {notes} notes");
    print(&text)?;
    Ok(u8::from(warnings > 0))
}

/// A configuration may hold secrets: an error shows none of its lines (L3).
fn parsed(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| format!("no YAML: {error}"))
}

fn check(config: &Value, search: Option<&Path>, findings: &mut Findings) {
    let mut managers = Vec::new();
    find(config, "", &mut managers);
    if managers.is_empty() {
        findings.warn("the file", "it has no HttpConnectionManager: there is nothing that the module could be in");
    }
    for (place, manager) in &managers {
        of_manager(place, manager, findings);
    }
    match search {
        None => findings.note(
            "ENVOY_DYNAMIC_MODULES_SEARCH_PATH",
            "not set here; Envoy needs it, naming the folder of liberror_envelope.so",
        ),
        Some(folder) if !folder.join("liberror_envelope.so").exists() => {
            findings.warn(
                "ENVOY_DYNAMIC_MODULES_SEARCH_PATH",
                "liberror_envelope.so is not in that folder: Envoy refuses the configuration",
            );
        }
        Some(_) => {}
    }
}

/// With the names of the fields as the protocol has them: its JSON may say `normalizePath` as well.
fn with_proto_names(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let renamed = |(key, value): (String, Value)| (proto_name(&key), with_proto_names(value));
            Value::Object(entries.into_iter().map(renamed).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_proto_names).collect()),
        value => value,
    }
}

fn proto_name(key: &str) -> String {
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return key.to_owned();
    }
    let (mut name, mut last) = (String::with_capacity(key.len() + 4), ' ');
    for letter in key.chars() {
        if letter.is_ascii_uppercase() || letter.is_ascii_digit() && !last.is_ascii_digit() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
        last = letter;
    }
    name
}

/// Every connection manager, and where it is.
fn find<'v>(value: &'v Value, place: &str, managers: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(entries) => {
            if is_a(value, "HttpConnectionManager") || entries.contains_key("http_filters") {
                managers.push((place.to_owned(), value));
                return;
            }
            entries.iter().for_each(|(key, value)| find(value, &format!("{place}/{key}"), managers));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| find(value, &format!("{place}/{index}"), managers));
        }
        _ => {}
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    value["@type"].as_str().is_some_and(|told| told.rsplit('.').next() == Some(kind))
}

fn of_manager(place: &str, manager: &Value, findings: &mut Findings) {
    let place = if place.is_empty() { "the connection manager" } else { place };
    let empty = Vec::new();
    let filters = manager["http_filters"].as_array().unwrap_or(&empty);
    let ours = |filter: &Value| filter["typed_config"]["dynamic_module_config"]["name"] == MODULE;
    let Some(at) = filters.iter().position(ours) else {
        findings.warn(place, "the module error_envelope is not among its http_filters: nothing of the contract holds");
        return;
    };
    of_module(place, &filters[at], findings);
    for (index, filter) in filters.iter().enumerate() {
        let name = filter["name"].as_str().unwrap_or("a filter without a name");
        // Its name is anybody's choice; what it is its type says.
        let told = filter["typed_config"]["@type"].as_str().unwrap_or(name);
        if !told.split('.').any(|part| ANSWERING.contains(&part)) {
            continue;
        }
        if index < at {
            findings.warn(
                place,
                &format!("{name} answers by itself before the module: its errors have no envelope and no id (E1, I1)"),
            );
        } else {
            findings.note(place, &format!("{name} answers by itself behind the module: its status and headers stay, its body is written anew (V2)"));
        }
    }
    for (key, wanted, breaks) in MANAGER {
        let told = match &manager[key] {
            Value::String(text) => text.clone(),
            Value::Null => "what it is by default".to_owned(),
            other => other.to_string(),
        };
        if !wanted.contains(&&*told) {
            findings.warn(place, &format!("{key} is {told}; say {}: {breaks}", wanted.join(" or ")));
        }
    }
    of_waits(place, manager, findings);
    of_local_replies(place, &manager["local_reply_config"], findings);
    let sampled = &manager["request_id_extension"]["typed_config"]["use_request_id_for_trace_sampling"];
    if !manager["tracing"].is_null() && *sampled != false {
        findings.note(
            place,
            "nothing is traced: Envoy chooses by ids that are UUIDs, and generate_request_id is false; request_id_extension \
             with use_request_id_for_trace_sampling: false lets it choose by itself",
        );
    }
    let router = filters.iter().find(|filter| is_a(&filter["typed_config"], "Router"));
    if router.is_some_and(|router| router["typed_config"]["suppress_envoy_headers"] != true) {
        findings
            .note(place, "the router adds x-envoy headers to responses; suppress_envoy_headers: true leaves them out");
    }
    let server = manager["server_header_transformation"].as_str();
    if server != Some("PASS_THROUGH") {
        findings.note(place, "`server` is Envoy's on every response; server_header_transformation: PASS_THROUGH keeps the service's (R6)");
    }
    if has_key(&manager["route_config"], MODULE) {
        findings
            .warn(place, "a route has a configuration of the module's own, which it refuses: the policy has routes");
    }
}

fn of_module(place: &str, filter: &Value, findings: &mut Findings) {
    if filter["disabled"] == true {
        findings.warn(place, "the module is disabled: nothing of the contract holds");
    }
    if filter["typed_config"]["dynamic_module_config"]["do_not_close"] != true {
        findings.note(place, "do_not_close: true keeps the module loaded; it does so itself on Linux alone");
    }
    let config = &filter["typed_config"]["filter_config"];
    let kind = config["@type"].as_str().and_then(|told| told.rsplit('.').next()).unwrap_or_default();
    let given = match (&config["value"], kind) {
        (Value::String(text), "StringValue") => GivenConfig::of(text.as_bytes()),
        (Value::String(text), "BytesValue") => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => GivenConfig::of(&bytes),
            Err(error) => Err(format!("filter_config: {error}")),
        },
        (value @ Value::Object(_), "Struct") => GivenConfig::of_struct(value),
        _ if config.is_null() => Ok(GivenConfig::default()),
        _ => Err("filter_config is no google.protobuf.StringValue, BytesValue or Struct with a value".to_owned()),
    };
    let refused = |why: String| format!("the configuration is refused (V4): {why}");
    let given = match given {
        Err(why) => return findings.warn(place, &refused(why)),
        Ok(given) => given,
    };
    if given.admin.is_some_and(|admin| !admin.ip().is_loopback()) {
        findings.note(place, "admin is not on loopback: whoever reaches it may read errors and turn the policy off");
    }
    match given.policy {
        GivenPolicy::Nowhere => findings.note(place, "it has no policy: the defaults hold on every route"),
        GivenPolicy::Here(text) => of_policy(place, policy::read_inline_in_envoy(&text), findings),
        GivenPolicy::File(file) => of_policy(place, policy::read_in_envoy(Path::new(&file)), findings),
    }
}

fn of_policy(place: &str, read: Result<policy::Read, Vec<PolicyError>>, findings: &mut Findings) {
    for error in read.err().unwrap_or_default() {
        findings.warn(place, &format!("the policy is refused, and so is the configuration (V4): {error}"));
    }
}

fn of_waits(place: &str, manager: &Value, findings: &mut Findings) {
    let never = |value: &Value| {
        let seconds = value.as_str().and_then(|text| text.trim_end_matches('s').parse().ok());
        seconds.or(value.as_f64()) == Some(0.0)
    };
    for (key, breaks) in [
        ("stream_idle_timeout", "a stream that stands still is never answered (V2)"),
        ("delayed_close_timeout", "a client that still uploads may not read its answer (G5)"),
    ] {
        if never(&manager[key]) {
            findings.warn(place, &format!("{key} is 0: {breaks}"));
        }
    }
    if manager["request_headers_timeout"].is_null() || never(&manager["request_headers_timeout"]) {
        findings.warn(place, "request_headers_timeout is not set: a head that never ends holds its connection (V4)");
    }
    if manager["http_protocol_options"]["enable_trailers"] != true {
        findings.note(
            place,
            "http_protocol_options.enable_trailers is not true: gRPC over HTTP/1 ends without its status (P1)",
        );
    }
}

fn of_local_replies(place: &str, config: &Value, findings: &mut Findings) {
    let empty = Vec::new();
    let mappers = config["mappers"].as_array().unwrap_or(&empty);
    let ours = |mapper: &Value| mapper["filter"]["metadata_filter"]["matcher"]["filter"] == MODULE;
    let Some(at) = mappers.iter().position(ours) else {
        findings.warn(place, "local_reply_config has no mapper for what the module notes: a response that fails while its error is read has Envoy's own text (V3); `envoy-config --snippet` has it");
        return;
    };
    if at > 0 {
        findings.warn(place, "a mapper stands before the module's in local_reply_config, and may write its reply (V3)");
    }
}

fn has_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(entries) => {
            let overrides = entries.get("typed_per_filter_config").and_then(Value::as_object);
            let ours = |config: &Value| config["dynamic_module_config"]["name"] == name;
            overrides.is_some_and(|overrides| overrides.values().any(ours))
                || entries.values().any(|value| has_key(value, name))
        }
        Value::Array(items) => items.iter().any(|value| has_key(value, name)),
        _ => false,
    }
}
