//! `envoy-check`: what breaks the contract, each with its place.

use super::{WHOLE, checked, folder, json, written};
use crate::kit::run;

#[test]
fn each_thing_that_breaks_the_contract_is_named() {
    let folder = folder();
    let config = written(folder.path(), &WHOLE);
    let before = "          - name: envoy.filters.http.dynamic_modules\n";
    let filter = |kind: &str, name: &str| {
        format!(
            "          - name: {name}\n            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.{kind} }}\n"
        )
    };
    let unmeasured = filter("oauth2.v3.OAuth2", "unmeasured");
    let router = "          - name: envoy.filters.http.router\n";
    let router_filter = || format!("{}{router}", filter("local_ratelimit.v3.LocalRateLimit", "limit"));
    let policy_value = format!("value: \"policy_file = \\\"{}/policy.toml\\\"\"", folder.path().display());
    let custom = "version = 1\\n[auth.own]\\nscheme = \\\"custom\\\"\\n";
    let route = "- { match: { prefix: / }, ";
    for (from, to, told) in [
        (
            "generate_request_id: false",
            String::new(),
            "generate_request_id is not set: Envoy generates a second id beside the policy's (I1); write false",
        ),
        (
            "preserve_external_request_id: true",
            "preserve_external_request_id: false".to_owned(),
            "preserve_external_request_id is false: ",
        ),
        ("merge_slashes: true", String::new(), "merge_slashes is not set: "),
        (
            "UNESCAPE_AND_REDIRECT",
            "UNESCAPE_AND_FORWARD".to_owned(),
            "path_with_escaped_slashes_action is UNESCAPE_AND_FORWARD: ",
        ),
        ("proxy_100_continue: true", String::new(), "proxy_100_continue is not set: "),
        ("request_headers_timeout: 10s", String::new(), "request_headers_timeout is not set: "),
        (
            "request_headers_timeout: 10s",
            "request_headers_timeout: 0.000s".to_owned(),
            "request_headers_timeout is not set: ",
        ),
        ("stream_idle_timeout: 60s", "stream_idle_timeout: 0s".to_owned(), "stream_idle_timeout is 0: "),
        ("delayed_close_timeout: 2s", "delayed_close_timeout: 0".to_owned(), "delayed_close_timeout is 0: "),
        (
            "local_reply_config:",
            "other_config:".to_owned(),
            "local_reply_config has no mapper for the module's replies: ",
        ),
        (
            "  mappers:\n",
            "  mappers:\n            - { filter: { status_code_filter: {} } }\n".to_owned(),
            "a mapper comes before the module's in local_reply_config",
        ),
        (
            "name: error_envelope, do_not",
            "name: another, do_not".to_owned(),
            "http_filters has neither the module error_envelope nor its external processor: ",
        ),
        (
            route,
            format!(
                "{route}typed_per_filter_config: {{ any: {{ dynamic_module_config: {{ name: error_envelope }} }} }}, "
            ),
            "a route has a per-route configuration of the module",
        ),
        (
            &policy_value,
            "value: \"version = 2\"".to_owned(),
            "the module rejects the policy, and with it the configuration (V4): filter_config:1: ",
        ),
        (
            &policy_value,
            format!("value: \"{custom}\""),
            "the module rejects the policy, and with it the configuration (V4): ",
        ),
        (
            &policy_value,
            "value: \"policy_file = 3\"".to_owned(),
            "the module rejects this configuration (V4): filter_config: policy_file is not a text",
        ),
        (
            &policy_value,
            "value: \"policy_file = \\\"/nowhere/policy.toml\\\" # not here\"".to_owned(),
            "the module rejects the policy, and with it the configuration (V4): /nowhere/policy.toml",
        ),
        (
            &policy_value,
            "value: 3".to_owned(),
            "the module rejects this configuration (V4): filter_config is not a google.protobuf.StringValue",
        ),
        (
            &policy_value,
            "value: \"policy_file = 'p'\\nadmin = 'localhost:1'\"".to_owned(),
            "the module rejects this configuration (V4): filter_config: admin: \"localhost:1\" is not an IP address with a port; ",
        ),
        (
            &policy_value,
            "value: \"version = 1\\nadmin = '9902'\"".to_owned(),
            "the module rejects this configuration (V4): filter_config: admin cannot be used if filter_config is the policy's own text; ",
        ),
        (
            &policy_value,
            "value: \"{\\\"policies\\\": 1}\"".to_owned(),
            "the module rejects this configuration (V4): filter_config has the keys \"policies\"",
        ),
    ] {
        assert!(config.contains(from), "{from}");
        let (lines, code) = checked(folder.path(), "envoy.yaml", config.replacen(from, &to, 1).as_bytes());
        assert!(lines[0].starts_with(told), "{from} to {to}: {lines:#?}");
        assert_eq!(
            (lines.last().unwrap().as_str(), code),
            ("FOLDER/envoy.yaml: 1 warnings, 0 notes", Some(1)),
            "{lines:#?}"
        );
    }
    // What is otherwise than somebody may expect, and breaks nothing.
    for (from, to, told) in [
        (
            router,
            router_filter(),
            "limit may return responses itself after the module: status and headers stay, the body is rewritten (V2)",
        ),
        (
            before,
            format!("{unmeasured}{before}"),
            "unmeasured comes before the module and may return responses itself; whether the module sees them was not tested: ",
        ),
        (", do_not_close: true", String::new(), "do_not_close: true keeps the module loaded; "),
        ("suppress_envoy_headers: true", "start_child_span: true".to_owned(), "the router adds x-envoy headers"),
        ("server_header_transformation: PASS_THROUGH", String::new(), "every response has Envoy's `server` header; "),
        (
            "enable_trailers: true }\n          upgrade",
            "accept_http_10: true }\n          upgrade".to_owned(),
            "http_protocol_options.enable_trailers is not true: ",
        ),
        (
            &policy_value,
            policy_value.replace("toml\\\"\"", "toml\\\"\\nmetadata = false\""),
            "metadata is false, but the access_log reads ",
        ),
        (&policy_value, "value: \"\"".to_owned(), "no policy is set: the defaults apply to every route"),
        ("stat_prefix: edge\n", "stat_prefix: edge\n          tracing: {}\n".to_owned(), "Envoy traces no request: "),
    ] {
        assert!(config.contains(from), "{from}");
        let (lines, code) = checked(folder.path(), "envoy.yaml", config.replacen(from, &to, 1).as_bytes());
        assert!(lines[0].starts_with(told), "{from} to {to}: {lines:#?}");
        assert_eq!(
            (lines.last().unwrap().as_str(), code),
            ("FOLDER/envoy.yaml: 0 warnings, 1 notes", Some(0)),
            "{lines:#?}"
        );
    }
}

