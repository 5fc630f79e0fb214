//! `error-envelope explain`: why a recorded error becomes what it does, and what a client gets.
//!
//! What is told is the library's own decision (rule R1): what was asked, in its order, up to what decided; then the bytes,
//! in each mode and in each dialect. Values of headers that came are not shown, nor the query of a URL (L3).

use std::fmt::Write;
use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tower_error_envelope::Mode;
use tower_error_envelope::exchange::{DecidedBy, Explanation, Origin};
use tower_error_envelope::policy::PolicyFile;

use crate::failure::{CommandError, print};
use crate::recorded::{self, Recorded};
use crate::text::{one_line, printable};
use crate::trial::{LoggedEvent, SentBody, Trial, TrialResult};

/// Explain how the layer answers a recorded error
///
/// Prints the rule that decided, the rules tried before it, and the response that a client gets in each mode and dialect.
/// Record a response with `curl -i`. Credentials in the recording are assumed valid; ids and times are examples.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Read the request of this response from FILE [default: NAME.request.http beside NAME.http, else GET /]
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Read this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The service's response: status line, headers, empty line, body
    #[arg(value_name = "RESPONSE.http")]
    response: PathBuf,
}

const MODES: [Mode; 5] = [Mode::Off, Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce];

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let (file, trial) = Trial::from_file(args.policy.as_deref(), &MODES)?;
    let recorded = recorded::pair(&args.response, args.request.as_deref())?;
    let told = Explained { recorded: &recorded, trial: &trial, file: file.as_ref() }.to_text();
    print(&told)
}

struct Explained<'a> {
    recorded: &'a Recorded,
    trial: &'a Trial,
    file: Option<&'a PolicyFile>,
}

