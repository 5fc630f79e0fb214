//! `error-envelope envoy-check`: reads an Envoy configuration and names what would break the contract.
//!
//! Each connection manager is checked by itself. An error lets requests past the module, and so past every guard; a
//! warning breaks a rule, which it names; a note describes an unexpected difference.

mod config;
mod disabled;
mod findings;
mod lines;
mod manager;
mod processor;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::config::{find, parsed, with_proto_names};
use self::findings::{Findings, Found};
use crate::failure::CommandError;
use crate::report::OutputFormat;

const SEARCH_PATH: &str = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH";

/// Check an Envoy configuration against the contract
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check this YAML or JSON file: a bootstrap, or a part of one with a connection manager
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

/// Writes the findings to standard output. Returns the exit code: 1 if there are errors or warnings, else 0.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let name = args.file.display().to_string();
    let bytes = fs::read(&args.file).map_err(|error| CommandError::Io(format!("{name}: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CommandError::Io(format!("{name}: the file is not UTF-8; save it as UTF-8")))?;
    let config = parsed(&text).map_err(|why| CommandError::Refused(format!("{name}: {why}")))?;
    let config = with_proto_names(config);
    let mut findings = Findings::default();
    let search = std::env::var_os(SEARCH_PATH).map(PathBuf::from);
    check(&config, search.as_deref(), &mut findings);
    args.format.print(|| report(&name, &text, &findings), || as_json(&name, &text, &findings))?;
    Ok(u8::from(findings.count("warning") + findings.count("error") > 0))
}

/// The findings as text, errors first: each error has the file and line, each finding its place in the configuration.
fn report(name: &str, config: &str, findings: &Findings) -> String {
    let mut report = String::new();
    for (found, line) in with_lines(config, findings) {
        let Found { level, place, what } = found;
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let file = if *level == "error" { format!("{name}{line}: ") } else { String::new() };
        let _ = writeln!(report, "{file}{place}: {level}: {what}");
    }
    let (errors, warnings, notes) = (findings.count("error"), findings.count("warning"), findings.count("note"));
    let errors = if errors == 0 { String::new() } else { format!("{errors} errors, ") };
    let _ = writeln!(report, "{name}: {errors}{warnings} warnings, {notes} notes");
    report
}

fn as_json(name: &str, config: &str, findings: &Findings) -> Value {
    let found = with_lines(config, findings).into_iter().map(|(Found { level, place, what }, line)| {
        json!({ "level": level, "file": name, "line": line, "place": place, "message": what })
    });
    json!({
        "errors": findings.count("error"),
        "warnings": findings.count("warning"),
        "notes": findings.count("note"),
        "findings": found.collect::<Vec<_>>(),
    })
}

/// The findings in order, each error with its line if its place is in the file.
fn with_lines<'f>(config: &str, findings: &'f Findings) -> Vec<(&'f Found, Option<u64>)> {
    let lines = if findings.count("error") == 0 { None } else { lines::Lines::parse(config) };
    let line = |found: &Found| lines.as_ref().filter(|_| found.level == "error")?.line(&found.place);
    findings.in_order().map(|found| (found, line(found))).collect()
}

fn check(config: &Value, search: Option<&Path>, findings: &mut Findings) {
    let mut managers = Vec::new();
    find(config, "", &mut managers);
    if managers.is_empty() {
        findings
            .warn("the file", "the file has no HttpConnectionManager, so it uses neither the module nor the processor");
    }
    for (place, manager) in &managers {
        manager::check(place, manager, findings);
    }
    disabled::check(config, &managers, findings);
    if managers.iter().all(|(_, manager)| manager::needs_search_path(manager)) {
        check_search_path(search, findings);
    }
}

fn check_search_path(search: Option<&Path>, findings: &mut Findings) {
    match search {
        None => findings
            .note(SEARCH_PATH, "not set here; set it in Envoy's environment to the folder of liberror_envelope.so"),
        Some(folder) if !folder.join("liberror_envelope.so").exists() => {
            findings.warn(SEARCH_PATH, "liberror_envelope.so is not in that folder: Envoy rejects the configuration");
        }
        Some(_) => {}
    }
}
