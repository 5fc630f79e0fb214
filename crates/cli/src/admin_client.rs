//! Sends requests to the admin addresses of running gateways. The verbs with the flag `--admin URL` use this module.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use error_envelope_core::policy::UpstreamUrl;
use error_envelope_runtime::files::{MAX_ANY_FILE_BYTES, read_regular};
use futures_util::future::join_all;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use http::uri::Scheme;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::failure::{CommandError, FOUND, UNREACHABLE, block_on};
use crate::gateway::limits::{address as host_and_port, time};
use crate::target::Target;
use crate::text::{cut, one_line};

/// The flags of a verb that sends requests to gateways.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminAddresses {
    /// Connect to this admin address, as set by `gateway --admin`; repeatable
    #[arg(long, value_name = "URL", value_parser = address, default_value = "http://127.0.0.1:9901")]
    admin: Vec<UpstreamUrl>,
    /// For https: trust the PEM certificates in FILE instead of the system's
    #[arg(long, value_name = "FILE")]
    admin_ca: Option<PathBuf>,
    /// Limit the time to wait for a gateway's response; a gateway that takes longer is treated as failed
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5s")]
    timeout: humantime::Duration,
    /// Send the token in this file, as gateways with --admin-token-file require it
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

/// The address of a gateway, and the gateway's response or the reason why it gave none.
pub(crate) type Answered = (String, Result<Value, NoAnswer>);

/// The reason why a gateway gave no usable response.
pub(crate) struct NoAnswer {
    why: String,
    is_unreachable: bool,
}

impl NoAnswer {
    fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_unreachable: false }
    }

    /// Prints the failure on standard error, with the gateway's address.
    pub(crate) fn print(&self, gateway: &str) {
        let place = if self.is_unreachable { String::new() } else { format!("{gateway}: ") };
        CommandError::Io(format!("{place}{}", self.why)).print();
    }
}

/// The largest response to read, in bytes.
const MOST_OF_ANSWER: usize = 8 * 1024 * 1024;

impl AdminAddresses {
    /// Sends the request to all gateways at the same time. Returns the responses in the order of the addresses.
    pub(crate) fn send(
        &self,
        method: &Method,
        target: &str,
        read: impl Fn(StatusCode, &[u8]) -> Result<Value, String>,
    ) -> Result<Vec<Answered>, CommandError> {
        let mut gateways: Vec<Target> = Vec::new();
        for address in &self.admin {
            let ca = self.admin_ca.as_deref().filter(|_| *address.scheme() == Scheme::HTTPS);
            if gateways.iter().all(|known| known.url != *address) {
                gateways.push(Target::new(address.clone(), ca, "--admin-ca")?);
            }
        }
        let token = self.admin_token_file.as_deref().map(token).transpose()?;
        let begin = |admin| timeout(*self.timeout, exchange(admin, method, target, token.clone()));
        let answers = block_on(async { Ok(join_all(gateways.iter().map(begin)).await) })?.into_iter();
        let late = |_| NoAnswer::refused(format!("no response within {}", self.timeout));
        let read = |answer: Result<Result<(StatusCode, Bytes), NoAnswer>, _>| {
            let (status, body) = answer.map_err(late)??;
            read(status, &body).map_err(NoAnswer::refused)
        };
        Ok(gateways.iter().map(|gateway| gateway.url.to_string()).zip(answers.map(read)).collect())
    }
}