impl Explained<'_> {
    fn to_text(&self) -> String {
        let real = self.trial.run(self.recorded, None, None);
        let enforced = self.trial.run(self.recorded, Some(Mode::Enforce), None);
        let mut out = self.ask_line(&real);
        match (&enforced.explanation, &enforced.told) {
            (_, Some(told)) if refusal_text(&enforced) => {
                let code = code_of(told);
                let _ = match refusal_text(&real) {
                    true => {
                        writeln!(out, "A guard refuses the request: {code}. The service would not have received it.")
                    }
                    false => {
                        writeln!(
                            out,
                            "In mode enforce a guard refuses the request: {code}. Here the service received it."
                        )
                    }
                };
            }
            (Some(explanation), told) => self.tried(&mut out, explanation, &enforced, told.as_ref()),
            (None, _) if enforced.passes() => {
                out.push_str("This is not an error: it passes through, and no rule is tried.\n")
            }
            (None, _) => out.push_str("This is not an error status, and clients never receive it (E5, E6).\n"),
        }
        self.modes(&mut out, &real);
        self.dialects(&mut out, &enforced);
        out
    }

    /// The request, and what holds for it.
    fn ask_line(&self, real: &TrialResult) -> String {
        let Recorded { place, request, response, .. } = self.recorded;
        let place = one_line(&place.to_string());
        let (method, path, status) = (request.method(), printable(request.uri().path()), response.status());
        let mut out = format!("{place}: {method} {path} was answered with {}\n", phrase(status));
        let mode = real.told.as_ref().map(|told| told.mode.as_str());
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let url = host
            .map_or_else(|| request.uri().path().to_owned(), |host| format!("http://{host}{}", request.uri().path()));
        let effective = self.file.and_then(|file| file.effective(method.as_str(), &url).ok());
        match &effective {
            Some(effective) => {
                let mut routes = effective.reading().routes();
                let route =
                    routes.next().map_or_else(|| "no route matches".to_owned(), |(it, at)| format!("{it} ({at})"));
                let set = |key: &str| effective.reading().settings().iter().find(|it| it.key() == key);
                let said = |key: &str| {
                    set(key).map(|it| format!("{} ({})", it.value().trim_matches('"'), it.from().unwrap_or("default")))
                };
                let _ = writeln!(out, "  route    {route}");
                for key in ["mode", "dialect"] {
                    let _ = writeln!(out, "  {key:<8} {}", said(key).unwrap_or_default());
                }
                for other in effective.others() {
                    let route =
                        other.routes().next().map_or_else(|| "no route".to_owned(), |(it, at)| format!("{it} ({at})"));
                    let _ = writeln!(
                        out,
                        "  reading  {} {} matches {route}: its guards apply, too",
                        other.method(),
                        printable(other.path())
                    );
                }
                if effective.is_refused() {
                    out.push_str("  refused  its readings match different guards (paths = \"refuse\")\n");
                }
            }
            None => {
                let _ =
                    writeln!(out, "  mode     {} (default)\n  dialect  standard (default)", mode.unwrap_or("enforce"));
            }
        }
        out.push('\n');
        out
    }

    /// What was asked for a code, in the order of the rule, up to what decided.
    fn tried(&self, out: &mut String, explanation: &Explanation, outcome: &TrialResult, told: Option<&LoggedEvent>) {
        let by = told.and_then(|told| told.by);
        let Some((by, told)) = by.zip(told) else {
            let what = match (told.map(|told| told.origin), explanation.is_protocol) {
                (_, true) => "The body belongs to a protocol that keeps its own format (R10)",
                (Some(Origin::Inner), false) => "The response is already an envelope, or must not be changed (R9, R10)",
                _ => "The response was decided before it was read",
            };
            let _ = writeln!(out, "{what}: no rule is tried.");
            return;
        };
        out.push_str("Sources of the code, in the order tried:\n");
        for step in self.steps(explanation, outcome) {
            let decides = step.by == by && step.may_decide;
            let code = if decides { format!("  <- decides: {}", code_of(told)) } else { String::new() };
            let _ = writeln!(out, "  {:<12} {}{code}", step.by.as_str(), step.what);
            if decides {
                break;
            }
        }
    }

    fn steps(&self, explanation: &Explanation, outcome: &TrialResult) -> Vec<Step> {
        let status = self.recorded.response.status();
        let step = |by, what: String| Step { by, what, may_decide: true };
        let mut steps = vec![step(DecidedBy::Layer, layer(explanation))];
        for (rule, misses) in outcome.rules.iter().zip(&explanation.rules) {
            let place = self.file.and_then(|file| file.map_rule(*rule));
            let place = place.map_or_else(|| "a rule".to_owned(), |(file, line)| format!("{file}:{line}"));
            let what = match misses {
                Some(key) => format!("{place}: no, its `{key}` is another"),
                None => format!("{place}: fits"),
            };
            steps.push(Step { by: DecidedBy::Rule, what, may_decide: misses.is_none() });
        }
        if explanation.rules.is_empty() && explanation.envelope.is_none() && explanation.header.is_none() {
            let what = "the policy has no rule here".to_owned();
            steps.push(Step { by: DecidedBy::Rule, what, may_decide: false });
        }
        for (shape, lack) in &explanation.other_shapes {
            let what = format!("{}: no, {}", shape.as_str(), printable(lack));
            steps.push(Step { by: DecidedBy::Dialect, what, may_decide: false });
        }
        let dialect = match outcome.unread {
            true => "the body is not parsed: it is too long, in an unknown coding, or not recorded (R4, R5)".to_owned(),
            false => dialect(explanation),
        };
        steps.push(step(DecidedBy::Dialect, dialect));
        match status.as_u16() {
            401 => steps.push(step(DecidedBy::Credentials, "what the request sent, and www-authenticate".to_owned())),
            400 | 422 => {
                let what =
                    if explanation.lists_issues { "the body lists what is wrong" } else { "the body has no list" };
                steps.push(step(DecidedBy::Issues, what.to_owned()));
            }
            _ => {}
        }
        steps.push(step(DecidedBy::Status, phrase(status)));
        steps
    }

    fn modes(&self, out: &mut String, real: &TrialResult) {
        let here = real.told.as_ref().map(|told| told.mode);
        let mut groups: Vec<(Vec<&str>, TrialResult)> = Vec::new();
        for mode in MODES {
            let outcome = self.trial.run(self.recorded, Some(mode), None);
            let name = mode.as_str();
            match groups.iter_mut().find(|(_, other)| same(other, &outcome)) {
                Some((names, _)) => names.push(name),
                None => groups.push((vec![name], outcome)),
            }
        }
        let here = here.map(|mode| format!(" (here {})", mode.as_str())).unwrap_or_default();
        let _ = writeln!(out, "\nResponse to the client, by the route's mode{here}:");
        for (names, outcome) in groups {
            let _ = writeln!(out, "\n  {}", names.join(", "));
            if outcome.passes() && outcome.status == self.recorded.response.status() {
                out.push_str("    unchanged, with an x-request-id\n");
            } else {
                out.push_str(&indented(&whole(&outcome, self.recorded)));
            }
        }
    }

    fn dialects(&self, out: &mut String, enforced: &TrialResult) {
        if enforced.passes() || enforced.explanation.is_none() {
            return;
        }
        out.push_str("\nIn mode enforce, by the route's dialect:\n\n");
        for dialect in self.trial.dialects() {
            let outcome = self.trial.run(self.recorded, Some(Mode::Enforce), Some(dialect));
            let body = outcome.bytes(self.recorded).unwrap_or_default();
            let _ = writeln!(out, "  {:<16} {} {}", dialect.as_str(), outcome.status.as_u16(), one_line(&shown(&body)));
        }
    }
}

