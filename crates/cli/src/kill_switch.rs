//! `error-envelope kill-switch` reads or changes the kill switch of running gateways, through their admin addresses.
//!
//! The command sends its requests to all gateways at once. It prints the results in the order in which the gateways
//! were named.

use clap::ValueEnum;
use form_urlencoded::Serializer;
use http::Method;
use serde_json::{Value, json};

use crate::admin_client::{AdminAddresses, Answered, exit_code, json_of, listed};
use crate::failure::{CommandError, print_unless_closed};
use crate::report::{OutputFormat, counted, json_text};
use crate::text::{cut, one_line};

/// Turn the kill switch of running gateways on or off
///
/// `on` sets the mode of every route to `off` at once: the service's errors pass unchanged, with a request id, and credentials
/// are still checked. `off` applies the policy's own modes again. `status` shows the current state, its time, and who
/// set it and why. A restart clears the switch, unless the gateway has --admin-journal. The command sends the request
/// to all gateways at the same time. The exit code is 3 if the only failures are gateways that cannot be reached, and 1
/// if one failed for another reason.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Turn the switch on or off, or show its state
    #[arg(value_enum)]
    to: To,
    #[command(flatten)]
    gateways: AdminAddresses,
    /// Record this name with the switch, for the log and the admin page
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Record this reason with the switch, for the log and the admin page
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// Put every route in mode off
    On,
    /// Apply the policy's own modes again
    Off,
    /// Show the current state
    Status,
}

/// The most characters to send. A gateway keeps 200 characters of each text (`SwitchNote::MAX_CHARS`).
const LONGEST_NOTE: usize = 200;

/// Runs the command, and returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let (method, path, on) = match args.to {
        To::On => (Method::POST, "/kill-switch/on", Some(true)),
        To::Off => (Method::POST, "/kill-switch/off", Some(false)),
        To::Status => (Method::GET, "/kill-switch", None),
    };
    let mut note = Serializer::new(String::new());
    for (name, text) in [("by", &args.by), ("reason", &args.reason)] {
        note.extend_pairs(text.iter().filter(|_| on.is_some()).map(|text| (name, cut(text, LONGEST_NOTE))));
    }
    let note = note.finish();
    let target = if note.is_empty() { path.to_owned() } else { format!("{path}?{note}") };
    let answers = args.gateways.send(&method, &target, |status, body| {
        let state = json_of(status, body, "the state of a kill switch", |state| state["kill_switch"].is_boolean())?;
        match on {
            Some(on) if state["kill_switch"] != on => {
                Err(format!("is {}: someone else changed the switch at the same time", word(&state)))
            }
            _ => Ok(state),
        }
    })?;
    let failed = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    match args.format {
        OutputFormat::Json => print_unless_closed(&as_json(&answers, failed))?,
        OutputFormat::Human => print_lines(&answers, failed)?,
    }
    Ok(exit_code(&answers))
}

/// Prints the states of the gateways on standard output, and failures on standard error.
fn print_lines(answers: &[Answered], failed: usize) -> Result<(), CommandError> {
    let count = answers.len();
    for (gateway, answer) in answers {
        let name = if count == 1 { String::new() } else { format!("{gateway}: ") };
        match answer {
            Ok(state) => print_unless_closed(&format!("{name}{}\n", described(state)))?,
            Err(no) => no.print(gateway),
        }
    }
    if count > 1 {
        print_unless_closed(&format!("{}: {} done, {failed} failed\n", counted(count, "gateway"), count - failed))?;
    }
    Ok(())
}

fn as_json(answers: &[Answered], failed: usize) -> String {
    let gateways = listed(answers, &["kill_switch", "changed_at", "changed_by", "reason"]);
    json_text(&json!({ "gateways": gateways, "failed": failed }))
}

fn word(state: &Value) -> &'static str {
    if state["kill_switch"] == true { "on" } else { "off" }
}

/// Describes the state that a gateway reports for its switch.
fn described(state: &Value) -> String {
    let text = |name: &str, around: [&str; 2]| {
        let text = state[name].as_str().map(|text| cut(&one_line(text), 300));
        text.map(|text| around.join(&text)).unwrap_or_default()
    };
    let effect = match word(state) {
        "on" => ": every route is in mode off; run `error-envelope kill-switch off` to follow the policy again",
        _ => ": the policy's modes apply",
    };
    let (at, by, reason) =
        (text("changed_at", [" since ", ""]), text("changed_by", [" by ", ""]), text("reason", [" (", ")"]));
    format!("{}{at}{by}{reason}{effect}", word(state))
}
