//! Finds settings of the external processor's filter that would break the contract: most let requests past the guards
//! (V4).

use error_envelope_extproc::{ModeFields, override_modes};
use serde_json::Value;

use super::config::is_a;
use super::findings::Findings;

/// The settings without which requests pass no guard: the field, its required value, and what happens with another
/// value.
const GUARDS: [(&str, bool, &str); 4] = [
    ("failure_mode_allow", false, "without the processor every request passes without guards"),
    ("observability_mode", false, "Envoy ignores the processor's replies"),
    ("disable_immediate_response", false, "no guard can refuse a request"),
    ("allow_mode_override", true, "no response is rewritten, and no limit is counted"),
];

/// The modes of the first messages, and what another mode breaks.
const MODES: [(&str, &str, &str); 6] = [
    ("request_header_mode", "SEND", "no guard runs (V4)"),
    ("response_header_mode", "SKIP", "errors of Envoy's codec get no response at all (V2)"),
    ("request_body_mode", "NONE", "each request's body waits for the processor"),
    ("response_body_mode", "NONE", "each response's body waits for the processor"),
    ("request_trailer_mode", "SKIP", "trailers wait for the processor"),
    ("response_trailer_mode", "SKIP", "trailers wait for the processor"),
];

/// Whether a filter is the processor. Its name and its cluster can be anything, so its metadata decides.
pub(super) fn is_ours(filter: &Value) -> bool {
    is_a(&filter["typed_config"], "ExternalProcessor") && filter.to_string().contains("error_envelope")
}

pub(super) fn check(place: &str, filter: &Value, findings: &mut Findings) {
    let config = &filter["typed_config"];
    for (field, wanted, breaks) in GUARDS {
        if config[field].as_bool().unwrap_or(false) != wanted {
            findings
                .error(place.to_owned(), format!("{field} is not {wanted}: {breaks} (V4); write {field}: {wanted}"));
        }
    }
    check_modes(place, &config["processing_mode"], findings);
    check_overrides(place, &config["allowed_override_modes"], findings);
    check_attributes(place, config, findings);
    check_mutation_rules(place, &config["mutation_rules"], findings);
}

fn check_modes(place: &str, modes: &Value, findings: &mut Findings) {
    for (field, wanted, breaks) in MODES {
        if mode(modes, field) != wanted {
            let what = format!("processing_mode.{field} is {}: {breaks}; write {wanted}", mode(modes, field));
            match field {
                "request_header_mode" => findings.error(place.to_owned(), what),
                _ => findings.warn(place, &what),
            }
        }
    }
}

/// The mode of a field, or Envoy's default for it.
fn mode<'m>(modes: &'m Value, field: &str) -> &'m str {
    match (modes[field].as_str(), field) {
        (Some("DEFAULT") | None, "request_header_mode" | "response_header_mode") => "SEND",
        (Some("DEFAULT") | None, "request_body_mode" | "response_body_mode") => "NONE",
        (Some("DEFAULT") | None, _) => "SKIP",
        (Some(mode), _) => mode,
    }
}

/// Checks the modes that may override the filter's. Without a list Envoy allows every mode.
fn check_overrides(place: &str, allowed: &Value, findings: &mut Findings) {
    let Some(allowed) = allowed.as_array().filter(|allowed| !allowed.is_empty()) else { return };
    let is_allowed = |wanted: &ModeFields| {
        allowed.iter().any(|modes| wanted.iter().all(|(field, wanted)| mode(modes, field) == *wanted))
    };
    let missing = override_modes().filter(|wanted| !is_allowed(wanted)).count();
    if missing > 0 {
        let what = format!(
            "allowed_override_modes lacks {missing} of the processor's modes, which Envoy then ignores: a limit is not \
             counted, or an error passes unchanged (G4, R1); copy the list from `envoy-config --ext-proc`"
        );
        findings.error(place.to_owned(), what);
    }
}

fn check_attributes(place: &str, config: &Value, findings: &mut Findings) {
    let names = |list: &str, name: &str| config[list].as_array().is_some_and(|names| names.iter().any(|it| it == name));
    for (list, name, breaks) in [
        ("response_attributes", "response.code_details", "Envoy's own errors are taken for the service's (V2)"),
        ("request_attributes", "request.protocol", "the processor treats every request as HTTP/1.1 (G5, P1)"),
    ] {
        if !names(list, name) {
            findings.warn(place, &format!("{list} lacks {name}: {breaks}"));
        }
    }
    let metadata = &config["metadata_options"]["receiving_namespaces"]["untyped"];
    if !metadata.as_array().is_some_and(|names| names.iter().any(|name| name == "error_envelope")) {
        let what = "metadata_options.receiving_namespaces.untyped lacks error_envelope: local_reply_config then \
                    replaces the processor's responses as if they were Envoy's own (E1)";
        findings.warn(place, what);
    }
}

fn check_mutation_rules(place: &str, rules: &Value, findings: &mut Findings) {
    if rules["disallow_is_error"] != true {
        let what = "mutation_rules.disallow_is_error is not true: Envoy may leave out a change of a head without an error (I1)";
        findings.warn(place, what);
    }
    for rule in ["disallow_all", "disallow_system"] {
        if rules[rule] == true {
            findings.warn(
                place,
                &format!("mutation_rules.{rule} is true: the processor's changes of a head fail (I1, E6)"),
            );
        }
    }
}
