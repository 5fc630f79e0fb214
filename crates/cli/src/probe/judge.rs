//! Judges a response, rule by rule. It sends nothing and has no clock: its input is a response and its request.

mod case;
mod rpc;
mod shape;

use http::header::ACCESS_CONTROL_ALLOW_METHODS;
use http::{HeaderMap, StatusCode};
use tower_error_envelope::RequestId;

pub(super) use self::case::Case;
use self::case::shown_lines;
use self::shape::{agrees, shape};
use super::answer::ProbeResponse;
use super::finding::{Finding, Outcome};
use super::plan::code_of;
use super::request::SentRequest;
use super::table::Want;

/// Judges one response: the outcome, and the rules that the response keeps.
pub(super) fn judge(case: &Case<'_>) -> (Outcome, Vec<String>) {
    let (probe, got) = (case.probe, case.got);
    if probe.want == Want::Below && is_of_the_server_below(got) {
        return (Outcome::Passed, vec!["F5".to_owned()]);
    }
    let (exception, is_of_cors) = (why_inconclusive(case), is_of_cors(case));
    // These responses need no id: they are not final, or CORS made them outside the layer.
    let mut wrong = if got.requested_body || is_of_cors { Vec::new() } else { id(case) };
    if exception.is_none() {
        wrong.extend(errors_of_wanted(case));
    }
    let mut rules: Vec<String> = if is_of_cors { Vec::new() } else { vec!["I1".to_owned()] };
    if !matches!(probe.want, Want::Rpc(_)) && (got.status.is_client_error() || got.status.is_server_error()) {
        let (broken, request) = shape(case);
        wrong.extend(broken);
        rules.extend(request);
    }
    wrong.extend(Finding::unless(got.whole, "F4", || "the body is shorter than its declared length, or was cut off"));
    match exception {
        Some(why) if wrong.is_empty() => {
            let why = format!("{} {why}; {}", case.request.line(), probe.otherwise);
            return (Outcome::Skipped(why), Vec::new());
        }
        Some(_) => {}
        None => rules.extend(probe.rules.iter().map(|rule| (*rule).to_owned())),
    }
    let kept = visibly_kept(case, rules, &wrong);
    (if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed(wrong) }, kept)
}

/// The reason why the response shows nothing about the probe's rules, if there is one.
fn why_inconclusive(case: &Case<'_>) -> Option<String> {
    let got = case.got;
    let is_refused = got.status.is_client_error() && got.status != StatusCode::PAYLOAD_TOO_LARGE;
    match case.probe.want {
        // The response's head may leave before the request's body is over the limit (G4).
        Want::Guard(_) if matches!(case.request.body, SentRequest::Chunked(_)) && is_refused => {
            Some(format!("got {}, maybe before the service read the body", describe(got)))
        }
        Want::Service(statuses) if !statuses.contains(&got.status.as_u16()) => {
            let wanted: Vec<_> = statuses.iter().map(u16::to_string).collect();
            Some(format!("got {} instead of {}", describe(got), wanted.join(" or ")))
        }
        _ => None,
    }
}

/// What is wrong with a response to the probe.
fn errors_of_wanted(case: &Case<'_>) -> Vec<Finding> {
    let (probe, got) = (case.probe, case.got);
    match probe.want {
        Want::Guard(codes) => guard(case, codes),
        Want::NoGuard if got.status == StatusCode::UNAUTHORIZED => {
            vec![Finding::new("G0", "a browser's preflight was refused without credentials, which it never sends")]
        }
        Want::Service(_) if probe.rules.contains(&"R13") && code_of(&got.headers).is_none() => {
            vec![Finding::new(
                "R13",
                "the response has no x-error-code, so clients cannot see what was wrong with the body",
            )]
        }
        Want::Service(_) | Want::Declared | Want::NoGuard | Want::Below => Vec::new(),
        Want::Rpc(protocol) => rpc::judge(protocol, got),
    }
}

/// Whether CORS has answered a preflight by itself, at README's place for it: the layer never saw the request.
fn is_of_cors(case: &Case<'_>) -> bool {
    let got = case.got;
    case.probe.want == Want::NoGuard
        && got.status.is_success()
        && got.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS)
        && !got.headers.contains_key("x-request-id")
}

/// The rules of a probe that the service visibly keeps in this response. A rule that the response shows nothing about
/// is left out.
fn visibly_kept(case: &Case<'_>, mut rules: Vec<String>, wrong: &[Finding]) -> Vec<String> {
    let breaks = |rule: &str| wrong.iter().any(|finding| finding.rule == rule);
    let is_unread = ["E1", "R11", "R12"].into_iter().any(breaks);
    let code = code_of(&case.got.headers);
    let breaks_own_rule = case.probe.rules.iter().any(|rule| breaks(rule));
    rules.retain(|rule| match rule.as_str() {
        rule if breaks(rule) => false,
        // If one of the line's own rules is broken, none of them counts as kept.
        rule if breaks_own_rule && case.probe.rules.contains(&rule) => false,
        "E2" | "E3" | "R13" => !is_unread,
        "R6" => !is_unread && code.is_some(),
        "E8" => !is_unread && code.as_deref() == Some("invalid_request"),
        "E4" => code.is_some() && !is_unread,
        // If a `[[map]]` rule may have set the code, a status that does not fit breaks no rule, but does not show that
        // the rule is kept.
        "R1" => code.is_some() && !is_unread && agrees(case),
        "I2" => !breaks("I1"),
        // F5 is about the server below the layer, but here the layer answered.
        "F5" => false,
        _ => true,
    });
    rules.sort();
    rules.dedup();
    rules
}

