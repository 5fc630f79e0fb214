//! `error-envelope probe` sends requests that provoke errors to a running service, and compares the responses with the
//! contract and with a policy.
//!
//! 1. [`plan`] lists the requests and the right responses. It chooses the path, headers and body of a request from the
//!    policy, so that the layer gives the wanted response.
//! 2. [`exchange`] sends one request at a time, each on a separate connection.
//! 3. [`judge`] compares the response with the contract and the policy.
//!
//! The requests are malformed, too large or forbidden, or their paths do not exist. So they change nothing if the
//! service has the guards of the policy. DELETE is never sent.

mod judge;
mod plan;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_runtime::cause_text;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use humantime::Duration as Time;
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use tower_error_envelope::Policy;

use crate::failure::{CommandError, block_on, print_unless_closed};
use crate::gateway::limits::time;
use crate::policy;
use crate::probe::judge::{Finding, Judge, describe};
use crate::probe::plan::{Body, ROWS, Row, ServiceInfo, Want};
use crate::report::OutputFormat;
use crate::target::Target;

/// Check a running service against the error contract
///
/// Sends some 20 to 40 requests (about nine without a policy), one after the other: unknown paths, other methods, missing and wrong credentials, and
/// bodies that are malformed, of a wrong or repeated type, or one byte over the limit. They change nothing unless the service lacks a guard that the
/// policy has; safe methods are preferred, and DELETE is never sent. Exit codes: 0 if each answer is right, 1 if one is
/// wrong or none could be checked, 2 for wrong usage or an unreadable file, 3 if the service cannot be reached.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Probe the service at this URL, such as http://127.0.0.1:8080
    url: String,
    /// Probe the routes, limits, headers and credentials of this policy, which the service must have loaded
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Send GET to this path, whose handler panics, such as /panic
    #[arg(long, value_name = "PATH")]
    panic_path: Option<PathAndQuery>,
    /// Add this header to each request, "NAME: VALUE"; a VALUE such as '$TOKEN' is read from the environment, because
    /// other users can read a command line
    #[arg(long, value_name = "LINE")]
    header: Vec<String>,
    /// Trust the PEM certificates in FILE instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Limit the time to wait for each response
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    timeout: Time,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

/// The result of a row of the plan.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    rule: &'static str,
    outcome: Outcome,
    /// The request, such as `GET /a`, if one was sent.
    sent: Option<String>,
    /// The result, such as `404 not_found`, if a response came.
    got: Option<String>,
    findings: Vec<Finding>,
    /// The reason, if the row was skipped.
    why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Passed,
    Failed,
    /// No request was sent, or the response shows nothing about the row's rule.
    Skipped,
}

/// Sends the requests, and writes the report to standard output. Returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let url = args.url.parse().map_err(|error| CommandError::Io(format!("the URL cannot be used: {error}")))?;
    let target = Target::new(url, args.ca.as_deref(), "--ca")?;
    let mut headers: HeaderMap = args.header.iter().map(|line| header_line(line)).collect::<Result<_, _>>()?;
    let host = HeaderValue::try_from(target.url.authority().as_str());
    headers.insert(header::HOST, host.map_err(|error| CommandError::Io(format!("the URL's host: {error}")))?);
    let policy = match &args.policy {
        Some(file) => policy::read(file)?.file.into_policy(),
        None => Policy::default(),
    };
    let panic_path = args.panic_path.as_ref().map(ToString::to_string);
    let service = ServiceInfo::new(policy, panic_path, headers);
    let judge = Judge { service: &service, by_policy: args.policy.is_some(), seen: HashSet::new() };
    let lines = block_on(probe(&target, *args.timeout, judge))?;
    let counts = [Outcome::Passed, Outcome::Failed, Outcome::Skipped];
    let counts = counts.map(|outcome| lines.iter().filter(|line| line.outcome == outcome).count());
    let [passed, failed, skipped] = counts;
    let json = || {
        let policy = args.policy.as_ref().map(|it| it.display().to_string());
        json!({ "url": args.url, "policy": policy, "passed": passed, "failed": failed, "skipped": skipped, "lines": lines })
    };
    print_unless_closed(&args.format.text(|| human(&lines, counts), json))?;
    Ok(u8::from(failed > 0 || passed == 0))
}

/// The characters that make a terminal rewrite its current line.
const CLEAR_LINE: &str = "\r\u{1b}[K";

async fn probe(target: &Target, patience: Duration, mut judge: Judge<'_>) -> Result<Vec<Line>, CommandError> {
    let (mut lines, mut silent) = (Vec::<Line>::new(), 0);
    let progress = stderr().is_terminal();
    let late = |_| Err(NoAnswer::Broken("F1", format!("no response within {} s", patience.as_secs_f32())));
    for (sent, row) in ROWS.iter().enumerate() {
        if progress {
            anstream::eprint!("{CLEAR_LINE}{sent} of {}: {}", ROWS.len(), row.name);
        }
        let planned = match judge.service.plan(row) {
            _ if silent >= 3 => Err("not sent, because 3 requests in a row got no response".to_owned()),
            planned => planned,
        };
        let why = planned.as_ref().err().cloned();
        let (name, rule) = (row.name, row.rule);
        let mut line = Line { name, rule, outcome: Outcome::Skipped, sent: None, got: None, findings: Vec::new(), why };
        for planned in planned.unwrap_or_default() {
            line.sent = Some(format!("{} {}", planned.request.method(), planned.request.uri()));
            let answer = timeout(patience, exchange(target, planned.request.clone())).await;
            match answer.unwrap_or_else(late) {
                Ok(answer) => {
                    silent = 0;
                    line.got = Some(describe(&answer));
                    line.why = why_inconclusive(row, &answer);
                    line.findings = judge.findings(row, &planned, &answer);
                }
                Err(NoAnswer::Unreachable(why)) if lines.iter().all(|line| line.got.is_none()) => {
                    let help = " = help: start the service, and give its URL";
                    return Err(CommandError::Unreachable(format!("cannot reach {why}\n{help}")));
                }
                Err(NoAnswer::Unreachable(wrong)) => line.findings.push(Finding::new("F1", wrong)),
                Err(NoAnswer::Broken(rule, wrong)) => line.findings.push(Finding::new(rule, wrong)),
            }
            silent += usize::from(line.got.is_none());
            if !line.findings.is_empty() || line.why.is_none() {
                break;
            }
        }
        line.outcome = match &line.why {
            _ if !line.findings.is_empty() => Outcome::Failed,
            Some(_) => Outcome::Skipped,
            None => Outcome::Passed,
        };
        lines.push(line);
    }
    if progress {
        anstream::eprint!("{CLEAR_LINE}");
    }
    Ok(lines)
}

