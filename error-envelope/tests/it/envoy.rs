//! `envoy-config` and `envoy-check`: what is written is in order, and what is taken out of it is missed by its name.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::kit::{command, run};

/// A folder with a policy, and with what stands for the module.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), "version = 1\n").unwrap();
    fs::write(folder.path().join("liberror_envelope.so"), "").unwrap();
    folder
}

fn written(folder: &Path, more: &[&str]) -> String {
    let policy = folder.join("policy.toml");
    let run = run(&[&["envoy-config", "--policy", policy.to_str().unwrap()], more].concat());
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    run.out
}

const WHOLE: [&str; 4] = ["--listen", "127.0.0.1:8080", "--upstream", "[::1]:3000"];

/// What the check says of a file, its place left out, and how it ends.
fn checked(folder: &Path, name: &str, config: &[u8]) -> (Vec<String>, Option<i32>) {
    let file = folder.join(name);
    fs::write(&file, config).unwrap();
    let mut command = command(&["envoy-check", file.to_str().unwrap()]);
    let output = command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", folder).output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    let text = text.replace(folder.to_str().unwrap(), "FOLDER");
    let short =
        |line: &str| match [": error: ", ": warning: ", ": note: "].iter().find_map(|kind| line.split_once(kind)) {
            Some((place, what)) if place.contains("filter_chains") => what.to_owned(),
            _ => line.to_owned(),
        };
    (text.lines().map(short).collect(), output.status.code())
}

#[test]
fn what_is_written_is_in_order() {
    let folder = folder();
    for more in [&[][..], &["--http2"], &["--admin", "127.0.0.1:9901"], &["--on-call", "9902"]] {
        let config = written(folder.path(), &[&WHOLE[..], more].concat());
        let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
        assert_eq!((lines, code), (vec!["FOLDER/envoy.yaml: 0 warnings, 0 notes".to_owned()], Some(0)));
    }
    // A part, which has no connection manager around it.
    let (lines, code) = checked(folder.path(), "part.yaml", written(folder.path(), &["--snippet"]).as_bytes());
    assert_eq!((lines, code), (vec!["FOLDER/part.yaml: 0 warnings, 0 notes".to_owned()], Some(0)));
}

