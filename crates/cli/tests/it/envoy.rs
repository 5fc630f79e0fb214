//! `envoy-config` and `envoy-check`: what is written is in order, and what is taken out of it is missed by its name.

mod broken;
mod processor;

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

/// What the check states of a file, its place left out, and how it ends.
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
    for more in [&[][..], &["--upstream-h2"], &["--envoy-admin", "127.0.0.1:9901"], &["--admin", "9902"]] {
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
    // It may be read by whoever reaches it.
    let config = written(folder.path(), &[&WHOLE[..], &["--admin", "0.0.0.0:9902"]].concat());
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
    assert_eq!(lines[0], "normalize_path is false: Envoy may choose another route than the policy (G0); write true");
    assert_eq!((lines.len(), code), (2, Some(1)));
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
    assert!(String::from_utf8_lossy(&output.stdout).contains("not set here; set it in Envoy's environment"));
}