async fn exchange(
    admin: &Target,
    method: &Method,
    target: &str,
    token: Option<HeaderValue>,
) -> Result<(StatusCode, Bytes), NoAnswer> {
    let refused = |error: &dyn fmt::Display| NoAnswer::refused(error.to_string());
    let request = Request::builder().method(method).uri(target).header(HOST, admin.url.authority().as_str());
    let mut request = request.body(Empty::<Bytes>::new()).map_err(|error| refused(&error))?;
    request.headers_mut().extend(token.map(|token| (AUTHORIZATION, token)));
    let stream = admin.connect().await.map_err(|why| NoAnswer {
        is_unreachable: true,
        why: format!(
            "cannot reach {}: {why}\n = help: use the address given to `error-envelope gateway --admin`",
            admin.url
        ),
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| refused(&error))?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await.map_err(|error| refused(&error))?.into_parts();
    let body = Limited::new(body, MOST_OF_ANSWER).collect().await.map_err(|error| refused(&error))?;
    Ok((head.status, body.to_bytes()))
}

/// Returns the JSON of a response, if it has the field `what`.
pub(crate) fn json_of(
    status: StatusCode,
    body: &[u8],
    what: &str,
    has: impl FnOnce(&Value) -> bool,
) -> Result<Value, String> {
    let value = (status == StatusCode::OK).then(|| serde_json::from_slice(body).ok()).flatten();
    value.filter(has).ok_or_else(|| {
        let advice = match status {
            StatusCode::UNAUTHORIZED => "use --admin-token-file",
            StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => "nothing was changed",
            _ => "use an admin address",
        };
        if body.trim_ascii_start().starts_with(b"<") {
            return format!("returned {status} and a page of HTML instead of {what}; {advice}");
        }
        let text = cut(&one_line(&String::from_utf8_lossy(body)), 300);
        format!("returned {status} without {what}; {advice}: {text}")
    })
}

/// Returns the responses as JSON objects for programs. Each object has these fields of a gateway's JSON.
pub(crate) fn listed(answers: &[Answered], fields: &[&str]) -> Vec<Value> {
    let line = |(gateway, answer): &Answered| {
        let mut line = json!({ "admin": gateway, "ok": answer.is_ok() });
        match answer {
            Ok(value) => fields.iter().for_each(|name| line[*name] = value[*name].clone()),
            Err(no) => line["error"] = no.why.lines().next().unwrap_or_default().into(),
        }
        line
    };
    answers.iter().map(line).collect()
}

/// Returns the exit code of a verb. The code is [`UNREACHABLE`] if every gateway that failed cannot be reached.
pub(crate) fn exit_code(answers: &[Answered]) -> u8 {
    let failed = answers.iter().filter_map(|(_, answer)| answer.as_ref().err());
    failed.fold(0, |code, failed| match (code, failed.is_unreachable) {
        (0 | UNREACHABLE, true) => UNREACHABLE,
        _ => FOUND,
    })
}

/// Parses an admin address, in the forms that `gateway --admin` accepts.
fn address(given: &str) -> Result<UpstreamUrl, String> {
    const RIGHT: &str = "write http://HOST:PORT or https://HOST:PORT, HOST:PORT, or the port alone for this machine";
    let url = if given.contains("://") { given.to_owned() } else { format!("http://{}", host_and_port(given)?) };
    url.parse().map_err(|_| RIGHT.to_owned())
}

/// Reads the token from a file, and makes it the value of a header.
fn token(file: &Path) -> Result<HeaderValue, CommandError> {
    let refused = |why: &dyn fmt::Display| CommandError::Io(format!("--admin-token-file {}: {why}", file.display()));
    let token = read_regular(file, MAX_ANY_FILE_BYTES).map_err(|error| refused(&error))?;
    let mut header = HeaderValue::try_from([b"Bearer ", token.trim_ascii()].concat()).map_err(|_| {
        refused(&"the token has characters that are not valid in a header; write one line of plain text")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_html_is_named_and_not_printed() {
        let refused = |body: &str| json_of(StatusCode::OK, body.as_bytes(), "the state", |_| false).unwrap_err();
        let page = "returned 200 OK and a page of HTML instead of the state; use an admin address";
        assert_eq!(refused("\n<!doctype html><title>Shop</title>"), page);
        assert_eq!(refused("hello"), "returned 200 OK without the state; use an admin address: hello");
    }
}