#[test]
fn v4_a_module_that_envoy_fetches_is_an_error_and_one_of_a_file_is_none() {
    let folder = folder();
    let config = written(folder.path(), &WHOLE);
    let by_name = "{ name: error_envelope, do_not_close: true }";
    assert!(config.contains(by_name));
    let check = |source: &str| {
        let config = config.replace(by_name, &format!("{{ module: {source}, do_not_close: true }}"));
        checked(folder.path(), "envoy.yaml", config.as_bytes())
    };
    // As Envoy Gateway writes it.
    let (lines, code) = check("{ local: { filename: /usr/local/lib/liberror_envelope.so } }");
    assert_eq!((lines, code), (vec!["FOLDER/envoy.yaml: 0 warnings, 0 notes".to_owned()], Some(0)));
    let (lines, code) = check("{ remote: { http_uri: { uri: https://a.example/m.so, cluster: a, timeout: 1s } } }");
    assert!(lines[0].starts_with("Envoy fetches the module; if it cannot, "), "{lines:#?}");
    assert_eq!((lines.last().unwrap().as_str(), code), ("FOLDER/envoy.yaml: 1 errors, 0 warnings, 0 notes", Some(1)));
}

#[test]
fn a_filter_whose_answers_pass_the_module_may_stand_before_it() {
    let folder = folder();
    let config = written(folder.path(), &WHOLE);
    let module = "          - name: envoy.filters.http.dynamic_modules\n";
    for kind in ["rbac.v3.RBAC", "local_ratelimit.v3.LocalRateLimit", "fault.v3.HTTPFault", "ext_authz.v3.ExtAuthz"]
        .into_iter()
        .chain(["jwt_authn.v3.JwtAuthentication", "buffer.v3.Buffer", "lua.v3.Lua"])
    {
        let filter = format!(
            "          - name: before\n            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.{kind} }}\n"
        );
        let config = config.replace(module, &format!("{filter}{module}"));
        let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
        assert_eq!((lines, code), (vec!["FOLDER/envoy.yaml: 0 warnings, 0 notes".to_owned()], Some(0)), "{kind}");
    }
}