#[test]
fn each_service_that_a_scope_names_has_a_cluster_and_its_routes() {
    let folder = folder();
    fs::write(folder.path().join("policy.toml"), "version = 1\ninclude = [\"s/*.toml\"]\n").unwrap();
    fs::create_dir(folder.path().join("s")).unwrap();
    for (name, scope) in [
        ("a", "prefix = \"/orders\"\nupstream = \"http://orders:8080\""),
        ("b", "hosts = [\"*.pay.example\", \"pay.example\"]\nprefix = \"/orders/x\"\nupstream = \"https://pay\""),
        ("c", "hosts = [\"b.pay.example\"]\nprefix = \"/orders/x/a+b\""),
        ("d", "prefix = \"/a:b\"\nupstream = \"http://[::1]:81\""),
        ("e", "prefix = \"/none\""),
    ] {
        fs::write(folder.path().join(format!("s/{name}.toml")), format!("version = 1\n[scope]\n{scope}\n")).unwrap();
    }
    let config = written(folder.path(), &WHOLE);
    let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
    assert_eq!((lines, code), (vec!["FOLDER/envoy.yaml: 0 warnings, 0 notes".to_owned()], Some(0)));
    let config: serde_json::Value = serde_saphyr::from_str(&config).unwrap();
    let manager = &config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let routes = &manager["route_config"];
    assert_eq!(routes["ignore_port_in_host_matching"], true);
    let told: Vec<_> = routes["virtual_hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| {
            let routes = host["routes"].as_array().unwrap().iter().map(|route| {
                let path = route["match"].as_object().unwrap().iter().next().unwrap();
                let path = path.1["regex"].as_str().or(path.1.as_str()).unwrap();
                format!("{path} {}", route["route"]["cluster"].as_str().unwrap())
            });
            (host["domains"].to_string(), routes.collect::<Vec<_>>())
        })
        .collect();
    let shared = ["/orders http://orders:8080", "/a(?:\\x3a|%3[aA])b(?:/.*)? http://[::1]:81", "/ upstream"];
    let of_pay = ["/orders/x https://pay", shared[0], shared[1], shared[2]];
    let of_b = ["/orders/x/a(?:\\x2b|%2[bB])b(?:/.*)? https://pay", of_pay[0], of_pay[1], of_pay[2], of_pay[3]];
    let expected = [
        (r#"["*.pay.example","*.pay.example."]"#, &of_pay[..]),
        (r#"["b.pay.example","b.pay.example."]"#, &of_b),
        (r#"["pay.example","pay.example."]"#, &of_pay),
        (r#"["*"]"#, &shared),
    ];
    let expected = expected.map(|(host, routes)| (host.to_owned(), routes.iter().map(|it| (*it).to_owned()).collect()));
    assert_eq!(told, expected);
    let clusters = config["static_resources"]["clusters"].as_array().unwrap();
    let told: Vec<_> = clusters
        .iter()
        .map(|cluster| {
            let address =
                cluster.pointer("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address").unwrap();
            (
                cluster["name"].as_str().unwrap(),
                address["address"].as_str().unwrap(),
                address["port_value"].as_u64().unwrap(),
                cluster.pointer("/transport_socket/typed_config/sni").and_then(|it| it.as_str()),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("upstream", "::1", 3000, None),
            ("http://[::1]:81", "::1", 81, None),
            ("http://orders:8080", "orders", 8080, None),
            ("https://pay", "pay", 443, Some("pay")),
        ]
    );
    // Without a service for the rest Envoy has no route there.
    let alone = written(folder.path(), &WHOLE[..2]);
    assert!(!alone.contains("cluster: upstream,") && !alone.contains("- name: upstream\n    type"), "{alone}");
    let (lines, code) = checked(folder.path(), "envoy.yaml", alone.as_bytes());
    assert_eq!((lines.len(), code), (1, Some(0)), "{lines:#?}");
    fs::write(folder.path().join("policy.toml"), "version = 1\n").unwrap();
    let policy = folder.path().join("policy.toml");
    let run = run(&["envoy-config", "--policy", policy.to_str().unwrap(), "--listen", "127.0.0.1:8080"]);
    assert!(run.code == Some(2) && run.err.contains("add --upstream HOST:PORT"), "{}", run.err);
}

#[test]
fn the_admin_address_stands_beside_the_policy_s_file() {
    let folder = folder();
    for (given, told) in [("9902", "127.0.0.1:9902"), ("[::1]:80", "[::1]:80"), ("10.0.0.1:0", "10.0.0.1:0")] {
        for more in [&WHOLE[..], &["--snippet"]] {
            let config = written(folder.path(), &[more, &["--on-call", given]].concat());
            let line = format!("policy.toml\\\"\\nadmin = \\\"{told}\\\"\"\n");
            assert!(config.contains(&line), "{line} in {config}");
        }
    }
    let policy = folder.path().join("policy.toml");
    for wrong in ["localhost:9902", "127.0.0.1", "99020", ""] {
        let run = run(&["envoy-config", "--snippet", "--policy", policy.to_str().unwrap(), "--on-call", wrong]);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
        assert!(run.err.contains("is no IP address with a port"), "{}", run.err);
    }
    // It may be read by whoever reaches it.
    let config = written(folder.path(), &[&WHOLE[..], &["--on-call", "0.0.0.0:9902"]].concat());
    let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
    assert!(lines[0].starts_with("admin is not on loopback: "), "{lines:#?}");
    assert_eq!((lines.len(), code), (2, Some(0)));
}

/// The protocol's JSON, with its names: as a control plane or `config_dump` has it.
fn json(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    let name = |key: &String| {
        let mut parts = key.split('_');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
    };
    match value {
        Value::Object(entries) => entries.iter().map(|(key, value)| (name(key), json(value))).collect(),
        Value::Array(items) => items.iter().map(json).collect(),
        value => value.clone(),
    }
}

#[test]
fn json_is_read_as_yaml_is_by_either_name_of_a_field() {
    let folder = folder();
    let config: serde_json::Value = serde_saphyr::from_str(&written(folder.path(), &WHOLE)).unwrap();
    for (name, text) in [("same.json", config.to_string()), ("camel.json", json(&config).to_string())] {
        let (lines, code) = checked(folder.path(), name, text.as_bytes());
        assert_eq!((lines, code), (vec![format!("FOLDER/{name}: 0 warnings, 0 notes")], Some(0)));
    }
    let wrong = json(&config).to_string().replace("\"normalizePath\":true", "\"normalizePath\":false");
    let (lines, code) = checked(folder.path(), "wrong.json", wrong.as_bytes());
    assert_eq!(lines[0], "normalize_path is false; say true: Envoy may choose another route than the policy (G0)");
    assert_eq!((lines.len(), code), (2, Some(1)));
}

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
            "generate_request_id is its default; say false: Envoy generates a second id beside the module's (I1)",
        ),
        (
            "preserve_external_request_id: true",
            "preserve_external_request_id: false".to_owned(),
            "preserve_external_request_id is false; say true: ",
        ),
        ("merge_slashes: true", String::new(), "merge_slashes is its default; say true: "),
        (
            "UNESCAPE_AND_REDIRECT",
            "UNESCAPE_AND_FORWARD".to_owned(),
            "path_with_escaped_slashes_action is UNESCAPE_AND_FORWARD; say UNESCAPE_AND_REDIRECT or REJECT_REQUEST: ",
        ),
        ("proxy_100_continue: true", String::new(), "proxy_100_continue is its default; say true: "),
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
            "the module error_envelope is not among its http_filters: ",
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
            "the module rejects this configuration (V4): filter_config: admin: \"localhost:1\" is no IP address with a port; ",
        ),
        (
            &policy_value,
            "value: \"version = 1\\nadmin = '9902'\"".to_owned(),
            "the module rejects this configuration (V4): filter_config: admin beside a policy's own text; ",
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
        ("server_header_transformation: PASS_THROUGH", String::new(), "`server` is Envoy's on every response; "),
        (
            "enable_trailers: true }\n          upgrade",
            "accept_http_10: true }\n          upgrade".to_owned(),
            "http_protocol_options.enable_trailers is not true: ",
        ),
        (&policy_value, "value: \"\"".to_owned(), "no policy is set: the defaults apply to every route"),
        ("stat_prefix: edge\n", "stat_prefix: edge\n          tracing: {}\n".to_owned(), "nothing is traced: "),
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
            "the module is disabled for the route \"health\": ",
        ),
        (route, format!("- {{ {typed}, match: {{ prefix: / }}, route: {{ "), "the module is disabled for the route: "),
        (route, weighted, "the module is disabled for the weighted cluster \"upstream\": "),
        (
            "domains: [\"*\"]\n",
            format!("domains: [\"*\"]\n              {usual}\n"),
            "the module is disabled for the virtual host \"upstream\": ",
        ),
        (
            "virtual_hosts:\n",
            format!("{usual}\n            virtual_hosts:\n"),
            "the module is disabled for the route configuration \"upstream\": ",
        ),
        // A route configuration that comes by its name.
        (
            "  clusters:\n  - name: upstream",
            format!("  rds:\n    name: edge\n    {usual}\n  clusters:\n  - name: upstream"),
            "the module is disabled for the route configuration \"edge\": ",
        ),
        (
            filter,
            format!("{filter}            disabled: true\n"),
            "the module is disabled: the contract is not applied",
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

#[test]
fn a_policy_that_envoy_would_refuse_is_told_before_envoy_does() {
    let folder = folder();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "version = 1\n[auth.own]\nscheme = \"custom\"\n[defaults]\nauth = [\"own\"]\n").unwrap();
    let args = [&["envoy-config", "--policy", policy.to_str().unwrap()], &WHOLE[..]].concat();
    let run = run(&args);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{}", run.err);
    assert!(run.err.contains("policy.toml:2") && run.err.contains("ext_authz"), "{}", run.err);
}

#[test]
fn what_is_no_configuration_is_refused_and_harms_nothing() {
    let folder = folder();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bomb: String = (1..30).map(|index| format!("a{index}: &a{index} [*a{0}, *a{0}]\n", index - 1)).collect();
    let bomb = format!("a0: &a0 [x, x]\n{bomb}");
    for (what, text, code) in [
        ("nothing", "".as_bytes(), 1),
        ("a word", b"envoy", 1),
        ("a list", b"[1, 2]", 1),
        ("no filters", b"http_filters: 3", 1),
        ("filters that are none", b"http_filters: [1, null, [], {name: 3}, {typed_config: []}]", 1),
        ("a mapping of lists", b"{http_filters: {a: b}, local_reply_config: [1], route_config: []}", 1),
        ("half of one", b"static_resources: {", 1),
        ("a tab", b"a:\n\t- b", 1),
        ("no UTF-8", b"a: \xff", 2),
        ("deep lists", deep.as_bytes(), 1),
        ("names for names", bomb.as_bytes(), 1),
        ("one name twice", b"normalize_path: true\nnormalize_path: false\nhttp_filters: []", 1),
        ("two documents", b"http_filters: []\n---\nhttp_filters: []\n", 1),
    ] {
        let (lines, told) = checked(folder.path(), "envoy.yaml", text);
        assert_eq!(told, Some(code), "{what}: {lines:#?}");
        assert!(!lines.is_empty() && lines.iter().all(|line| line.len() < 2000), "{what}: {lines:#?}");
    }
    let (lines, _) = checked(folder.path(), "envoy.yaml", b"inline_string: secret-of-ours\n- [");
    assert!(!lines.concat().contains("secret-of-ours"), "{lines:#?}");
    let run = run(&["envoy-check", folder.path().to_str().unwrap()]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
    let run = self::run(&["envoy-check", "/nowhere/envoy.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
}

#[test]
fn without_its_library_the_search_path_is_told() {
    let folder = folder();
    let config = written(folder.path(), &WHOLE);
    fs::remove_file(folder.path().join("liberror_envelope.so")).unwrap();
    let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
    assert!(lines[0].contains("liberror_envelope.so is not in that folder"), "{lines:#?}");
    assert_eq!(code, Some(1));
    let file = folder.path().join("envoy.yaml");
    let mut command = command(&["envoy-check", file.to_str().unwrap()]);
    let output = command.env_remove("ENVOY_DYNAMIC_MODULES_SEARCH_PATH").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("not set here; set it for Envoy"));
}
