//! Finds the places where the module or the processor is switched off: requests there pass no guard (V4).
//!
//! The filter's own entry may be disabled, and so may any `typed_per_filter_config` under the entry's name: of a route,
//! a virtual host, a weighted cluster or a whole route configuration, including a route configuration that a connection
//! manager loads by its name.

use serde_json::Value;

use super::config::{children, is_a, proto_name};
use super::findings::Findings;
use super::manager::is_ours;

/// The names that `envoy-config` gives to the filter.
const USUAL_NAMES: [&str; 2] = ["envoy.filters.http.dynamic_modules", "envoy.filters.http.ext_proc"];

pub(super) fn check(config: &Value, managers: &[(String, &Value)], findings: &mut Findings) {
    let mut names = Vec::new();
    for (place, manager) in managers {
        let filters = manager["http_filters"].as_array().into_iter().flatten().enumerate();
        for (index, filter) in filters.filter(|(_, filter)| is_ours(filter)) {
            // In the overrides, the filter's name is the key.
            names.extend(filter["name"].as_str().map(proto_name));
            if filter["disabled"] == true {
                let place = format!("{place}/http_filters/{index}/disabled");
                findings.error(place, format!("the filter is disabled: {UNGUARDED}; remove `disabled: true`"));
            }
        }
    }
    // If the file has only routes, no filter shows its name.
    if names.is_empty() {
        names.extend(USUAL_NAMES.map(str::to_owned));
    }
    look(config, "", &names, findings);
}

const UNGUARDED: &str = "the contract is not applied, and requests reach the service without guards (V4)";

fn look(value: &Value, place: &str, names: &[String], findings: &mut Findings) {
    for (key, child) in children(value) {
        let place = format!("{place}/{key}");
        if key == "typed_per_filter_config" {
            check_overrides(value, child, &place, names, findings);
        }
        look(child, &place, names, findings);
    }
}

fn check_overrides(owner: &Value, overrides: &Value, place: &str, names: &[String], findings: &mut Findings) {
    for name in names.iter().filter(|name| is_disabled(&overrides[name.as_str()])) {
        let kind = kind_of(place);
        let named = owner["name"].as_str().map(|name| format!(" {name:?}")).unwrap_or_default();
        let advice = "remove this entry, and open the route in the policy if that is intended";
        findings.error(
            format!("{place}/{name}"),
            format!("the filter is disabled for the {kind}{named}: {UNGUARDED}; {advice}"),
        );
    }
}

/// A `FilterConfig` that disables its filter, as it is or as a `TypedStruct` of that type.
fn is_disabled(config: &Value) -> bool {
    if is_a(config, "ExtProcPerRoute") && config["disabled"] == true {
        return true;
    }
    let typed = config["type_url"].as_str().is_some_and(|kind| kind.rsplit('.').next() == Some("FilterConfig"));
    is_a(config, "FilterConfig") && config["disabled"] == true
        || is_a(config, "TypedStruct") && typed && config["value"]["disabled"] == true
}

/// The kind of object that has the overrides, taken from the name of the field above it.
fn kind_of(place: &str) -> &'static str {
    let owner = place.trim_end_matches("/typed_per_filter_config");
    let field = owner.rsplit('/').find(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
    match field {
        Some("routes") => "route",
        Some("virtual_hosts" | "virtual_host") => "virtual host",
        Some("clusters") => "weighted cluster",
        _ => "route configuration",
    }
}
