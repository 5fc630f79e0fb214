//! `error-envelope explain` shows which rule decides about a recorded error response, and what a client gets.
//!
//! It prints how the library decided (rule R1): the sources of the code in their order, up to the source that decided.
//! Then it prints the client's response in each mode and in each dialect. It shows neither the values of received
//! headers nor the query of a URL (L3).
//!
//! For an error event of the log, it prints what the fields mean, because the log does not contain the response.

mod logged;

use std::fmt::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use error_envelope_core::code::CodeSet;
use error_envelope_core::loader::{Effective, PathReading};
use error_envelope_core::session::{DecidedBy, Explanation, MapRuleId, Origin, RequestRecord};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tower_error_envelope::Mode;
use tower_error_envelope::policy::Dialect;

use self::logged::LoggedError;
use crate::failure::{CommandError, print};
use crate::policy;
use crate::recorded::{self, Recorded, RecordedPhrase};
use crate::report::OutputFormat;
use crate::text::{one_line, printable};
use crate::trial::{Trial, TrialResult};

/// Explain how the layer answers a recorded error
///
/// Prints the rule that decided, the rules tried before it, and the response that a client gets in each mode and
/// dialect. Record a response with `curl -i`. Credentials in the recording are assumed valid; ids and times are
/// examples. For a line of a JSON log, explains its fields.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read the request of this response from FILE [default: NAME.request.http next to NAME.http, else GET /]
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Read this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
    /// Read the service's response (status line, headers, empty line, body) or a line of a JSON log from this file, or
    /// from standard input with -
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let text = recorded::read(&args.recording)?;
    if text.starts_with(b"{") {
        return explain_logged(args, &text);
    }
    let trial = Trial::from_file(args.policy.as_deref(), Mode::VALUES)?;
    let recorded = Recorded::parse(&args.recording, &text, args.request.as_deref())?;
    let [real, enforced] = [None, Some(Mode::Enforce)].map(|mode| trial.run(&recorded, mode, None));
    let explained = Explained { recorded: &recorded, trial: &trial, real, enforced };
    print(&args.format.text(|| explained.to_text(), || explained.to_json()))
}

fn explain_logged(args: &Args, log: &[u8]) -> Result<(), CommandError> {
    let place = args.recording.display().to_string();
    let wrong = "no line is an error event: a JSON object with the target tower_error_envelope and an `origin`";
    let logged = LoggedError::find(log).ok_or_else(|| CommandError::Io(format!("{place}: {wrong}")))?;
    if args.request.is_some() {
        return Err(CommandError::Io("--request applies to a recorded response, not to a log".to_owned()));
    }
    let read = args.policy.as_deref().map(policy::read).transpose()?;
    let codes = read.as_ref().map_or_else(CodeSet::default, |read| read.file.policy().codes().clone());
    print(&args.format.text(|| logged.to_text(&place, &codes), || logged.to_json(&place, &codes)))
}

struct Explained<'a> {
    recorded: &'a Recorded,
    trial: &'a Trial,
    /// The result in the mode that the policy sets for the request's route.
    real: TrialResult,
    enforced: TrialResult,
}

