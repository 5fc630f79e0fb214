//! Tests the pages for people: the index has every page of the manual, every link leads somewhere, and clients get what
//! the pages show of a policy.

mod answers;
mod blocks;
mod book;
mod links;
mod pictures;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use links::{anchors, links};

/// Pages in addition to those of `manual/` and the READMEs of the crates.
const PAGES: [&str; 16] = [
    ".ci/README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "benches/README.md",
    "clients/python/README.md",
    "clients/typescript/README.md",
    "crates/cli/benches/abuse/abuse.md",
    "examples/README.md",
    "examples/policies/README.md",
    "exports/README.md",
    "tests/apps/words.md",
    "tests/cases/README.md",
    "tests/frameworks/checks.md",
    "tests/it/cases/envoy/DIFFERS.md",
    "tests/repository/house.md",
];

#[test]
fn no_link_leads_nowhere() {
    let mut pages = manual();
    pages.extend(PAGES.iter().map(|page| root().join(page)));
    pages.extend(published().iter().map(|folder| folder.join("README.md")));
    let dead: Vec<String> = pages.iter().flat_map(|page| dead(page)).collect();
    assert_eq!(dead, [] as [String; 0]);
}

/// A registry shows a README outside of the repository, and resolves its links by the address in the manifest. A target
/// that is neither in the package nor in the repository would be a dead link there.
#[test]
fn a_registry_resolves_the_links_of_each_readme() {
    let manifest = |folder: &Path| read(&folder.join("Cargo.toml")).parse::<toml::Table>().unwrap();
    let address = manifest(root())["workspace"]["package"]["repository"].as_str().unwrap().to_owned();
    assert!(address.starts_with("https://"), "{address}");
    for folder in published() {
        let manifest = manifest(&folder);
        let package = manifest["package"].as_table().unwrap();
        let is_shared = package["repository"].get("workspace").and_then(toml::Value::as_bool);
        assert_eq!((is_shared, package["readme"].as_str()), (Some(true), Some("README.md")), "{}", folder.display());
        for key in ["keywords", "categories", "include"] {
            let listed = package[key].as_array().unwrap().len();
            assert!((1..=5).contains(&listed), "{}: {key}", folder.display());
        }
        assert!(package["description"].as_str().is_some_and(|text| text.len() > 30), "{}", folder.display());
        let page = folder.join("README.md");
        let text = read(&page);
        let outside = links(&text).into_iter().find(|link| {
            let is_html = text.contains("<img") || text.contains("<a ");
            let is_there = || folder.join(file_of(link)).canonicalize().is_ok_and(|file| file.starts_with(root()));
            is_html || link.starts_with('/') || !link.contains("://") && !is_there()
        });
        assert_eq!(outside, None, "{}: neither in the package nor in the repository", page.display());
    }
}

/// Returns the folders of the published crates.
fn published() -> Vec<PathBuf> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    crates.chain([root().to_owned()]).collect()
}

/// A document that only the authors have explains nothing to a reader.
#[test]
fn each_document_that_is_named_is_here() {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    // `.ci/book` makes the table of contents.
    let documents: BTreeSet<String> = listed.lines().map(name_of).chain(["SUMMARY.md".to_owned()]).collect();
    let mut missing = BTreeSet::new();
    for path in listed.lines() {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        let is_outside = |it: char| !it.is_ascii_alphanumeric() && !matches!(it, '.' | '_' | '-');
        let words = text.split(is_outside).map(|word| word.trim_matches('.'));
        // Names in capitals are those of a project's own documents.
        let is_document = |word: &&str| word.ends_with(".md") && word.starts_with(|it: char| it.is_ascii_uppercase());
        let others = words.filter(is_document).filter(|word| !documents.contains(*word));
        missing.extend(others.map(|word| format!("{path}: {word}")));
    }
    assert!(missing.is_empty(), "not in the repository: {missing:#?}");
}

/// Returns the targets of a page that do not exist.
fn dead(page: &Path) -> Vec<String> {
    let text = read(page);
    let is_foreign = |link: &String| link.contains("://") || link.starts_with("mailto:");
    let own = links(&text).into_iter().filter(|link| !is_foreign(link));
    let located = |link: &String| format!("{}: {link}", page.strip_prefix(root()).unwrap().display());
    own.filter(|link| !leads_somewhere(page, link)).map(|link| located(&link)).collect()
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let file = match file_of(link) {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    match link.split_once('#') {
        None => file.exists(),
        Some((_, anchor)) => file.is_file() && anchors(&read(&file)).iter().any(|it| it == anchor),
    }
}

fn file_of(link: &str) -> &str {
    link.split('#').next().unwrap_or_default()
}

/// Returns the pages of `manual/`.
fn manual() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("manual")).unwrap().map(|entry| entry.unwrap().path());
    // `.ci/book` makes the table of contents from the index.
    let is_page = |path: &PathBuf| path.extension().is_some_and(|it| it == "md") && !path.ends_with("SUMMARY.md");
    let mut pages: Vec<_> = entries.filter(is_page).collect();
    pages.sort();
    assert!(pages.len() > 9, "{pages:?}");
    pages
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