#[test]
fn v4_where_the_module_is_disabled_is_an_error_with_its_line() {
    const KIND: &str = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
    let folder = folder();
    let config = written(folder.path(), &WHOLE);
    let off = |name: &str, kind: &str| {
        format!("typed_per_filter_config: {{ {name}: {{ \"@type\": {kind}, disabled: true }} }}")
    };
    let usual = off("envoy.filters.http.dynamic_modules", KIND);
    let typed = "typed_per_filter_config: { envoy.filters.http.dynamic_modules: { \"@type\": \
                 type.googleapis.com/xds.type.v3.TypedStruct, type_url: type.googleapis.com/envoy.config.route.v3.FilterConfig, \
                 value: { disabled: true } } }";
    let (route, filter) =
        ("- { match: { prefix: / }, route: { ", "          - name: envoy.filters.http.dynamic_modules\n");
    let weighted = format!(
        "- {{ match: {{ prefix: /b }}, route: {{ weighted_clusters: {{ clusters: [ {{ name: upstream, weight: 1, {usual} }} ] }} }} }}\n              {route}"
    );
    for (from, to, what) in [
        (
            route,
            format!("- {{ name: health, {usual}, match: {{ prefix: / }}, route: {{ "),
            "the filter is disabled for the route \"health\": ",
        ),
        (route, format!("- {{ {typed}, match: {{ prefix: / }}, route: {{ "), "the filter is disabled for the route: "),
        (route, weighted, "the filter is disabled for the weighted cluster \"upstream\": "),
        (
            "domains: [\"*\"]\n",
            format!("domains: [\"*\"]\n              {usual}\n"),
            "the filter is disabled for the virtual host \"upstream\": ",
        ),
        (
            "virtual_hosts:\n",
            format!("{usual}\n            virtual_hosts:\n"),
            "the filter is disabled for the route configuration \"upstream\": ",
        ),
        // A route configuration that comes by its name.
        (
            "  clusters:\n  - name: upstream",
            format!("  rds:\n    name: edge\n    {usual}\n  clusters:\n  - name: upstream"),
            "the filter is disabled for the route configuration \"edge\": ",
        ),
        (
            filter,
            format!("{filter}            disabled: true\n"),
            "the filter is disabled: the contract is not applied",
        ),
    ] {
        assert!(config.contains(from), "{from}");
        let changed = config.replacen(from, &to, 1);
        let line = changed.lines().position(|line| line.contains("disabled: true")).expect("the line") + 1;
        let file = folder.path().join("envoy.yaml");
        let (lines, code) = checked(folder.path(), "envoy.yaml", changed.as_bytes());
        assert_eq!(
            (lines.last().unwrap().as_str(), code),
            ("FOLDER/envoy.yaml: 1 errors, 0 warnings, 0 notes", Some(1)),
            "{lines:#?}"
        );
        let error = run(&["envoy-check", file.to_str().unwrap()]).out.lines().next().unwrap().to_owned();
        let place = error
            .strip_prefix(&format!("{}:{line}: /", file.display()))
            .unwrap_or_else(|| panic!("line {line}: {error}"));
        assert!(place.contains(what) && place.contains("without guards (V4); remove"), "{what}: {error}");
    }
    // Another filter, another type, or enabled.
    for (name, kind, disabled) in [
        ("envoy.filters.http.rbac", KIND, "true"),
        ("envoy.filters.http.dynamic_modules", "a.b.PerRoute", "true"),
        ("envoy.filters.http.dynamic_modules", KIND, "false"),
    ] {
        let entry = off(name, kind).replace("disabled: true", &format!("disabled: {disabled}"));
        let changed = config.replacen(route, &format!("- {{ {entry}, match: {{ prefix: / }}, route: {{ "), 1);
        assert_eq!(checked(folder.path(), "envoy.yaml", changed.as_bytes()).1, Some(0), "{name} {kind} {disabled}");
    }
    // JSON's names, and the filter by another name.
    let renamed = config.replace("name: envoy.filters.http.dynamic_modules", "name: envelopes").replacen(
        route,
        &format!("- {{ {}, match: {{ prefix: / }}, route: {{ ", off("envelopes", KIND)),
        1,
    );
    let value: serde_json::Value = serde_saphyr::from_str(&renamed).unwrap();
    let (lines, code) = checked(folder.path(), "camel.json", json(&value).to_string().as_bytes());
    assert_eq!((lines.len(), code), (2, Some(1)), "{lines:#?}");
}