impl Explained<'_> {
    fn to_text(&self) -> String {
        let mut out = self.request_line() + &self.decision();
        self.modes(&mut out);
        self.dialects(&mut out);
        out
    }

    fn to_json(&self) -> Value {
        let Recorded { place, request, response, .. } = self.recorded;
        let record = self.enforced.record.as_ref();
        let explanation = self.enforced.explanation.as_ref().filter(|_| !is_refusal(&self.enforced));
        let steps = explanation.map(|explanation| self.steps(explanation)).unwrap_or_default();
        let tried = steps.iter().take(self.deciding_step(&steps).map_or(0, |last| last + 1));
        let sent = |modes: &[&str], outcome: &TrialResult| {
            let headers = written_headers(&outcome.headers, response.headers());
            let headers = headers.map(|(name, value)| json!([name.as_str(), value]));
            json!({
                "modes": modes,
                "unchanged": self.is_unchanged(outcome),
                "status": outcome.status.as_u16(),
                "headers": headers.collect::<Vec<_>>(),
                "body": printable_body(&outcome.bytes(self.recorded)),
            })
        };
        json!({
            "response": place,
            "request": { "method": request.method().as_str(), "path": printable(request.uri().path()) },
            "status": response.status().as_u16(),
            "mode": self.real.record.as_ref().map(|record| record.mode().as_str()),
            "route": record.and_then(RequestRecord::route),
            "refused_by_guard": is_refusal(&self.enforced),
            "code": record.map(code_of),
            "decided_by": record.and_then(RequestRecord::decided_by).map(|by| by.as_str()),
            "tried": tried.map(|step| json!({ "source": step.by.as_str(), "result": step.what })).collect::<Vec<_>>(),
            "responses": self.groups().iter().map(|(modes, outcome)| sent(modes, outcome)).collect::<Vec<_>>(),
            "dialects": self.in_dialects().map(|(dialect, status, body)| {
                json!({ "dialect": dialect.as_str(), "status": status.as_u16(), "body": body })
            }).collect::<Vec<_>>(),
        })
    }

    /// Describes the request, the service's response, and the settings that apply to the request.
    fn request_line(&self) -> String {
        let Recorded { place, request, response, .. } = self.recorded;
        let place = one_line(place);
        let (method, path) = (request.method(), printable(request.uri().path()));
        let status = match response.extensions().get::<RecordedPhrase>() {
            Some(RecordedPhrase(phrase)) => format!("{} {}", response.status().as_u16(), printable(phrase)),
            None => phrase(response.status()),
        };
        let settings = match self.trial.effective(self.recorded) {
            Some(effective) => settings(&effective),
            None => {
                let mode = self.real.record.as_ref().map_or("enforce", |record| record.mode().as_str());
                format!("  mode     {mode} (default)\n  dialect  standard (default)\n")
            }
        };
        format!("{place}: the service answered {method} {path} with {status}\n{settings}\n")
    }

    /// Describes how the response's code was decided, or that a guard refused the request.
    fn decision(&self) -> String {
        match (&self.enforced.explanation, &self.enforced.record) {
            (_, Some(record)) if is_refusal(&self.enforced) => {
                let (when, here) = match is_refusal(&self.real) {
                    true => ("A guard", "The service would not have received this request"),
                    false => ("In mode enforce a guard", "In this recording the service received it"),
                };
                format!("{when} refuses this request: {}. {here}.\n", code_of(record))
            }
            (Some(explanation), record) => self.tried(explanation, record.as_ref()),
            (None, _) if self.enforced.passes() => {
                "This is not an error: it passes through, and no rule is tried.\n".into()
            }
            (None, _) => "The service's status is not an error status, and clients never receive it (E5, E6).\n".into(),
        }
    }

    /// Lists the sources of the code that were tried, in the order of rule R1, up to the source that decided.
    fn tried(&self, explanation: &Explanation, record: Option<&RequestRecord>) -> String {
        let Some(record) = record.filter(|record| record.decided_by().is_some()) else {
            let what = match (record.and_then(RequestRecord::origin), explanation.is_protocol) {
                (_, true) => "The body belongs to a protocol that keeps its own format (R10)",
                (Some(Origin::Inner), false) => "The response is already an envelope, or must not be changed (R9, R10)",
                _ => "The response was decided before its body was read",
            };
            return format!("{what}, so no rule is tried.\n");
        };
        let steps = self.steps(explanation);
        let last = self.deciding_step(&steps);
        let mut out = "Sources of the code, in the order tried:\n".to_owned();
        out.extend(steps[..last.unwrap_or(steps.len())].iter().map(|step| format!("{step}\n")));
        out.extend(last.map(|at| format!("{}  <- decides: {}\n", steps[at], code_of(record))));
        out
    }

    /// Returns the index of the step that decided.
    fn deciding_step(&self, steps: &[Step]) -> Option<usize> {
        let by = self.enforced.record.as_ref().and_then(RequestRecord::decided_by);
        steps.iter().position(|step| Some(step.by) == by && step.may_decide)
    }

    fn steps(&self, explanation: &Explanation) -> Vec<Step> {
        let status = self.recorded.response.status();
        let mut steps = vec![Step::new(DecidedBy::Layer, layer(explanation))];
        steps.extend(self.rule_steps(explanation));
        steps.extend(explanation.other_shapes.iter().map(|(shape, lack)| {
            let what = format!("{}: does not match, because {}", shape.as_str(), printable(lack));
            Step::not_deciding(DecidedBy::Dialect, what)
        }));
        let dialect = match self.enforced.unread {
            true => "the body is not parsed, because it is too long or in an unknown coding (R4, R5)".to_owned(),
            false => dialect(explanation),
        };
        steps.push(Step::new(DecidedBy::Dialect, dialect));
        steps.extend(status_step(status, explanation));
        steps.push(Step::new(DecidedBy::Status, phrase(status)));
        steps
    }

    fn rule_steps(&self, explanation: &Explanation) -> Vec<Step> {
        if explanation.rules.is_empty() && explanation.envelope.is_none() && explanation.header.is_none() {
            return vec![Step::not_deciding(DecidedBy::Rule, "the policy has no map rule for this request".to_owned())];
        }
        let step = |(rule, misses): (&MapRuleId, &Option<_>)| {
            let place = self.trial.file.as_ref().and_then(|file| file.map_rule(*rule));
            let place = place.map_or_else(|| "a rule".to_owned(), |(file, line)| format!("{file}:{line}"));
            match misses {
                Some(key) => {
                    Step::not_deciding(DecidedBy::Rule, format!("{place}: does not match, because its `{key}` differs"))
                }
                None => Step::new(DecidedBy::Rule, format!("{place}: matches")),
            }
        };
        self.enforced.rules.iter().zip(&explanation.rules).map(step).collect()
    }

    fn modes(&self, out: &mut String) {
        let here = self.real.record.as_ref().map(|record| format!(" (here {})", record.mode().as_str()));
        let _ = writeln!(out, "\nResponse to the client, by the route's mode{}:", here.unwrap_or_default());
        for (names, outcome) in self.groups() {
            let _ = writeln!(out, "\n  {}", names.join(", "));
            if self.is_unchanged(&outcome) {
                let written = written_headers(&outcome.headers, self.recorded.response.headers());
                let names: Vec<_> = written.map(|(name, _)| name.as_str()).collect();
                let with = if names.is_empty() { String::new() } else { format!(", with {}", names.join(", ")) };
                let _ = writeln!(out, "    unchanged{with}");
            } else {
                out.push_str(&indented(&whole(&outcome, self.recorded)));
            }
        }
    }

    fn is_unchanged(&self, outcome: &TrialResult) -> bool {
        outcome.passes() && outcome.status == self.recorded.response.status()
    }

    /// Groups the modes in which the client gets the same response. Returns each group with this response.
    fn groups(&self) -> Vec<(Vec<&str>, TrialResult)> {
        let mut groups: Vec<(Vec<&str>, TrialResult)> = Vec::new();
        for mode in Mode::VALUES.iter().copied() {
            let outcome = self.trial.run(self.recorded, Some(mode), None);
            match groups.iter_mut().find(|(_, other)| same(other, &outcome)) {
                Some((names, _)) => names.push(mode.as_str()),
                None => groups.push((vec![mode.as_str()], outcome)),
            }
        }
        groups
    }

    fn dialects(&self, out: &mut String) {
        let mut dialects = self.in_dialects().peekable();
        if dialects.peek().is_some() {
            out.push_str("\nIn mode enforce, by the route's dialect:\n\n");
        }
        for (dialect, status, body) in dialects {
            let _ = writeln!(out, "  {:<16} {} {}", dialect.as_str(), status.as_u16(), one_line(&body));
        }
    }

    /// Returns the client's response in each dialect.
    fn in_dialects(&self) -> impl Iterator<Item = (Dialect, StatusCode, String)> {
        let is_rewritten = !self.enforced.passes() && self.enforced.explanation.is_some();
        self.trial.dialects().filter(move |_| is_rewritten).map(|dialect| {
            let outcome = self.trial.run(self.recorded, Some(Mode::Enforce), Some(dialect));
            let body = outcome.bytes(self.recorded);
            (dialect, outcome.status, printable_body(&body))
        })
    }
}

