//! Tests the table in `crates/core/src/session/mod.rs` that leads a reader from the head of a response to its new bytes.

use std::fs;
use std::path::Path;

#[test]
fn each_function_on_the_way_of_an_error_is_in_its_file() {
    let doc = read("crates/core/src/session/mod.rs");
    let rows: Vec<_> = doc.lines().filter_map(|line| line.strip_prefix("//! | `")?.split_once("`: `")).collect();
    assert!(rows.len() > 15, "{rows:?}");
    let missing: Vec<_> =
        rows.iter().filter(|(file, rest)| !has_function(file, rest.split('`').next().unwrap())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn has_function(file: &str, function: &str) -> bool {
    let path = match file.split_once('/') {
        Some(("layer", rest)) => format!("src/middleware/{rest}"),
        Some((member @ ("read" | "fault" | "runtime" | "text"), rest)) => format!("crates/{member}/src/{rest}"),
        Some(("classify", rest)) => format!("crates/core/src/classify/{rest}"),
        _ => format!("crates/core/src/session/{file}"),
    };
    let source = read(&path);
    source.contains(&format!("fn {function}(")) || source.contains(&format!("fn {function}<"))
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
