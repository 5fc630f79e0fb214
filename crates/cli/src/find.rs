//! `error-envelope find`: what running gateways know of a request id that a caller reports.

use error_envelope_core::request_id::RequestId;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admin_client::{AdminAddresses, Answered, exit_code, json_of, listed};
use crate::failure::{CommandError, FOUND, print_unless_closed};
use crate::report::{OutputFormat, json_text};
use crate::text::{cut, one_line};

/// Find the error of a request id in running gateways
///
/// Prints what is known of it: route, service, status, duration and who failed; or where to look. A gateway stores its
/// last 100 errors whole, and the ids of its last 10,000 errors. The exit code is 1 if no gateway knows the id.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Search this request id: req_… or a UUID
    #[arg(value_name = "ID", value_parser = id)]
    id: RequestId,
    #[command(flatten)]
    gateways: AdminAddresses,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
}

fn id(given: &str) -> Result<RequestId, String> {
    given.parse().map_err(|_| "write an id such as req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".to_owned())
}

/// Returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let answers = args.gateways.send(&Method::GET, &format!("/errors.json?search={}", args.id), read)?;
    let found = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).any(is_known);
    match args.format {
        OutputFormat::Json => print_unless_closed(&as_json(args.id, &answers))?,
        OutputFormat::Human => print_unless_closed(&as_text(args.id, &answers))?,
    }
    let failed = answers.iter().filter_map(|(_, answer)| answer.as_ref().err());
    match (found, exit_code(failed)) {
        (true, _) => Ok(0),
        (false, 0) => Ok(FOUND),
        (false, code) => Ok(code),
    }
}

fn read(status: StatusCode, body: &[u8]) -> Result<Value, String> {
    let mut found = json_of(status, body, "errors", |found| found["searched_id"].is_object())?;
    found["known"] = found["searched_id"]["known"].take();
    Ok(found)
}

fn is_known(found: &Value) -> bool {
    found["searched_id"]["count"].as_u64().is_some_and(|count| count > 0)
}

fn as_json(id: RequestId, answers: &[Answered]) -> String {
    json_text(&json!({ "id": id.to_string(), "gateways": listed(answers, &["known", "errors"]) }))
}

fn as_text(id: RequestId, answers: &[Answered]) -> String {
    let mut text = String::new();
    for (gateway, answer) in answers {
        let found = match answer {
            Ok(found) => found,
            Err(no) => {
                no.print(gateway);
                continue;
            }
        };
        let whole = found["errors"].as_array().into_iter().flatten();
        let lines: Vec<_> = whole.map(|error| described(id, error)).collect();
        let known = found["known"].as_array().into_iter().flatten();
        let lines = if lines.is_empty() { known.map(remembered).collect() } else { lines };
        text.extend(lines.iter().map(|line| format!("{gateway}: {line}\n")));
    }
    if text.is_empty() && answers.iter().any(|(_, answer)| answer.is_ok()) {
        let began = answers.iter().find_map(|(_, answer)| answer.as_ref().ok()?["searched_id"]["began_at"].as_str());
        let began = began.map(|at| format!(" If the layer made it, the request began at {at}.")).unwrap_or_default();
        text = format!(
            "not among the last 10,000 errors of the gateways that answered.{began}\n\
             Search the logs of the gateways and of the service: grep -F '{id}'\n"
        );
    }
    text
}

fn described(id: RequestId, error: &Value) -> String {
    let text = |name: &str| error[name].as_str().map(|text| cut(&one_line(text), 300));
    let status = |name: &str| error[name].as_u64().map_or("no status".to_owned(), |status| status.to_string());
    let mut line = format!("{} at {}", outcome(error), text("at").unwrap_or_default());
    if let (Some(method), Some(path)) = (text("method"), text("path")) {
        line += &format!(", {method} {path}");
    }
    line += &text("route").map_or(", no route".to_owned(), |route| format!(", route {route}"));
    line += &text("service").map(|service| format!(", service {service}")).unwrap_or_default();
    line += &error["duration_ms"].as_u64().map(|duration| format!(", {duration} ms")).unwrap_or_default();
    line += &text("caller").map(|caller| format!(", caller {caller}")).unwrap_or_default();
    line += &text("client").map(|client| format!(", client {client}")).unwrap_or_default();
    line += "\n  ";
    let why = text("cause").map(|cause| format!(": {cause}")).unwrap_or_default();
    line += &match (text("origin").as_deref(), error["inner_status"].as_u64()) {
        (Some("inner"), Some(500..)) => format!(
            "the service answered {}: the cause is in the service's log, with x-request-id {id}",
            status("inner_status")
        ),
        (Some("inner"), _) => format!("the service answered {}", status("inner_status")),
        (Some("guard"), _) if error["would_be_status"].is_u64() => String::new(),
        (Some("guard"), _) => "a guard refused it".to_owned() + &why,
        (Some("error"), _) if why.is_empty() => {
            "no complete response: the gateway's log has the reason in `cause`".to_owned()
        }
        (Some("error"), _) => "no complete response".to_owned() + &why,
        (Some("panic"), _) => "this process panicked: its log has the text".to_owned(),
        (Some(origin), _) => format!("origin {origin}{why}"),
        (None, _) => "origin: unknown".to_owned(),
    };
    let codes = error["would_refuse"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    if !codes.is_empty() {
        let behind = if line.ends_with(' ') { "" } else { "; " };
        line += &format!("{behind}{OBSERVED}: {}", cut(&one_line(&codes.join(", ")), 300));
    }
    line
}

const OBSERVED: &str = "a guard that only observes would have refused it";

/// The status that the client got, and the code.
fn outcome(error: &Value) -> String {
    let mut status = error["status"].as_u64().map_or("no complete response".to_owned(), |status| status.to_string());
    if error["cut_off"] == true {
        status += ", cut off,";
    }
    match error["code"].as_str().filter(|code| !code.is_empty()) {
        Some(code) => format!("{status} {}", cut(&one_line(code), 300)),
        None => status,
    }
}

/// An error that is no longer stored whole.
fn remembered(known: &Value) -> String {
    let text = |name: &str| known[name].as_str().map(|text| cut(&one_line(text), 300));
    let route = text("route").map_or("no route".to_owned(), |route| format!("route {route}"));
    let at = text("at").unwrap_or_default();
    let origin = match (text("origin").as_deref(), known["would_be_status"].as_u64()) {
        (Some("guard"), Some(_)) => OBSERVED.to_owned(),
        (origin, _) => format!("origin {}", origin.unwrap_or("unknown")),
    };
    format!("{} at {at}, {route}, {origin}", outcome(known))
}
