//! `error-envelope find` shows what running gateways have stored about a request id that a caller reports.

use error_envelope_core::request_id::RequestId;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::admin_client::{AdminAddresses, Answered, exit_code, json_of, listed};
use crate::failure::{CommandError, FOUND, print_unless_closed};
use crate::report::OutputFormat;
use crate::text::{cut, one_line};

/// Find the error of a request id in running gateways
///
/// Prints the error's route, service, status and duration, and who failed. If no gateway knows the id, prints where to
/// look for it. A gateway stores all fields of its last 100 errors and of its last 100 requests whose client left. Of
/// its last 10,000 errors and such requests, it stores the ids. The exit code is 1 if no gateway knows the id, and 1 or
/// 3 if a gateway could not be asked, even if another one knows the id.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Search this request id (req_… or a UUID) or trace id
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

/// Runs the command, and returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let answers = args.gateways.send(&Method::GET, &format!("/errors.json?search={}", args.id), read)?;
    let found = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok()).any(is_known);
    let json = || json!({ "id": args.id.to_string(), "gateways": listed(&answers, &["known", "errors"]) });
    print_unless_closed(&args.format.text(|| as_text(args.id, &answers), json))?;
    match (exit_code(&answers), found) {
        (0, false) => Ok(FOUND),
        (code, _) => Ok(code),
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

fn as_text(id: RequestId, answers: &[Answered]) -> String {
    let mut printed = String::new();
    for (gateway, answer) in answers {
        let Ok(found) = answer.as_ref().inspect_err(|no| no.print(gateway)) else { continue };
        let whole = found["errors"].as_array().into_iter().flatten();
        let lines: Vec<_> = whole.map(described).collect();
        let known = found["known"].as_array().into_iter().flatten();
        let lines = if lines.is_empty() { known.map(remembered).collect() } else { lines };
        printed.extend(lines.iter().map(|line| format!("{gateway}: {line}\n")));
    }
    if printed.is_empty() && answers.iter().any(|(_, answer)| answer.is_ok()) {
        let began = answers.iter().find_map(|(_, answer)| answer.as_ref().ok()?["searched_id"]["began_at"].as_str());
        let began = began.map(|at| format!(" If the layer made it, the request began at {at}.")).unwrap_or_default();
        printed = format!(
            "not among the errors of the gateways that answered; each stores its last 10,000 request ids and its last 100 trace ids.{began}\n\
             Search the logs of the gateways and of the service: grep -F -e '{id}' -e '{}'\n",
            format_args!("{:032x}", u128::from(id))
        );
    }
    printed
}

fn described(error: &Value) -> String {
    let mut line = heading(error);
    if let (Some(method), Some(path)) = (text(error, "method"), text(error, "path")) {
        line += &format!(", {method} {path}");
    }
    line += &place(error);
    line += &error["duration_ms"].as_u64().map(|duration| format!(", {duration} ms")).unwrap_or_default();
    for name in ["caller", "client"] {
        line += &text(error, name).map(|value| format!(", {name} {value}")).unwrap_or_default();
    }
    if error["kill_switch"] == true {
        line += &format!(", kill switch on (mode {})", text(error, "mode").unwrap_or_default());
    }
    let codes = error["would_refuse"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let observed = (!codes.is_empty()).then(|| format!("{OBSERVED}: {}", cut(&one_line(&codes.join(", ")), 300)));
    let parts: Vec<_> = who_failed(error).into_iter().chain(would_be(error)).chain(observed).collect();
    format!("{line}\n  {}", parts.join("; "))
}

/// Returns a text field of the error on one line, cut to 300 characters.
fn text(error: &Value, name: &str) -> Option<String> {
    error[name].as_str().filter(|text| !text.is_empty()).map(|text| cut(&one_line(text), 300))
}

/// Returns the HTTP status, the gRPC status and the code, from the fields whose names begin with this prefix.
fn answer(error: &Value, prefix: &str) -> Option<String> {
    let field = |name: &str| format!("{prefix}{name}");
    let status = error[field("status")].as_u64()?.to_string();
    let grpc = error[field("grpc_status")].as_u64().map(|grpc| format!(" gRPC {grpc}")).unwrap_or_default();
    let code = text(error, &field("code")).map(|code| format!(" {code}")).unwrap_or_default();
    Some(status + &grpc + &code)
}

/// Returns a heading that names the response that the client got, how the response ended, and the time.
fn heading(error: &Value) -> String {
    let sent = answer(error, "").unwrap_or("no response".to_owned());
    let how = match (error["end"].as_str(), error["outcome"].as_str()) {
        (Some("stalled"), _) => ", client stopped reading,",
        (Some("stopped"), _) => ", ended by a stop,",
        (_, Some("broken")) => ", broken off,",
        (_, Some("client_left")) => ", client left,",
        _ => "",
    };
    format!("{sent}{how} at {}", text(error, "at").unwrap_or_default())
}

fn place(error: &Value) -> String {
    let route = text(error, "route").map_or(", no route".to_owned(), |route| format!(", route {route}"));
    let more = |name: &str| text(error, name).map(|value| format!(", {name} {value}")).unwrap_or_default();
    route + &more("scope") + &more("service")
}

/// Describes which part failed: the service, a guard, or the gateway. Returns `None` if a guard only observed.
fn who_failed(error: &Value) -> Option<String> {
    let (origin, inner) = (text(error, "origin"), answer(error, "inner_"));
    let why = text(error, "cause").map(|cause| format!(": {cause}")).unwrap_or_default();
    let answered = inner.as_ref().map(|inner| format!("the service answered {inner}"));
    if error["outcome"] == "client_left" {
        const LEFT: &str = "the client left before the response ended";
        let had = match origin.as_deref() {
            Some("guard") if error["would_be_status"].is_null() => Some("a guard refused it".to_owned() + &why),
            _ => answered,
        };
        let had = had.map(|had| format!("; {had}")).unwrap_or_default();
        return Some(if has_failed(error) { format!("{LEFT}{had}") } else { format!("no error: {LEFT}{had}") });
    }
    Some(match origin.as_deref() {
        Some("inner") if error["outcome"] == "server_error" => {
            let id = text(error, "id").unwrap_or_default();
            format!("{}: the cause is in the service's log, with x-request-id {id}", answered?)
        }
        Some("inner") => answered?,
        Some("guard") if error["would_be_status"].is_u64() => return None,
        Some("guard") => "a guard refused it".to_owned() + &why,
        Some("error") if why.is_empty() => {
            "the service sent no complete response; the gateway's log has the reason in `cause`".to_owned()
        }
        Some("error") => "no complete response".to_owned() + &why,
        Some("panic") => "this process panicked; its log has the text of the panic".to_owned(),
        Some(origin) => format!("origin {origin}{why}"),
        None => "origin: unknown".to_owned(),
    })
}

/// Returns true if a request whose client left had failed before.
fn has_failed(error: &Value) -> bool {
    let exceeds = |field: &str, most: u64| error[field].as_u64().is_some_and(|status| status > most);
    let is_failure = error["origin"].as_str().is_some_and(|origin| origin != "abandoned");
    is_failure || exceeds("inner_status", 399) || exceeds("inner_grpc_status", 0)
}

/// Describes the response that a stricter mode would have sent. Refusals of guards are left out, because the report
/// shows their codes elsewhere.
fn would_be(error: &Value) -> Option<String> {
    let would_be = answer(error, "would_be_").filter(|_| error["origin"] != "guard")?;
    let is_refusal = error["would_refuse"].as_array().is_some_and(|codes| !codes.is_empty());
    let when = if is_refusal { "if its guards refused" } else { "in enforce" };
    // Modes `own` and `fill` read no body that passes.
    let is_unread = !is_refusal && error["origin"] == "inner" && matches!(error["mode"].as_str(), Some("own" | "fill"));
    let unless = if is_unread { ", unless its body states another code" } else { "" };
    Some(format!("{when} it would be {would_be}{unless}"))
}

const OBSERVED: &str = "a guard that only observes would have refused it";

/// Describes an error of which the gateway has kept only the id and a few fields.
fn remembered(known: &Value) -> String {
    let origin = match (known["outcome"].as_str(), known["origin"].as_str(), known["would_be_status"].as_u64()) {
        (Some("client_left"), ..) if !has_failed(known) => "no error".to_owned(),
        (Some("client_left"), None | Some("abandoned" | "inner"), _) => {
            format!("the service answered {}", answer(known, "inner_").unwrap_or_default())
        }
        (_, Some("guard"), Some(_)) => OBSERVED.to_owned(),
        (_, origin, _) => format!("origin {}", origin.unwrap_or("unknown")),
    };
    format!("{}{}, {origin}", heading(known), place(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l5_an_error_of_the_service_stays_one_if_its_client_left() {
        for (inner, stated, briefly) in [
            (
                Some(404),
                "the client left before the response ended; the service answered 404",
                "the service answered 404",
            ),
            (Some(200), "no error: the client left before the response ended; the service answered 200", "no error"),
            (None, "no error: the client left before the response ended", "no error"),
        ] {
            let error = json!({"outcome": "client_left", "at": "20", "inner_status": inner});
            assert_eq!(who_failed(&error).as_deref(), Some(stated));
            assert_eq!(remembered(&error), format!("no response, client left, at 20, no route, {briefly}"));
        }
    }

    #[test]
    fn l5_a_refusal_stays_one_if_its_client_left() {
        let error = json!({"outcome": "client_left", "origin": "guard", "at": "20", "cause": "body limit: 9"});
        let stated = "the client left before the response ended; a guard refused it: body limit: 9";
        assert_eq!(who_failed(&error).as_deref(), Some(stated));
        assert_eq!(remembered(&error), "no response, client left, at 20, no route, origin guard");
    }
}
