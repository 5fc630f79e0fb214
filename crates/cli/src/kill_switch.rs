//! `error-envelope kill-switch`: the kill switch of running gateways, by their admin addresses.
//!
//! All are called at once, and their results are printed in the order in which they were named.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use form_urlencoded::Serializer;
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::failure::{CommandError, block_on, print_unless_closed};
use crate::gateway::limits::time;
use crate::report::{OutputFormat, json_text};
use crate::text::{counted, cut, one_line, with_causes};

/// Turn the kill switch of running gateways on or off
///
/// `on` puts every route in mode off at once: the service's errors pass unchanged, with a request id, and credentials
/// are still checked. `off` applies the policy's own modes again. `status` shows the current state, its time, and who
/// set it and why. The switch is kept in memory: a restart clears it. The command sends the request to all gateways at
/// the same time. The exit code is 1 if one of them failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Turn the switch on or off, or show its state
    #[arg(value_enum)]
    to: To,
    /// Connect to this admin address, as set by `gateway --admin`; repeatable
    #[arg(long, value_name = "URL", value_parser = address, default_value = "http://127.0.0.1:9901")]
    admin: Vec<Uri>,
    /// Limit the time to wait for a gateway's response; a slower one counts as failed
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5s")]
    timeout: humantime::Duration,
    /// Record this name with the switch, for the log and the admin page
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Record this reason with the switch, for the log and the admin page
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Send the token in this file, as gateways with --admin-token-file require it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
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

type Answered = Result<Answer, String>;

/// Returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut gateways: Vec<&Uri> = Vec::new();
    for address in &args.admin {
        if !gateways.contains(&address) {
            gateways.push(address);
        }
    }
    let order = Order::new(args)?;
    let answers = block_on(async { Ok(join_all(gateways.iter().map(|address| order.send(address))).await) })?;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    match args.format {
        OutputFormat::Json => print_unless_closed(&as_json(&gateways, &answers, failed))?,
        OutputFormat::Human => print_lines(&gateways, &answers, failed)?,
    }
    Ok(u8::from(failed > 0))
}

/// An admin address, as `gateway --admin` takes it.
fn address(given: &str) -> Result<Uri, String> {
    const RIGHT: &str = "write http://HOST:PORT, HOST:PORT, or the port alone for this machine";

    let url = match (given.parse::<u16>(), given.contains("://")) {
        (Ok(port), _) => format!("http://127.0.0.1:{port}"),
        (_, true) => given.to_owned(),
        _ => format!("http://{given}"),
    };
    let uri: Uri = url.parse().map_err(|error| format!("{error}; {RIGHT}"))?;
    let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
    if uri.scheme_str() == Some("http") && bare { Ok(uri) } else { Err(RIGHT.to_owned()) }
}

fn url(address: &Uri) -> String {
    address.to_string().trim_end_matches('/').to_owned()
}

/// Prints successes on standard output, and failures on standard error.
fn print_lines(gateways: &[&Uri], answers: &[Answered], failed: usize) -> Result<(), CommandError> {
    let count = gateways.len();
    for (gateway, answer) in gateways.iter().zip(answers) {
        let name = if count == 1 { String::new() } else { format!("{}: ", url(gateway)) };
        match answer {
            Ok(answer) => print_unless_closed(&format!("{name}{answer}\n"))?,
            Err(why) => anstream::eprintln!("{}: {why}", url(gateway)),
        }
    }
    if count > 1 {
        print_unless_closed(&format!("{}: {} done, {failed} failed\n", counted(count, "gateway"), count - failed))?;
    }
    Ok(())
}

fn as_json(gateways: &[&Uri], answers: &[Answered], failed: usize) -> String {
    let gateways = gateways.iter().zip(answers).map(|(gateway, answer)| match answer {
        Ok(answer) => json!({
            "admin": url(gateway),
            "ok": true,
            "kill_switch": answer.is_on,
            "changed_at": answer.changed_at,
            "changed_by": answer.changed_by,
            "reason": answer.reason,
        }),
        Err(why) => {
            json!({ "admin": url(gateway), "ok": false, "error": why.lines().next().unwrap_or_default() })
        }
    });
    let gateways: Vec<_> = gateways.collect();
    json_text(&json!({ "gateways": gateways, "failed": failed }))
}

/// The request to each gateway.
struct Order {
    method: Method,
    target: String,
    /// The resulting state; `None` if none is requested.
    on: Option<bool>,
    patience: Duration,
    authorization: Option<HeaderValue>,
}

/// A gateway keeps 200 characters of each (`SwitchNote::MAX_CHARS`): the rest need not be sent.
const LONGEST_NOTE: usize = 200;

const MOST_OF_ANSWER: usize = 64 * 1024;

impl Order {
    fn new(args: &Args) -> Result<Self, CommandError> {
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
        let authorization = args.token_file.as_deref().map(token).transpose()?;
        Ok(Self { method, target, on, patience: *args.timeout, authorization })
    }

    async fn send(&self, admin: &Uri) -> Answered {
        let patience = humantime::Duration::from(self.patience);
        let answer =
            timeout(self.patience, self.exchange(admin)).await.map_err(|_| format!("no response within {patience}"))?;
        let (status, body) = answer
            .map_err(|why| format!("{why}\n = help: use the address given to `error-envelope gateway --admin`"))?;
        let answer = Answer::read(status, &body)?;
        match self.on {
            Some(on) if on != answer.is_on => {
                Err(format!("is {}: someone else changed the switch at the same time", answer.state()))
            }
            _ => Ok(answer),
        }
    }

    async fn exchange(&self, admin: &Uri) -> Result<(StatusCode, Bytes), String> {
        let mut parts = admin.clone().into_parts();
        parts.path_and_query = self.target.parse().ok();
        let uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        let request = Request::builder().method(self.method.clone()).uri(uri).body(Empty::<Bytes>::new());
        let mut request = request.map_err(|error| error.to_string())?;
        request.headers_mut().extend(self.authorization.clone().map(|token| (AUTHORIZATION, token)));
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let response = client.request(request).await.map_err(|error| with_causes(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST_OF_ANSWER).collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, body.to_bytes()))
    }
}

/// The token of a file, as a header.
fn token(file: &Path) -> Result<HeaderValue, CommandError> {
    let refused = |why: &dyn fmt::Display| CommandError::Io(format!("--token-file {}: {why}", file.display()));
    let token = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| {
        refused(&"the token has characters that are not valid in a header; write one line of plain text")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// The state that a gateway reports for its switch.
struct Answer {
    is_on: bool,
    changed_at: Option<String>,
    changed_by: Option<String>,
    reason: Option<String>,
}

impl Answer {
    fn read(status: StatusCode, body: &[u8]) -> Answered {
        let state = (status == StatusCode::OK).then(|| serde_json::from_slice(body).ok()).flatten();
        state.as_ref().and_then(Self::parse).ok_or_else(|| {
            let text = cut(&one_line(&String::from_utf8_lossy(body)), 300);
            let advice = match status {
                StatusCode::UNAUTHORIZED => "use --token-file",
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
