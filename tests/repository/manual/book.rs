//! The manual as a book: its table of contents has every page once, and what is to be read in one go is short.

use super::links::links;
use super::{manual, read, root};

/// The words of a page that is no reference, with its code and tables.
const MOST_WORDS: usize = 1500;

/// Each part of the table of contents with its pages; the first one has no title.
fn parts() -> Vec<(String, Vec<String>)> {
    let summary = read(&root().join("manual/SUMMARY.md"));
    let part = |text: &str| (text.lines().next().unwrap_or_default().to_owned(), links(text));
    summary.trim_start_matches("# Summary").split("\n# ").map(part).collect()
}

#[test]
fn the_table_of_contents_has_each_page_once() {
    let mut listed: Vec<_> = parts().into_iter().flat_map(|(_, pages)| pages).collect();
    listed.sort();
    let names = manual().into_iter().map(|page| page.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(listed, names.filter(|name| name != "SUMMARY.md").collect::<Vec<_>>());
    let titles: Vec<_> = parts().into_iter().map(|(title, _)| title).collect();
    assert_eq!(titles, ["", "Tutorial", "Guides", "Explanation", "Reference"]);
}

#[test]
fn a_page_that_is_no_reference_is_short() {
    let pages = parts().into_iter().filter(|(title, _)| title != "Reference").flat_map(|(_, pages)| pages);
    let counted = pages.map(|page| (read(&root().join("manual").join(&page)).split_whitespace().count(), page));
    let long: Vec<_> = counted.filter(|(words, _)| *words > MOST_WORDS).collect();
    assert_eq!(long, [], "at most {MOST_WORDS} words: move what is looked up into the reference");
}
