//! The manual as a book: its index has every page once, and all of it is short.

use super::links::links;
use super::{manual, read, root};

/// The words of the README, with its code and tables.
const README_WORDS: usize = 700;
/// The words of all pages that people write.
const MANUAL_WORDS: usize = 27_000;
/// The numbered rules, whose words are fixed, and a page that is made from `--help`.
const UNCOUNTED: [&str; 3] = ["contract.md", "contract-parsing.md", "cli.md"];

/// The name and the text of each page of the manual that people write.
fn written() -> Vec<(String, String)> {
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let pages = manual().into_iter().map(|path| (name(&path), read(&path)));
    let mut pages: Vec<_> = pages.filter(|(name, _)| !UNCOUNTED.contains(&name.as_str())).collect();
    let (_, policy) = pages.iter_mut().find(|(name, _)| name == "policy.md").expect("a page of the policy's keys");
    *policy = without_keys(policy);
    pages
}

/// The page without the keys that are made from the rows of `policy/keys.rs`: a new dialect or key needs no shorter page.
fn without_keys(policy: &str) -> String {
    let (before, keys) = policy.split_once("\n[defaults] ").expect("the table of the keys");
    let (_, after) = keys.split_once("\n[inspect] ").expect("the table behind them");
    format!("{before}\n{after}")
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// `.ci/book` makes the table of contents from it.
#[test]
fn the_index_has_each_page_once() {
    let links = links(&read(&root().join("manual/README.md")));
    let mut listed: Vec<_> = links.into_iter().filter(|link| !link.starts_with("../")).collect();
    listed.sort();
    let names = manual().into_iter().map(|page| page.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(listed, names.filter(|name| name != "README.md").collect::<Vec<_>>());
}

#[test]
fn the_readme_and_the_manual_are_short() {
    let readme = words(&read(&root().join("README.md")));
    assert!(readme <= README_WORDS, "README.md has {readme} words, at most {README_WORDS}");
    let counted: Vec<_> = written().into_iter().map(|(name, text)| (words(&text), name)).collect();
    let all: usize = counted.iter().map(|(words, _)| words).sum();
    assert!(all <= MANUAL_WORDS, "the manual has {all} words, at most {MANUAL_WORDS}: {counted:?}");
}
