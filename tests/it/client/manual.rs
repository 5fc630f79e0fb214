//! Tests `manual/clients.md`: the example prints what the page shows. `clients/check` runs the snippets of other
//! languages, and the doctests run the one in Rust.

use std::process::Command;

use tower_error_envelope::client::ErrorReader;

use crate::examples::binary;

const PAGE: &str = include_str!("../../../manual/clients.md");

#[test]
fn the_example_prints_what_the_page_shows() {
    assert!(PAGE.contains("\ncargo run --example client_hyper -- --once\n"));
    let output = Command::new(binary("client_hyper")).arg("--once").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let (printed, time) = printed.split_once("  after ").unwrap();
    // The client has to wait for a date within a second, and dates have whole seconds.
    let seconds: f64 = time.trim_end_matches(" s\n").parse().unwrap();
    assert!((0.0..10.0).contains(&seconds), "{time}");
    let (before, id) = printed.split_once("(req_").unwrap();
    let printed = format!("{before}(req_…{}", &id[26..]);
    let (shown, _) = block("text").split_once("  after ").unwrap();
    assert_eq!(shown, printed);
}

#[test]
fn the_envelope_that_the_page_shows_is_one() {
    let envelope = block("json");
    let response = http::Response::builder().status(409).body(envelope.trim_end()).unwrap();
    let error = ErrorReader::new().read(&response).unwrap();
    assert_eq!((error.code().as_str(), error.details_json()), ("conflict", Some(r#"{"seat":"7A"}"#)));
}

/// Returns the only block of that language.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).expect(language);
    rest.split_once("```").unwrap().0
}
