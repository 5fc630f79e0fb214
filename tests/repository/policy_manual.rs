//! Tests that the policy files in the manual can be read unchanged.

use std::fs;
use std::path::PathBuf;

use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::policy::{PolicyFile, PolicyLoader};

const POLICY: &str = include_str!("../../manual/policy.md");

/// Returns the TOML blocks of a page, in order.
fn shown(page: &str) -> Vec<String> {
    page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

fn read(folder: &str, text: &str) -> Result<PolicyFile, String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(folder.join("services")).unwrap();
    fs::write(folder.join("policy.toml"), text).unwrap();
    fs::write(folder.join("services/orders.toml"), &shown(POLICY)[2]).unwrap();
    fs::write(folder.join("organisation.toml"), "version = 1\n").unwrap();
    let secret = "a secret of at least thirty-two bytes";
    let loader = PolicyLoader::new().environment(move |name| (name == "DASHBOARD_JWT_SECRET").then(|| secret.into()));
    loader.verifiers(["partner"]).load(folder.join("policy.toml")).map_err(|error| error.to_string())
}

#[test]
fn m2_the_file_that_the_manual_shows_is_right() {
    let file = read("policy-manual", &shown(POLICY)[0]).unwrap();
    assert_eq!(file.files().count(), 3);
    let _ = ErrorEnvelopeLayer::new().policy(file.into_policy());
}

#[test]
fn the_details_that_the_manual_shows_are_a_schema() {
    let file = read("policy-manual-details", &shown(POLICY)[0]).unwrap();
    let schemas: Vec<&str> = file.policy().codes().custom_codes().filter_map(|code| code.details_schema()).collect();
    assert!(matches!(schemas[..], [schema] if schema.contains(r#""maxLength":64"#)), "{schemas:?}");
}

#[test]
fn f6_the_route_of_an_llm_gateway_that_the_manual_shows_is_right() {
    let route = &shown(POLICY)[1];
    assert!(route.contains("append_error"), "{route}");
    assert_eq!(read("policy-manual-streams", route).unwrap().policy().routes().count(), 1);
}

/// Each key in the manual exists. If it is misspelt, it is refused by name.
#[test]
fn m2_each_key_that_the_manual_shows_is_known() {
    let text = &shown(POLICY)[0];
    let mut keys = 0;
    for (at, line) in text.lines().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(['[', '{', ' ', '#'])) else {
            continue;
        };
        let spoilt: Vec<&str> = text.lines().collect();
        let wrong = format!("x{line}");
        let spoilt = [&spoilt[..at], &[&wrong], &spoilt[at + 1..]].concat().join("\n");
        let message = read("policy-manual-keys", &spoilt).map(|_| ()).unwrap_err();
        assert!(message.contains(key), "{key}: {message}");
        keys += 1;
    }
    assert!(keys > 50, "{keys}");
}

/// The manual has the keys of a route in their order, with their defaults.
#[test]
fn m2_the_manual_shows_each_key_of_a_route_with_its_default() {
    let text = &shown(POLICY)[0];
    let table = text.split_once("[defaults]").unwrap().1.split_once("\n[").unwrap().0;
    let shown: Vec<_> = table.lines().filter_map(|line| line.split('#').next()?.trim_end().split_once(" = ")).collect();
    let file = PolicyLoader::new().parse("policy.toml", "version = 1").unwrap();
    let effective = file.effective("GET", "/").unwrap();
    let mut effective_keys: Vec<_> = effective.reading.settings.iter().map(|(key, set)| (*key, &*set.value)).collect();
    // This key is stored as `json`, which it replaces.
    let json = effective_keys.iter().position(|(key, _)| *key == "json").unwrap();
    effective_keys.insert(json + 1, ("content_types", "[]"));
    assert_eq!(shown, effective_keys);
}
