//! Compares the manual's text on the access log with its fields.

use std::path::Path;

use error_envelope_gateway::AccessField;

/// Set to anything, it writes the table anew instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test -p error-envelope-cli access_log -->\n";
const CLOSES: &str = "<!-- the end of the access log's table -->\n";

#[test]
fn the_manual_shows_the_fields_of_the_access_log() {
    let row = |field: &AccessField| format!("| `{}` | {} |\n", field.name(), field.description());
    let rows: String = AccessField::ALL.iter().map(row).collect();
    let table = format!("| field | |\n|---|---|\n{rows}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manual/gateway.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the table's beginning");
    let (shown, after) = rest.split_once(CLOSES).expect("the table's end");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(path, format!("{before}{OPENS}{table}{CLOSES}{after}")).unwrap();
    } else {
        assert_eq!(shown, table, "{REWRITE}=1 writes it anew");
    }
}