/// One source that was tried for the code, and the result.
struct Step {
    by: DecidedBy,
    what: String,
    may_decide: bool,
}

impl Step {
    fn new(by: DecidedBy, what: String) -> Self {
        Self { by, what, may_decide: true }
    }

    fn not_deciding(by: DecidedBy, what: String) -> Self {
        Self { by, what, may_decide: false }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {:<12} {}", self.by.as_str(), self.what)
    }
}

/// Lists the settings that apply to the request, each with its line in the policy.
fn settings(effective: &Effective) -> String {
    let mut out = format!("  route    {}\n", first_route(&effective.reading, "no route matches"));
    for key in ["mode", "dialect"] {
        let setting = effective.reading.settings.iter().find(|(known, _)| *known == key);
        let setting = setting
            .map(|(_, it)| format!("{} ({})", it.value.trim_matches('"'), it.from.as_deref().unwrap_or("default")));
        let _ = writeln!(out, "  {key:<8} {}", setting.unwrap_or_default());
    }
    for other in &effective.others {
        let (route, path) = (first_route(other, "no route"), printable(&other.path));
        let _ =
            writeln!(out, "  reading  {} {path} matches {route}: the guards of that route apply, too", other.method);
    }
    if let Some(why) = effective.refused {
        let _ = writeln!(out, "  refused  {why}");
    }
    out
}

