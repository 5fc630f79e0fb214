//! Tests that the output of `envoy-config` contains each setting of the manual's checklist, and each service of the
//! policy.

use std::fs;
use std::path::Path;

use error_envelope_extproc::override_modes;
use serde_json::Value;
use tempfile::TempDir;

use crate::kit::run;

/// Makes a folder with a policy.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), "version = 1\n").unwrap();
    folder
}

fn written(folder: &Path, more: &[&str]) -> String {
    let policy = folder.join("policy.toml");
    let run = run(&[&["envoy-config", "--policy", policy.to_str().unwrap()], more].concat());
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    run.out
}

const WHOLE: [&str; 4] = ["--listen", "127.0.0.1:8080", "--upstream", "[::1]:3000"];

const PROCESSOR: [&str; 2] = ["--ext-proc", "127.0.0.1:9002"];

const MANUAL: &str = include_str!("../../../../manual/envoy.md");

/// Returns the rows of the checklist: the purpose, and the setting.
fn checklist() -> Vec<(&'static str, Value)> {
    let (_, list) = MANUAL.split_once("\n### Checklist\n").unwrap();
    let rows =
        list.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    let row = |row: &'static str| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        (cells[1], serde_saphyr::from_str(&format!("{{ {} }}", cells[2].trim_matches('`'))).unwrap())
    };
    rows.map(row).collect()
}

/// Returns true if some mapping below a value has these entries. A list must be equal.
fn has(value: &Value, setting: &Value) -> bool {
    let fits = |value: &Value| {
        setting.as_object().unwrap().iter().all(|(key, wanted)| match wanted {
            Value::Object(_) => value.get(key).is_some_and(|value| has(&Value::from(vec![value.clone()]), wanted)),
            wanted => value.get(key) == Some(wanted),
        })
    };
    match value {
        Value::Object(entries) => fits(value) || entries.values().any(|value| has(value, setting)),
        Value::Array(items) => items.iter().any(|value| has(value, setting)),
        _ => false,
    }
}

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn each_line_of_the_checklist_is_in_what_is_written() {
    let (folder, checklist) = (folder(), checklist());
    assert!(checklist.len() > 20, "{checklist:#?}");
    for (kind, more) in [("module", &[][..]), ("processor", &PROCESSOR)] {
        for flags in
            [&WHOLE[..], &["--snippet"], &[&WHOLE[..], &["--upstream-h2", "--envoy-admin", "[::1]:1"]].concat()]
        {
            let config = parsed(&written(folder.path(), &[flags, more].concat()));
            for (_, setting) in checklist.iter().filter(|(of, _)| *of == "all" || *of == kind) {
                assert!(has(&config, setting), "{kind}, {flags:?}: no {setting} in {config:#}");
            }
            let manager = config.pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config");
            let manager = manager.unwrap_or(&config);
            let first = manager["http_filters"][0].to_string();
            assert!(
                first.contains("error_envelope") && manager["http_filters"].as_array().unwrap().len() == 2,
                "{first}"
            );
            let mapper = &manager["local_reply_config"]["mappers"][0]["filter"]["metadata_filter"];
            assert_eq!(mapper["matcher"]["filter"], "error_envelope", "another one would replace this one's replies");
            for word in
                ["typed_per_filter_config", "disabled", "observability_mode", "disable_immediate_response", "UNIQUE_ID"]
            {
                assert!(!config.to_string().contains(word), "{word}");
            }
        }
    }
}

#[test]
fn the_checklist_s_test_sees_what_is_missing() {
    let config = parsed("http: { a: { b: 1, c: [ 1 ] }, d: true }");
    for (setting, is) in
        [("a: { b: 1 }", true), ("b: 1, c: [ 1 ]", true), ("b: 2", false), ("c: []", false), ("b: 1, d: true", false)]
    {
        assert_eq!(has(&config, &parsed(&format!("{{ {setting} }}"))), is, "{setting}");
    }
}

#[test]
fn every_mode_that_the_processor_can_request_is_allowed() {
    let config = parsed(&written(folder().path(), &[&["--snippet"], &PROCESSOR[..]].concat()));
    let allowed = config["http_filters"][0]["typed_config"]["allowed_override_modes"].as_array().unwrap();
    assert_eq!(allowed.len(), override_modes().count());
    for mode in override_modes() {
        assert!(allowed.iter().any(|it| mode.iter().all(|(field, value)| it[field] == **value)), "{mode:?}");
    }
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
    let config: Value = serde_saphyr::from_str(&config).unwrap();
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
    // Without a service for requests outside all scopes, Envoy has no route for them.
    let alone = written(folder.path(), &WHOLE[..2]);
    assert!(!alone.contains("cluster: upstream,") && !alone.contains("- name: upstream\n    type"), "{alone}");
    parsed(&alone);
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
            let config = written(folder.path(), &[more, &["--admin", given]].concat());
            let line = format!("policy.toml\\\"\\nadmin = \\\"{told}\\\"\"\n");
            assert!(config.contains(&line), "{line} in {config}");
        }
    }
    let policy = folder.path().join("policy.toml");
    for wrong in ["localhost:9902", "127.0.0.1", "99020", ""] {
        let run = run(&["envoy-config", "--snippet", "--policy", policy.to_str().unwrap(), "--admin", wrong]);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
        assert!(run.err.contains("is not an IP address with a port"), "{}", run.err);
    }
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