/// `404 not_found`.
pub(super) fn describe(got: &ProbeResponse) -> String {
    let status = got.status.as_u16();
    code_of(&got.headers).map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
}

/// Checks the request id. I1: each response has exactly one valid id, which no other response has. I2: it is not the
/// client's id.
fn id(case: &Case<'_>) -> Vec<Finding> {
    let headers = &case.got.headers;
    let ids: Vec<_> = headers.get_all("x-request-id").iter().map(|id| id.to_str().unwrap_or_default()).collect();
    let [id] = ids[..] else {
        let count = if ids.is_empty() { "is no".to_owned() } else { format!("are {}", ids.len()) };
        return vec![Finding::new("I1", format!("there {count} x-request-id"))];
    };
    let is_canonical = id.parse::<RequestId>().map(|parsed| parsed.to_string()).as_deref() == Ok(id);
    let form = Finding::unless(id.starts_with("req_") && is_canonical, "I1", || {
        format!("x-request-id is {id:?} instead of req_ and a ULID")
    });
    form.into_iter().chain(origin_of_id(case, id)).collect()
}

fn origin_of_id(case: &Case<'_>, id: &str) -> Option<Finding> {
    let mut sent = case.request.headers.get_all("x-request-id").iter().filter_map(|sent| sent.to_str().ok());
    match case.kept_id {
        Some(kept) => Finding::unless(kept == id, "I2", || {
            format!("the policy trusts the client's id: {kept} was sent, but the response has {id}")
        }),
        None if sent.any(|sent| id == sent || id.strip_prefix("req_") == Some(sent)) => {
            Some(Finding::new("I2", "the response has the client's id, which must be replaced"))
        }
        None => Finding::unless(!case.seen.contains(id), "I1", || format!("{id} is the id of another request")),
    }
}

/// Checks that the guard answered, and as the policy sets. The guard's rule is the probe's first.
fn guard(case: &Case<'_>, codes: &[&str]) -> Vec<Finding> {
    let (rule, predicted) = (case.probe.rules.first().copied().unwrap_or("E1"), case.predicted);
    if case.got.requested_body {
        return vec![Finding::new(rule, "the service sent 100 Continue for a body whose length is over the limit")];
    }
    let code = predicted.and_then(|reply| code_of(reply.headers()));
    let code = code.unwrap_or_else(|| codes.first().copied().unwrap_or_default().to_owned());
    let status = predicted.map_or_else(|| usual_status(&code), |reply| reply.status());
    if case.got.status != status {
        return vec![Finding::new(rule, wrong_status(case, rule, status, &code))];
    }
    let headers =
        predicted.filter(|_| case.by_policy).map(|reply| same_headers(rule, reply.headers(), &case.got.headers));
    wrong_code(case, rule, codes, &code).into_iter().chain(headers.into_iter().flatten()).collect()
}

fn wrong_status(case: &Case<'_>, rule: &str, status: StatusCode, code: &str) -> String {
    let came = if case.got.status.is_success() { "was let through" } else { "was answered" };
    let size = match case.request.body {
        SentRequest::Nothing | SentRequest::Text(_) => "",
        _ => " (a body over the limit)",
    };
    let advice = match rule {
        "G3" if !case.by_policy => "; with `json = true` on the route, the layer refuses it",
        _ => "",
    };
    format!("{came} with {}, expected {} {code}{size}{advice}", describe(case.got), status.as_u16())
}

fn wrong_code(case: &Case<'_>, rule: &str, codes: &[&str], code: &str) -> Option<Finding> {
    let came = code_of(&case.got.headers).unwrap_or_default();
    let is_exact = case.by_policy && case.predicted.is_some();
    let fits = if is_exact { came == code } else { codes.contains(&came.as_str()) };
    Finding::unless(fits && !came.is_empty(), rule, || match came.as_str() {
        "" => format!("the status is right, but there is no x-error-code; expected {code}"),
        came => format!("the code is {came:?}, expected {code:?}"),
    })
}

/// The headers of a guard's response are complete: how to log in, which types are accepted.
fn same_headers(rule: &str, right: &HeaderMap, came: &HeaderMap) -> Vec<Finding> {
    let lines = |headers: &HeaderMap, name: &str| {
        let mut lines: Vec<_> = headers.get_all(name).iter().cloned().collect();
        lines.sort();
        lines
    };
    let differ = ["www-authenticate", "accept"].into_iter().filter(|name| lines(right, name) != lines(came, name));
    let finding = |name| {
        let (right, came) = (shown_lines(right, name), shown_lines(came, name));
        Finding::new(rule, format!("{name} is {came}, expected {right}"))
    };
    differ.map(finding).collect()
}

fn usual_status(code: &str) -> StatusCode {
    let known = tower_error_envelope::ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    known.map_or(StatusCode::BAD_REQUEST, tower_error_envelope::ErrorCode::status)
}

/// Whether the server below the layer answered: without a body and an id, to a head that never reached the layer.
fn is_of_the_server_below(got: &ProbeResponse) -> bool {
    matches!(got.status.as_u16(), 400 | 431) && got.body.is_empty() && !got.headers.contains_key("x-request-id")
}

#[cfg(test)]
mod tests;
