//! Each number of a rule that code, tests or pages name in parentheses is a rule of `manual/contract.md`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// `R13`, `F1a`: a letter of a section, digits, and at most one more letter.
fn is_rule(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(['E', 'I', 'G', 'F', 'R', 'P', 'V', 'M', 'L']) else { return false };
    let number = rest.trim_end_matches(|last: char| last.is_ascii_lowercase());
    rest.len() - number.len() <= 1 && (1..=2).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit())
}

/// What stands in parentheses and names rules alone: `(R3, E8)`, `(rule F7)`, `(rules F1–F3)`.
fn named(text: &str) -> Vec<&str> {
    let mut rules = Vec::new();
    for inside in text.split('(').skip(1).filter_map(|behind| Some(behind.split_once(')')?.0)) {
        let words = || inside.split([',', ' ', '–', '-', ':', ';']).filter(|word| !word.is_empty());
        if words().all(|word| is_rule(word) || matches!(word, "rule" | "rules" | "and")) {
            rules.extend(words().filter(|word| is_rule(word)));
        }
    }
    rules
}

#[test]
fn each_rule_that_is_named_is_in_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = std::fs::read_to_string(root.join("manual/contract.md")).unwrap();
    let rules: BTreeSet<_> = contract.split("<a id=\"").skip(1).filter_map(|it| Some(it.split_once('"')?.0)).collect();
    assert!(rules.len() > 40 && rules.contains("r13"), "{rules:?}");
    let listed = Command::new("git").args(["ls-files", "*.rs", "*.md"]).current_dir(root).output().unwrap().stdout;
    let (listed, mut unknown) = (String::from_utf8(listed).unwrap(), BTreeSet::new());
    for path in listed.lines() {
        let Ok(text) = std::fs::read_to_string(root.join(path)) else { continue };
        let names = named(&text).into_iter().filter(|name| !rules.contains(&*name.to_lowercase()));
        unknown.extend(names.map(|name| format!("{path}: {name}")));
    }
    assert!(unknown.is_empty(), "no rule of manual/contract.md: {unknown:#?}");
}

#[test]
fn names_of_rules_are_found() {
    let text = "so it is (R3, E8), and (rules F1–F3); not (R3 looks), (H2), (M), (rule R13) is";
    assert_eq!(named(text), ["R3", "E8", "F1", "F3", "R13"]);
}
