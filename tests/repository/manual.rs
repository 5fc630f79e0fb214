//! The pages for people: every page of the manual is in its index, every link leads somewhere, and what the pages show of a
//! policy is what clients get.

mod answers;
mod blocks;
mod book;
mod links;
mod pictures;

use std::fs;
use std::path::{Path, PathBuf};

use links::{anchors, links};

/// Pages beside those of `manual/`.
const PAGES: [&str; 18] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "benches/README.md",
    "clients/python/README.md",
    "clients/typescript/README.md",
    "contract/README.md",
    "crates/admin/README.md",
    "crates/cli/README.md",
    "crates/cli/benches/abuse/abuse.md",
    "crates/envoy/README.md",
    "crates/gateway/README.md",
    "examples/README.md",
    "tests/apps/words.md",
    "tests/frameworks/checks.md",
    "tests/it/cases/envoy/DIFFERS.md",
    "tests/repository/house.md",
];

#[test]
fn the_index_has_every_page_of_the_manual() {
    let index = read(&root().join("manual/README.md"));
    let listed: Vec<String> = links(&index).into_iter().map(|link| file_of(&link).to_owned()).collect();
    for page in manual() {
        let name = page.file_name().unwrap().to_str().unwrap();
        assert!(
            matches!(name, "README.md" | "SUMMARY.md") || listed.iter().any(|it| it == name),
            "manual/README.md does not name {name}"
        );
    }
}

#[test]
fn no_link_leads_nowhere() {
    let mut pages = manual();
    pages.extend(PAGES.iter().map(|page| root().join(page)));
    let dead: Vec<String> = pages.iter().flat_map(|page| dead(page)).collect();
    assert_eq!(dead, [] as [String; 0]);
}

/// What a page names that is not there.
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

/// The pages of `manual/`.
fn manual() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("manual")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
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