fn first_route(reading: &PathReading, none: &str) -> String {
    reading.routes.first().map_or_else(|| none.to_owned(), |(pattern, at)| format!("{pattern} ({at})"))
}

/// Returns the step for statuses whose code depends on more than the status.
fn status_step(status: StatusCode, explanation: &Explanation) -> Option<Step> {
    let (by, what) = match (status.as_u16(), explanation.lists_issues) {
        (401, _) => (DecidedBy::Credentials, "the credentials of the request, and www-authenticate"),
        (400 | 422, true) => (DecidedBy::Issues, "the body lists the invalid fields"),
        (400 | 422, false) => (DecidedBy::Issues, "the body has no list of invalid fields"),
        _ => return None,
    };
    Some(Step::new(by, what.to_owned()))
}

fn layer(explanation: &Explanation) -> String {
    match (&explanation.envelope, &explanation.header) {
        (Some(code), _) => format!("a canonical envelope has the code {code}"),
        (None, Some(code)) => format!("its x-error-code is {code}"),
        (None, None) => "the response is not a canonical envelope, and has no x-error-code".to_owned(),
    }
}

fn dialect(explanation: &Explanation) -> String {
    let Some(shape) = explanation.shape else { return "the body has no known shape".to_owned() };
    let codes = explanation.codes.iter().map(|code| printable(code)).collect::<Vec<_>>().join(", ");
    match codes.is_empty() {
        true => format!("parsed as {}, which has no code", shape.as_str()),
        false => format!("parsed as {}, with the code {codes}", shape.as_str()),
    }
}

/// Returns true if a guard refused the request.
fn is_refusal(outcome: &TrialResult) -> bool {
    let is_guards = |record: &RequestRecord| record.origin() == Some(Origin::Guard) && record.would_be().is_none();
    outcome.record.as_ref().is_some_and(is_guards)
}

/// Returns the code that the client gets, or would get in a stricter mode.
fn code_of(record: &RequestRecord) -> &str {
    record.code().or_else(|| record.would_be()?.code.as_ref()).map_or("", |code| code.as_str())
}

fn same(one: &TrialResult, other: &TrialResult) -> bool {
    one.status == other.status && one.body == other.body && one.headers == other.headers
}

fn phrase(status: StatusCode) -> String {
    let phrase = status.canonical_reason().unwrap_or_default();
    format!("{} {phrase}", status.as_u16()).trim_end().to_owned()
}

/// Returns the status line, the headers that the layer wrote, and the body.
fn whole(outcome: &TrialResult, recorded: &Recorded) -> String {
    let written: Vec<_> = written_headers(&outcome.headers, recorded.response.headers()).collect();
    let mut out = format!("HTTP/1.1 {}\n", phrase(outcome.status));
    out.extend(written.iter().map(|(name, value)| format!("{name}: {value}\n")));
    let kept = outcome.headers.len() - written.len();
    if kept > 0 {
        let _ = writeln!(out, "({kept} more, unchanged)");
    }
    let body = outcome.bytes(recorded);
    if body.is_empty() { out } else { format!("{out}\n{}\n", printable_body(&body)) }
}

/// Returns the headers that the layer wrote. A received header is left out, because it may be a cookie or a token (L3).
fn written_headers<'a>(now: &'a HeaderMap, came: &'a HeaderMap) -> impl Iterator<Item = (&'a HeaderName, String)> {
    let is_new = |(name, value): &(&HeaderName, &HeaderValue)| !came.get_all(*name).iter().any(|it| it == *value);
    now.iter().filter(is_new).map(|(name, value)| (name, printable(&String::from_utf8_lossy(value.as_bytes()))))
}

fn printable_body(body: &Bytes) -> String {
    match str::from_utf8(body) {
        Ok(text) => printable(text),
        Err(_) => format!("({} bytes that are not text)", body.len()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
