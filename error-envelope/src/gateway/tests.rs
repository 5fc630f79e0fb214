//! What the manual says of the flags, held against them.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clap::{Args as _, Command};
use error_envelope_gateway::AccessField;

use super::Args;

/// Set to anything, it writes the table anew instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test -p error-envelope limits -->\n";
const CLOSES: &str = "<!-- the end of the table -->\n";
const FIELDS_OPEN: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test -p error-envelope access_log -->\n";
const FIELDS_CLOSE: &str = "<!-- the end of the access log's table -->\n";

#[test]
fn the_manual_shows_the_limits_with_their_defaults() {
    hold(OPENS, CLOSES, &table());
}

#[test]
fn the_manual_shows_the_fields_of_the_access_log() {
    let row = |field: &AccessField| format!("| `{}` | {} |\n", field.name(), field.description());
    let rows: String = AccessField::ALL.iter().map(row).collect();
    hold(FIELDS_OPEN, FIELDS_CLOSE, &format!("| field | |\n|---|---|\n{rows}"));
}

/// Two tests may write at once.
static PAGE: Mutex<()> = Mutex::new(());

fn hold(opens: &str, closes: &str, table: &str) {
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manual/gateway.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(opens).expect("the table's beginning");
    let (shown, after) = rest.split_once(closes).expect("the table's end");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(path, format!("{before}{opens}{table}{closes}{after}")).unwrap();
    } else {
        assert_eq!(shown, table, "{REWRITE}=1 writes it anew");
    }
}

/// A row for each flag that has a default and stands under a heading.
fn table() -> String {
    let mut table = String::from("| flag | default | |\n|---|---|---|\n");
    let command = Args::augment_args(Command::new("gateway"));
    for flag in command.get_arguments() {
        let default = flag.get_default_values().first().and_then(|value| value.to_str());
        let (Some(default), Some(_), Some(name), Some(help)) =
            (default, flag.get_help_heading(), flag.get_long(), flag.get_help())
        else {
            continue;
        };
        writeln!(table, "| `--{name}` | {default} | {help} |").unwrap();
    }
    table
}
