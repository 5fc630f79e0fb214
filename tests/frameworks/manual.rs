//! Checks pages of the manual. The table is the one of the tests, and the snippets are from files that the tests run.

use std::fs;
use std::path::{Path, PathBuf};

/// If this variable is set, the table is written anew instead of compared.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test --test frameworks -->\n";
const CLOSES: &str = "<!-- the end of the table -->\n";

#[track_caller]
pub(crate) fn expect_table(table: &str) {
    let page = fs::read_to_string(root().join(TABLE)).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the page has a place for the table");
    let (old, after) = rest.split_once(CLOSES).expect("the table has an end");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(root().join(TABLE), format!("{before}{OPENS}{table}{CLOSES}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "{TABLE} shows another table: run again with {REWRITE}=1");
    }
}

/// Each snippet has its source on the line before it: `<!-- FILE -->`.
#[test]
fn each_snippet_stands_in_the_file_that_it_names() {
    let page = page();
    let snippets = page.split("```rust,ignore\n").collect::<Vec<_>>();
    assert!(snippets.len() > 5, "{PAGE} has snippets");
    for pair in snippets.windows(2) {
        let file = pair[0].lines().last().and_then(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
        let file = file.unwrap_or_else(|| panic!("{PAGE}: a snippet without its file: {}", pair[1]));
        let (snippet, _) = pair[1].split_once("```").expect("a snippet ends");
        let source = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{PAGE}: {file}: {error}"));
        assert!(stands_in(snippet, &source), "{PAGE}: this does not stand in {file}:\n{snippet}");
    }
}

/// Returns true if the snippet's lines are consecutive lines of the source, with any indentation.
fn stands_in(snippet: &str, source: &str) -> bool {
    let [snippet, source] = [snippet, source].map(|text| text.lines().map(str::trim).collect::<Vec<_>>());
    source.windows(snippet.len()).any(|lines| lines == snippet)
}

const PAGE: &str = "manual/library.md";
const TABLE: &str = "tests/frameworks/checks.md";

fn page() -> String {
    fs::read_to_string(root().join(PAGE)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