/// One who was asked.
struct Step {
    by: DecidedBy,
    what: String,
    may_decide: bool,
}

fn layer(explanation: &Explanation) -> String {
    match (&explanation.envelope, &explanation.header) {
        (Some(code), _) => format!("a canonical envelope says {code}"),
        (None, Some(code)) => format!("its x-error-code says {code}"),
        (None, None) => "no canonical envelope, and no x-error-code of one".to_owned(),
    }
}

fn dialect(explanation: &Explanation) -> String {
    let Some(shape) = explanation.shape else { return "the body has no known shape".to_owned() };
    let codes = explanation.codes.iter().map(|code| printable(code)).collect::<Vec<_>>().join(", ");
    match codes.is_empty() {
        true => format!("read as {}, which names no code", shape.as_str()),
        false => format!("read as {}, with the code {codes}", shape.as_str()),
    }
}

/// A guard answered.
fn refusal_text(outcome: &TrialResult) -> bool {
    outcome.told.as_ref().is_some_and(|told| told.origin == Origin::Guard && told.would_be.is_none())
}

fn code_of(told: &LoggedEvent) -> &str {
    told.code.as_ref().map_or("", |code| code.as_str())
}

fn same(one: &TrialResult, other: &TrialResult) -> bool {
    one.status == other.status && one.body == other.body && one.headers == other.headers
        || one.passes() && other.passes() && one.status == other.status
}

fn phrase(status: StatusCode) -> String {
    let phrase = status.canonical_reason().unwrap_or_default();
    format!("{} {phrase}", status.as_u16()).trim_end().to_owned()
}

/// The status line, the headers that the layer wrote, and the body.
fn whole(outcome: &TrialResult, recorded: &Recorded) -> String {
    let mut out = format!("HTTP/1.1 {}\n", phrase(outcome.status));
    let (written, kept) = headers(&outcome.headers, recorded.response.headers());
    out.push_str(&written);
    if kept > 0 {
        let _ = writeln!(out, "({kept} more, unchanged)");
    }
    let body = match &outcome.body {
        SentBody::These(bytes) => Some(bytes.clone()),
        SentBody::AsItCame => recorded.response.body().clone(),
    };
    match body {
        None => out.push_str("\n(the body was not recorded)\n"),
        Some(body) if body.is_empty() => {}
        Some(body) => {
            let _ = writeln!(out, "\n{}", shown(&body));
        }
    }
    out
}

/// Those that came may be anything: a cookie, a token (L3).
fn headers(now: &HeaderMap, came: &HeaderMap) -> (String, usize) {
    let (mut written, mut kept) = (String::new(), 0);
    for (name, value) in now {
        if came.get_all(name).iter().any(|it| it == value) {
            kept += 1;
        } else {
            let _ = writeln!(written, "{name}: {}", printable(&String::from_utf8_lossy(value.as_bytes())));
        }
    }
    (written, kept)
}

fn shown(body: &Bytes) -> String {
    match str::from_utf8(body) {
        Ok(text) => printable(text),
        Err(_) => format!("({} bytes that are not text)", body.len()),
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
