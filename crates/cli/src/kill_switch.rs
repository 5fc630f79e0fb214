//! `error-envelope kill-switch`: the kill switch of running gateways, by their admin addresses.
//!
//! All are called at once, and their results are printed in the order in which they were named.

use std::fmt;

use clap::ValueEnum;
use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admin_client::{AdminAddresses, Answered, exit_code};
use crate::failure::{CommandError, print_unless_closed};
use crate::report::{OutputFormat, json_text};
use crate::text::{counted, cut, one_line};

/// Turn the kill switch of running gateways on or off
///
/// `on` puts every route in mode off at once: the service's errors pass unchanged, with a request id, and credentials
/// are still checked. `off` applies the policy's own modes again. `status` shows the current state, its time, and who
/// set it and why. A restart clears the switch, unless the gateway has --admin-journal. The command sends the request to all gateways at
/// the same time. The exit code is 1 if one of them failed, and 3 if
/// none failed for another reason than that it cannot be reached.
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

/// A gateway keeps 200 characters of each (`SwitchNote::MAX_CHARS`): the rest need not be sent.
const LONGEST_NOTE: usize = 200;

/// Returns the exit code.
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
        let answer = Answer::read(status, body)?;
        match on {
            Some(on) if on != answer.is_on => {
                Err(format!("is {}: someone else changed the switch at the same time", answer.state()))
            }
            _ => Ok(answer),
        }
    })?;
    let failed = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    match args.format {
        OutputFormat::Json => print_unless_closed(&as_json(&answers, failed))?,
        OutputFormat::Human => print_lines(&answers, failed)?,
    }
    Ok(exit_code(answers.iter().filter_map(|(_, answer)| answer.as_ref().err())))
}

/// Prints successes on standard output, and failures on standard error.
fn print_lines(answers: &[Answered<Answer>], failed: usize) -> Result<(), CommandError> {
    let count = answers.len();
    for (gateway, answer) in answers {
        let name = if count == 1 { String::new() } else { format!("{gateway}: ") };
        match answer {
            Ok(answer) => print_unless_closed(&format!("{name}{answer}\n"))?,
            Err(no) => no.print(gateway),
        }
    }
    if count > 1 {
        print_unless_closed(&format!("{}: {} done, {failed} failed\n", counted(count, "gateway"), count - failed))?;
    }
    Ok(())
}

fn as_json(answers: &[Answered<Answer>], failed: usize) -> String {
    let gateways = answers.iter().map(|(gateway, answer)| match answer {
        Ok(answer) => json!({
            "admin": gateway,
            "ok": true,
            "kill_switch": answer.is_on,
            "changed_at": answer.changed_at,
            "changed_by": answer.changed_by,
            "reason": answer.reason,
        }),
        Err(no) => json!({ "admin": gateway, "ok": false, "error": no.why.lines().next().unwrap_or_default() }),
    });
    let gateways: Vec<_> = gateways.collect();
    json_text(&json!({ "gateways": gateways, "failed": failed }))
}

/// The state that a gateway reports for its switch.
struct Answer {
    is_on: bool,
    changed_at: Option<String>,
    changed_by: Option<String>,
    reason: Option<String>,
}

impl Answer {
    fn read(status: StatusCode, body: &[u8]) -> Result<Self, String> {
        let state = (status == StatusCode::OK).then(|| serde_json::from_slice(body).ok()).flatten();
        state.as_ref().and_then(Self::parse).ok_or_else(|| {
            let text = cut(&one_line(&String::from_utf8_lossy(body)), 300);
            let advice = match status {
                StatusCode::UNAUTHORIZED => "use --admin-token-file",
                StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => "the switch is unchanged",
                _ => "use an admin address",
            };
            format!("returned {status} without the state of a kill switch; {advice}: {text}")
        })
    }

    fn parse(state: &Value) -> Option<Self> {
        let is_on = state.get("kill_switch")?.as_bool()?;
        let text = |key: &str| state.get(key).and_then(Value::as_str).map(|text| cut(&one_line(text), 300));
        Some(Self { is_on, changed_at: text("changed_at"), changed_by: text("changed_by"), reason: text("reason") })
    }

    const fn state(&self) -> &'static str {
        if self.is_on { "on" } else { "off" }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state())?;
        self.changed_at.as_ref().map_or(Ok(()), |at| write!(f, " since {at}"))?;
        self.changed_by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))?;
        f.write_str(match self.is_on {
            true => ": every route is in mode off; run `error-envelope kill-switch off` to follow the policy again",
            false => ": the policy's modes apply",
        })
    }
}
