//! `error-envelope mode`: the kill switch of a running gateway, by its admin address.

use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use crate::failure::{CommandError, local_runtime, print};

/// Turn the kill switch of a running gateway on or off
///
/// `off` puts every route in mode off at once: the service's errors pass unchanged, with a request id; credentials are
/// still checked. `policy` applies the policy's own modes again. `status` shows the current state and its time.
/// The switch is kept in memory: a restart clears it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Choose the state to set, or show it
    #[arg(value_enum)]
    to: To,
    /// Connect to this admin address, the one given to `gateway --admin`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9901", value_parser = admin)]
    admin: Uri,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// Put every route in mode off
    Off,
    /// Apply the policy's own modes again
    Policy,
    /// Show the current state
    Status,
}

impl To {
    const fn endpoint(self) -> (Method, &'static str) {
        match self {
            Self::Off => (Method::POST, "/mode/off"),
            Self::Policy => (Method::POST, "/mode/policy"),
            Self::Status => (Method::GET, "/mode"),
        }
    }
}

/// Whoever is on call waits no longer.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_OF_ANSWER: usize = 64 * 1024;

pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let admin = &args.admin;
    let silent = |_| CommandError::Io(format!("{admin}: no response within {PATIENCE:?}"));
    let failed = |why| {
        CommandError::Io(format!("{admin}: {why}\n = help: use the address given to `error-envelope gateway --admin`"))
    };
    let answer = local_runtime()?.block_on(async { timeout(PATIENCE, send_request(args)).await });
    let (status, body) = answer.map_err(silent)?.map_err(failed)?;
    let state = (status == StatusCode::OK).then(|| serde_json::from_slice::<Value>(&body).ok()).flatten();
    match state.as_ref().and_then(words) {
        Some(words) => print(&words),
        None => {
            let text: String = String::from_utf8_lossy(&body).chars().filter(|it| !it.is_control()).take(300).collect();
            Err(CommandError::Refused(format!(
                "{admin} returned {status} without a mode; use an admin address: {text}"
            )))
        }
    }
}

async fn send_request(args: &Args) -> Result<(StatusCode, Bytes), String> {
    let (method, path) = args.to.endpoint();
    let mut parts = args.admin.clone().into_parts();
    parts.path_and_query = path.parse().ok();
    let uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
    let request = Request::builder().method(method).uri(uri).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.request(request).await.map_err(|error| chain(&error))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST_OF_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok((head.status, body.to_bytes()))
}

/// What the address has returned.
fn words(state: &Value) -> Option<String> {
    let since = state.get("changed_at").and_then(Value::as_str).map(|at| format!(" since {at}")).unwrap_or_default();
    match state.get("mode")?.as_str()? {
        "off" => {
            Some(format!("off{since}: every route is in mode off; `error-envelope mode policy` turns that off again\n"))
        }
        "policy" => Some(format!("policy{since}: the policy's modes apply\n")),
        _ => None,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn admin(given: &str) -> Result<Uri, String> {
    const RIGHT: &str = "write http://HOST:PORT, HOST:PORT or a port of this machine";

    let url = match (given.parse::<u16>(), given.contains("://")) {
        (Ok(port), _) => format!("http://127.0.0.1:{port}"),
        (_, true) => given.to_owned(),
        _ => format!("http://{given}"),
    };
    let uri: Uri = url.parse().map_err(|error| format!("{error}; {RIGHT}"))?;
    let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
    if uri.scheme_str() == Some("http") && bare { Ok(uri) } else { Err(RIGHT.to_owned()) }
}
