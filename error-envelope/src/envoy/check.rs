//! `error-envelope envoy-check`: reads a configuration of Envoy's and names what would break the contract.
//!
//! Each connection manager is looked at by itself. An error lets requests past the module, and so past every guard; a
//! warning breaks a rule, which it names; a note says what will be otherwise than somebody may expect.

mod config;
mod disabled;
mod findings;
mod lines;
mod manager;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::config::{find, parsed, with_proto_names};
use self::findings::Findings;
use crate::failure::{CommandError, print};

const SEARCH_PATH: &str = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH";

/// Check an Envoy configuration against the contract
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check this YAML or JSON file: a bootstrap, or a part of one with a connection manager
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Writes to standard output; an exit code of 0, or 1 where there are errors or warnings.
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
    print(&report(&name, &text, &findings))?;
    Ok(u8::from(findings.warnings + findings.errors.len() > 0))
}

/// Errors first, each with the file, its line and its place.
fn report(name: &str, config: &str, findings: &Findings) -> String {
    let Findings { text, errors, warnings, notes } = findings;
    let mut report = String::new();
    let lines = if errors.is_empty() { None } else { lines::Lines::parse(config) };
    for (place, what) in errors {
        let line = lines.as_ref().and_then(|lines| lines.line(place)).map(|line| format!(":{line}"));
        let _ = writeln!(report, "{name}{}: {place}: error: {what}", line.unwrap_or_default());
    }
    report.push_str(text);
    let errors = if errors.is_empty() { String::new() } else { format!("{} errors, ", errors.len()) };
    let _ = writeln!(report, "{name}: {errors}{warnings} warnings, {notes} notes");
    report
}

fn check(config: &Value, search: Option<&Path>, findings: &mut Findings) {
    let mut managers = Vec::new();
    find(config, "", &mut managers);
    if managers.is_empty() {
        findings.warn("the file", "no HttpConnectionManager found, so the module cannot be in use");
    }
    for (place, manager) in &managers {
        manager::check(place, manager, findings);
    }
    disabled::check(config, &managers, findings);
    check_search_path(search, findings);
}

fn check_search_path(search: Option<&Path>, findings: &mut Findings) {
    match search {
        None => findings.note(SEARCH_PATH, "not set here; set it for Envoy to the folder of liberror_envelope.so"),
        Some(folder) if !folder.join("liberror_envelope.so").exists() => {
            findings.warn(SEARCH_PATH, "liberror_envelope.so is not in that folder: Envoy rejects the configuration");
        }
        Some(_) => {}
    }
}
