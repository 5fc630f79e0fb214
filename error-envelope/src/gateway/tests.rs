//! What the manual says of the flags, held against them; and what is counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use clap::{Args as _, Command};
use http::Version;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::{Args, count};

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

#[test]
fn connections_and_requests_are_counted_by_protocol_while_they_last() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let mut sums = BTreeMap::<String, f64>::new();
    let mut gauges = || {
        // A snapshot tells what has changed since the one before.
        for (key, _, _, change) in snapshots.snapshot().into_vec() {
            let DebugValue::Gauge(change) = change else { panic!("{key:?} is no gauge") };
            let (_, key) = key.into_parts();
            let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{}{labels:?}", key.name().trim_start_matches("error_envelope_"));
            *sums.entry(name).or_default() += change.into_inner();
        }
        let counted = sums.iter().filter(|(_, sum)| **sum != 0.0);
        counted.map(|(name, sum)| format!("{name} {sum}")).collect::<Vec<_>>()
    };
    metrics::with_local_recorder(&recorder, || {
        let quiet = count::Connection::begun();
        assert_eq!(gauges(), [r#"connections["protocol=none"] 1"#]);
        let connection = count::Connection::begun();
        let streams = [connection.asked(Version::HTTP_2), connection.asked(Version::HTTP_2)];
        let old = quiet.asked(Version::HTTP_10);
        let all = [
            r#"connections["protocol=http/1"] 1"#,
            r#"connections["protocol=http/2"] 1"#,
            r#"streams["protocol=http/1"] 1"#,
            r#"streams["protocol=http/2"] 2"#,
        ];
        assert_eq!(gauges(), all);
        drop((old, quiet, streams));
        assert_eq!(gauges(), [r#"connections["protocol=http/2"] 1"#]);
        drop(connection);
        assert_eq!(gauges(), [] as [&str; 0]);
    });
}