/// Returns the reason if a response shows nothing about the row's own rule.
fn why_inconclusive(row: &Row, answer: &Response<Bytes>) -> Option<String> {
    let status = answer.status();
    match row.want {
        // The service may respond before it has read the body (G4).
        Want::Layer(_) if row.body == Body::TooLargeChunked && status.is_client_error() && status != 413 => {
            Some(format!("got {}, perhaps sent before the service read the body", describe(answer)))
        }
        Want::Service(wanted) if !wanted.contains(&status.as_u16()) => {
            Some(format!("got {} instead of {wanted:?}", describe(answer)))
        }
        _ => None,
    }
}

/// Returns a line for each row, with its findings below it.
fn human(lines: &[Line], [passed, failed, skipped]: [usize; 3]) -> String {
    let mut text = String::new();
    for Line { name, rule, outcome, sent, got, findings, why } in lines {
        let mark = match outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAIL",
            Outcome::Skipped => "skip",
        };
        let got = got.as_deref().map_or_else(String::new, |got| format!(" -> {got}"));
        let line = format!("{mark:<4} {rule:<3} {name:<25} {}{got}", sent.as_deref().unwrap_or_default());
        let _ = writeln!(text, "{}", line.trim_end());
        for Finding { rule, wrong } in findings {
            let _ = writeln!(text, "     {rule:<3} {wrong}");
        }
        if let Some(why) = why.as_ref().filter(|_| findings.is_empty()) {
            let _ = writeln!(text, "         {why}");
        }
    }
    let _ = writeln!(text, "\n{} lines: {passed} passed, {failed} failed, {skipped} skipped", lines.len());
    let has_no_id = |line: &&Line| line.findings.iter().any(|finding| finding.wrong.starts_with("there are 0 "));
    if failed > 0 && lines.iter().filter(has_no_id).count() == failed {
        text += "\nNo answer has a request id: put the layer around the app, or the gateway in front of it.\n";
    }
    text
}

/// Parses `NAME: VALUE`. clap does not parse the value, because clap's error would repeat a refused value, which may be
/// a secret.
fn header_line(line: &str) -> Result<(HeaderName, HeaderValue), CommandError> {
    let wrong = || CommandError::Io("--header: write NAME: VALUE, or NAME: $VARIABLE of the environment".to_owned());
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let value = match value.trim().strip_prefix('$') {
        Some(variable) => std::env::var(variable).map_err(|_| wrong())?,
        None => value.trim().to_owned(),
    };
    Ok((name.trim().parse().map_err(|_| wrong())?, value.parse().map_err(|_| wrong())?))
}

/// The largest response body to read, in bytes. Every error is shorter.
const MAX_BODY: usize = 256 * 1024;

enum NoAnswer {
    Unreachable(String),
    /// The rule that the response violates, and what is wrong.
    Broken(&'static str, String),
}

/// Sends a request on a connection of its own.
async fn exchange(target: &Target, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
    let broken = |error: hyper::Error| NoAnswer::Broken("F1", cause_text(&error));
    let unreachable = |what| NoAnswer::Unreachable(format!("{}: {what}", target.url));
    let stream = TokioIo::new(target.connect().await.map_err(unreachable)?);
    let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let (head, body) = sender.send_request(outgoing(request.clone())).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| NoAnswer::Broken("F4", format!("the body was cut off: {error}")))?;
    let closes = head.headers.contains_key(header::CONNECTION);
    // A response to HEAD has no body, so hyper does not read one. Bytes that a service sends after the head show up
    // as a failure of the connection.
    if request.method() == Method::HEAD && !closes {
        let is_ready = sender.ready().await;
        let again = if is_ready.is_ok() { sender.send_request(outgoing(request)).await.map(drop) } else { is_ready };
        let followed = |error: &hyper::Error| error.is_parse() || error.to_string().contains("unexpected message");
        if let Err(error) = again
            && (followed(&error) || matches!(connection.await, Ok(Err(error)) if followed(&error)))
        {
            return Err(NoAnswer::Broken("E5", "bytes follow the response to HEAD".to_owned()));
        }
        return Ok(Response::from_parts(head, body.to_bytes()));
    }
    connection.abort();
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Prepares a request for hyper. If the request should be chunked, its body declares no length, so that hyper sends it
/// in chunks.
fn outgoing(request: Request<Bytes>) -> Request<UnsyncBoxBody<Bytes, Infallible>> {
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.map(|body| match chunked {
        true => StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body))])).boxed_unsync(),
        false => Full::new(body).boxed_unsync(),
    })
}
