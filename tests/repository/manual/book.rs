//! Tests the manual as a book: its index has every page once.

use super::links::links;
use super::{manual, read, root};

/// `.ci/book` makes the table of contents from the index.
#[test]
fn the_index_has_each_page_once() {
    let links = links(&read(&root().join("manual/README.md")));
    let mut listed: Vec<_> = links.into_iter().filter(|link| !link.starts_with("../")).collect();
    listed.sort();
    let names = manual().into_iter().map(|page| page.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(listed, names.filter(|name| name != "README.md").collect::<Vec<_>>());
}
