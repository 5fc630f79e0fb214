//! Tests that the policy files in the manual can be read unchanged, and that its tables list the keys of the reader.

use std::collections::BTreeSet;
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
    PolicyLoader::new().load(folder.join("policy.toml")).map_err(|error| error.to_string())
}

#[test]
fn m2_the_file_that_the_manual_shows_is_right() {
    let file = read("policy-manual", &shown(POLICY)[0]).unwrap();
    assert_eq!(file.files().count(), 1);
    let _ = ErrorEnvelopeLayer::new().policy(file.into_policy());
}

#[test]
fn m2_the_scope_and_the_base_that_the_manual_shows_are_right() {
    let includes = "version = 1\ninclude = [\"services/*.toml\"]\n";
    for (folder, text) in [("policy-manual-scope", includes), ("policy-manual-base", &*shown(POLICY)[3])] {
        let file = read(folder, text).unwrap();
        assert_eq!(file.files().count(), 2, "{folder}");
        let _ = ErrorEnvelopeLayer::new().policy(file.into_policy());
    }
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

/// Returns the tables of all keys: each heading, and the cells of its rows.
fn tables() -> Vec<(&'static str, Vec<Vec<&'static str>>)> {
    let section = POLICY.split_once("\n## Every key\n").unwrap().1;
    let table = |part: &'static str| {
        let (heading, rest) = part.split_once('\n').unwrap();
        let rows = rest.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
        (heading, rows.map(|row| row.split(" | ").map(|cell| cell.trim_matches('`')).collect()).collect())
    };
    section.split("\n### ").skip(1).map(table).collect()
}

/// Returns the keys that the reader's error for an unknown key lists.
fn known_to_reader(text: &str) -> BTreeSet<String> {
    let text = format!("version = 1\n{text}\nqqqq = 1\n");
    let errors = PolicyLoader::new().check_text("policy.toml", &text).map(|_| ()).unwrap_err();
    let unknown = errors.iter().find(|error| error.key().is_some_and(|key| key.ends_with("qqqq")));
    let advice = unknown.unwrap_or_else(|| panic!("{text}: {errors:?}")).advice();
    let list = advice.split_once("the choices are ").or_else(|| advice.split_once("the only choice is "));
    let list = list.unwrap_or_else(|| panic!("{text}: {advice}")).1.replace('"', "");
    list.split(", ").flat_map(|it| it.split(" and ")).map(str::to_owned).collect()
}

#[test]
fn m2_the_manual_lists_the_keys_that_the_reader_knows() {
    let tables = tables();
    let keys = |rows: &[Vec<&str>], is_in: &dyn Fn(&Vec<&str>) -> bool| -> BTreeSet<String> {
        rows.iter().filter(|row| is_in(row)).map(|row| row[0].to_owned()).collect()
    };
    let all = |_: &Vec<&str>| true;
    let (first, rows) = &tables[0];
    assert!(!first.contains('['), "{first}");
    let mut of_file = keys(rows, &all);
    let mut compared = of_file.len();
    for (heading, rows) in &tables[1..] {
        // A heading may name two tables that share their keys.
        for header in heading.split('`').skip(1).step_by(2) {
            let name = header.trim_matches(['[', ']']);
            of_file.insert(name.split('.').next().unwrap().to_owned());
            let schemes: Vec<&str> = rows.iter().filter(|row| row[0] == "scheme").map(|row| row[1]).collect();
            for scheme in &schemes {
                let has = |row: &Vec<&str>| row[1] == "all" || row[1].contains(*scheme);
                assert_eq!(keys(rows, &has), known_to_reader(&format!("{header}\nscheme = {scheme}")), "{scheme}");
            }
            if schemes.is_empty() {
                let has = |row: &Vec<&str>| name != "defaults" || row[0] != "match";
                assert_eq!(keys(rows, &has), known_to_reader(header), "{header}");
            }
        }
        compared += rows.len();
    }
    assert_eq!(of_file, known_to_reader(""));
    assert!(compared > 100, "{compared}");
}

/// The manual has the keys of a route in their order, with their defaults.
#[test]
fn m2_the_manual_shows_each_key_of_a_route_with_its_default() {
    let tables = tables();
    let (_, rows) = tables.iter().find(|(heading, _)| heading.starts_with("`[defaults]`")).unwrap();
    let shown: Vec<_> = rows.iter().map(|row| (row[0], row[2])).skip_while(|(key, _)| *key == "match").collect();
    let file = PolicyLoader::new().parse("policy.toml", "version = 1").unwrap();
    let effective = file.effective("GET", "/").unwrap();
    let mut effective_keys: Vec<_> = effective.reading.settings.iter().map(|(key, set)| (*key, &*set.value)).collect();
    // This key is stored as `json`, which it replaces.
    let json = effective_keys.iter().position(|(key, _)| *key == "json").unwrap();
    effective_keys.insert(json + 1, ("content_types", "[]"));
    assert_eq!(shown, effective_keys);
}
