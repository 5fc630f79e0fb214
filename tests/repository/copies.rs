//! Tests that the copies under `tests/` equal the shared originals, byte for byte, if those are available.

use std::collections::BTreeSet;
use std::path::Path;

const LISTED: &str = include_str!("../cases/copies.txt");

#[test]
fn copies_are_the_originals() {
    let originals = root().join("../shared");
    if !originals.exists() {
        return;
    }
    let listed: BTreeSet<String> = listed().map(str::to_owned).collect();
    assert_eq!(listed, cases(&originals.join("cases")), "tests/cases/copies.txt: copy the folder anew");
    for name in listed.iter().map(|name| format!("cases/{name}")).chain(["catalogue.toml".to_owned()]) {
        let [copy, original] = [root().join("tests"), originals.clone()].map(|folder| read(&folder.join(&name)));
        // The originals' heads name documents that this repository does not have.
        assert!(without_head(&copy) == without_head(&original), "tests/{name} differs from its original: copy it anew");
    }
}

#[test]
fn other_files_of_cases_are_named_after_their_rule() {
    let pages = ["manual/contract.md", "manual/contract-parsing.md"].map(|page| read(&root().join(page))).concat();
    let copies: BTreeSet<&str> = listed().collect();
    let names = cases(&root().join("tests/cases"));
    assert!(copies.iter().all(|copy| names.contains(*copy)), "tests/cases lacks a file of copies.txt");
    let others: Vec<_> = names.iter().filter(|name| !copies.contains(&***name)).collect();
    let is_rule = |name: &str| {
        let rule = name.split('-').next().unwrap_or_default().to_lowercase();
        name.starts_with(char::is_uppercase) && pages.contains(&format!("<a id=\"{rule}\">"))
    };
    let odd: Vec<_> = others.iter().filter(|name| !is_rule(name)).collect();
    assert!(others.len() > 30 && odd.is_empty(), "neither in copies.txt nor named after a rule: {odd:?}");
}

/// The names in `copies.txt`.
fn listed() -> impl Iterator<Item = &'static str> {
    LISTED.lines().filter(|line| !line.starts_with('#'))
}

/// The names of a folder's files of cases.
fn cases(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".toml")).collect()
}

/// What follows the comment that a file begins with.
fn without_head(text: &str) -> &str {
    let head = text.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum();
    &text[head..]
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
