//! The external processor, with Envoy's part as `error-envelope envoy-config --ext-proc` writes it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::{Process, Row};

/// Returns the row of a new processor of this command, and of Envoy's part without the settings whose names contain
/// `without`.
pub(crate) fn row(name: &str, command: &Path, without: Option<&str>) -> Row {
    let policy = command.with_extension("toml");
    std::fs::write(&policy, "version = 1\n").expect("a folder of its own");
    let mut start = Command::new(command);
    start.args(["ext-proc", "--listen", "127.0.0.1:0", "--workers", "1", "--policy"]).arg(&policy);
    let mut process = start.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the processor starts");
    let line = first_line(&mut process);
    let address = line.trim().strip_prefix("listening on http://").expect("its address");

    let mut parts = Command::new(command);
    parts.args(["envoy-config", "--snippet", "--ext-proc", address, "--policy"]).arg(&policy);
    let parts = String::from_utf8(parts.output().expect("it writes Envoy's part").stdout).expect("UTF-8");
    let part = |start: &str, end: &str, indent: usize| {
        let from = &parts[parts.find(start).expect(start)..];
        let part = &from[..from.find(end).unwrap_or(from.len())];
        let kept = part.lines().filter(|line| without.is_none_or(|without| !line.contains(without)));
        kept.map(|line| format!("{:indent$}{line}\n", "")).collect::<String>()
    };
    Row {
        name: name.to_owned(),
        filter: part("- name: envoy.filters.http.ext_proc\n", "- name: envoy.filters.http.router", 10),
        manager: part("local_reply_config:\n", "access_log:", 10),
        clusters: part("- name: error_envelope_ext_proc\n", "\n\n", 2),
        processor: Some(Process(process)),
    }
}

pub(crate) fn first_line(process: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    line
}
