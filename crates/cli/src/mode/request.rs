//! The request to one gateway.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use form_urlencoded::Serializer;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

use crate::failure::CommandError;
use crate::text::{cut, one_line, with_causes};

const MOST_OF_ANSWER: usize = 64 * 1024;

/// The requested change.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum To {
    /// Put every route in mode off
    Off,
    /// Apply the policy's own modes again
    Policy,
    /// Show the current state
    Status,
}

/// The state to set on each gateway.
pub(super) struct Order {
    method: Method,
    target: String,
    /// The resulting mode.
    mode: Option<&'static str>,
    patience: Duration,
    authorization: Option<HeaderValue>,
}

/// The token of a file, as a header.
pub(super) fn token(file: &Path) -> Result<HeaderValue, CommandError> {
    let refused = |why: &dyn fmt::Display| CommandError::Io(format!("--token-file {}: {why}", file.display()));
    let token = std::fs::read_to_string(file).map_err(|error| refused(&error))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(|_| {
        refused(&"the token has characters that are not valid in a header; write one line of plain text")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

impl Order {
    pub(super) fn new(to: To, by: Option<&str>, reason: Option<&str>, patience: Duration) -> Self {
        let (method, path, mode) = match to {
            To::Off => (Method::POST, "/kill-switch/on", Some("off")),
            To::Policy => (Method::POST, "/kill-switch/off", Some("policy")),
            To::Status => (Method::GET, "/kill-switch", None),
        };
        let mut note = Serializer::new(String::new());
        for (name, text) in [("by", by), ("reason", reason)] {
            note.extend_pairs(text.filter(|_| mode.is_some()).map(|text| (name, cut(text, LONGEST_NOTE))));
        }
        let note = note.finish();
        let target = if note.is_empty() { path.to_owned() } else { format!("{path}?{note}") };
        Self { method, target, mode, patience, authorization: None }
    }

    pub(super) fn token(self, authorization: Option<HeaderValue>) -> Self {
        Self { authorization, ..self }
    }

    pub(super) async fn send(&self, admin: &Uri) -> Result<Answer, String> {
        let patience = humantime::Duration::from(self.patience);
        let answer =
            timeout(self.patience, self.exchange(admin)).await.map_err(|_| format!("no response within {patience}"))?;
        let (status, body) = answer
            .map_err(|why| format!("{why}\n = help: use the address given to `error-envelope gateway --admin`"))?;
        let answer = Answer::read(status, &body)?;
        match self.mode {
            Some(mode) if mode != answer.mode => {
                Err(format!("is in mode {}: someone else changed the switch at the same time", answer.mode))
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

/// A gateway keeps 200 characters of each (`SwitchNote::MAX_CHARS`): the rest need not be sent.
const LONGEST_NOTE: usize = 200;

/// The state that a gateway reports for its switch.
#[derive(Clone)]
pub(super) struct Answer {
    mode: &'static str,
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
                StatusCode::UNAUTHORIZED => "use --token-file",
                StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => "the switch is unchanged",
                _ => "use an admin address",
            };
            format!("returned {status} without a mode; {advice}: {text}")
        })
    }

    fn parse(state: &Value) -> Option<Self> {
        let mode =
            ["off", "policy"].into_iter().find(|mode| state.get("mode").and_then(Value::as_str) == Some(mode))?;
        let text = |key: &str| state.get(key).and_then(Value::as_str).map(|text| cut(&one_line(text), 300));
        Some(Self { mode, changed_at: text("changed_at"), changed_by: text("changed_by"), reason: text("reason") })
    }

    pub(super) fn write(&self, object: &mut Value) {
        object["mode"] = Value::from(self.mode);
        for (key, text) in
            [("changed_at", &self.changed_at), ("changed_by", &self.changed_by), ("reason", &self.reason)]
        {
            object[key] = text.clone().into();
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode)?;
        self.changed_at.as_ref().map_or(Ok(()), |at| write!(f, " since {at}"))?;
        self.changed_by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))?;
        f.write_str(match self.mode {
            "off" => ": every route is in mode off; run `error-envelope mode policy` to follow the policy again",
            _ => ": the policy's modes apply",
        })
    }
}
