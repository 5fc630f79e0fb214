//! What the manual says of the flags, held against them.

use std::fmt::Write;
use std::path::Path;

use clap::{Args as _, Command};

use super::Args;

/// Set to anything, it writes the table anew instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test -p error-envelope limits -->\n";
const CLOSES: &str = "<!-- the end of the table -->\n";

#[test]
fn the_manual_shows_the_limits_with_their_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manual/gateway.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the table's beginning");
    let (shown, after) = rest.split_once(CLOSES).expect("the table's end");
    let table = table();
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(path, format!("{before}{OPENS}{table}{CLOSES}{after}")).unwrap();
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
