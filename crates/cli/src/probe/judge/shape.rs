//! The shape of an error, in the envelope or in the route's own dialect.

use http::{Method, Response, StatusCode, header};
use serde_json::Value;
use tower_error_envelope::ErrorCode;
use tower_error_envelope::testing;

use super::super::finding::Finding;
use super::super::plan::code_of;
use super::super::table::Want;
use super::case::{Case, shown_lines};

/// What is wrong with an error's head and body, and the rules that were checked.
pub(super) fn shape(case: &Case<'_>) -> (Vec<Finding>, Vec<String>) {
    let got = case.got;
    let is_head = case.request.method == Method::HEAD;
    let (mut wrong, rules) = match case.model {
        _ if is_head => (head_alone(case), vec!["E4", "E5"]),
        Some(model) if !is_envelope(model) => dialect_or_problem(case, model),
        Some(_) | None => (envelope(case), vec!["E1", "E2", "E3", "E4"]),
    };
    let mut rules: Vec<String> = rules.into_iter().chain(["R1", "R6", "R7"]).map(str::to_owned).collect();
    wrong.extend(cached(case).into_iter().chain(disagrees(case)).chain(exposed(case)));
    wrong.extend(Finding::unless(
        !got.headers.contains_key(header::CONTENT_ENCODING),
        "R6",
        || "content-encoding is set, but the body is not compressed",
    ));
    if code_of(&got.headers).as_deref() == Some("invalid_request") && !is_head {
        wrong.extend(issues(case));
        rules.push("E8".to_owned());
    }
    (wrong, rules)
}

fn envelope(case: &Case<'_>) -> Vec<Finding> {
    let got = case.got;
    let wrong = testing::wrong(got.status, &got.headers, &got.body);
    let wrong: Vec<_> = wrong.iter().map(|text| Finding::parse(text)).collect();
    // If the body cannot be read, the expected code is unknown.
    let names_code = wrong.iter().any(|finding| finding.wrong.starts_with("x-error-code"));
    let without = if names_code { None } else { without_code(case) };
    wrong.into_iter().chain(without).collect()
}

fn without_code(case: &Case<'_>) -> Option<Finding> {
    Finding::unless(code_of(&case.got.headers).is_some(), "E4", || "there is no x-error-code")
}

/// In the probe `problem-json` the client requests RFC 9457. Its findings name R11 instead of R12, the dialect rule.
fn dialect_or_problem(case: &Case<'_>, model: &Response<bytes::Bytes>) -> (Vec<Finding>, Vec<&'static str>) {
    let wrong = dialect(case, model);
    if case.probe.name != "problem-json" {
        return (wrong, vec!["E4", "R12"]);
    }
    let renamed = wrong.into_iter().map(|finding| match finding.rule.as_str() {
        "R12" => Finding { rule: "R11".to_owned(), ..finding },
        _ => finding,
    });
    (renamed.collect(), vec!["E4"])
}

fn is_envelope(model: &Response<bytes::Bytes>) -> bool {
    testing::wrong(model.status(), model.headers(), model.body()).is_empty()
}

/// E5: the code is in the head, and there is no body.
fn head_alone(case: &Case<'_>) -> Vec<Finding> {
    let wrong = [
        Finding::unless(case.got.body.is_empty(), "E5", || "the response to HEAD has a body"),
        without_code(case),
        Finding::unless(
            case.got.headers.contains_key(header::CONTENT_TYPE),
            "E5",
            || "there is no content-type, which a response to GET would have",
        ),
    ];
    wrong.into_iter().flatten().collect()
}

/// R12: the fields of the shape that the route sets are there, each of its type.
fn dialect(case: &Case<'_>, model: &Response<bytes::Bytes>) -> Vec<Finding> {
    let got = case.got;
    let content_type = Finding::unless(
        got.headers.get(header::CONTENT_TYPE) == model.headers().get(header::CONTENT_TYPE),
        "R12",
        || {
            let (came, right) =
                (shown_lines(&got.headers, "content-type"), shown_lines(model.headers(), "content-type"));
            format!("content-type is {came}, expected {right}")
        },
    );
    let mut wrong: Vec<_> = content_type.into_iter().chain(without_code(case)).collect();
    let right: Value = serde_json::from_slice(model.body()).unwrap_or_default();
    match serde_json::from_slice::<Value>(&got.body) {
        Err(error) => wrong.push(Finding::new("R12", format!("the body is not JSON: {error}"))),
        Ok(came) if lists_fields(got.status, &right, &came) => {}
        Ok(came) => members(&right, &came, "", &mut wrong),
    }
    wrong
}

/// Whether the response lists fields in the dialect's form for this status (R12).
fn lists_fields(status: StatusCode, right: &Value, came: &Value) -> bool {
    status == StatusCode::UNPROCESSABLE_ENTITY
        && right.pointer("/error/status").is_some()
        && came["message"].is_string()
        && came["errors"].is_object()
}

fn members(right: &Value, came: &Value, at: &str, wrong: &mut Vec<Finding>) {
    let (Value::Object(right), Value::Object(members_that_came)) = (right, came) else {
        let fits = std::mem::discriminant(right) == std::mem::discriminant(came) || right.is_null() || came.is_null();
        let finding = || format!("{at} is {came}, which is not valid there");
        return wrong.extend(Finding::unless(fits, "R12", finding));
    };
    for (name, value) in right {
        let at = format!("{at}/{name}");
        match members_that_came.get(name) {
            // These fields depend on the single error.
            _ if matches!(name.as_str(), "details" | "errors" | "detail") => {}
            None => wrong.push(Finding::new("R12", format!("{at} is missing"))),
            Some(came) => members(value, came, &at, wrong),
        }
    }
}

/// R7: `cache-control` is `no-store` for these statuses; for others, the service may have set another value.
fn cached(case: &Case<'_>) -> Option<Finding> {
    let got = case.got;
    let must = got.status.is_server_error() || matches!(got.status.as_u16(), 401 | 403 | 429);
    let values: Vec<_> = got.headers.get_all(header::CACHE_CONTROL).iter().collect();
    let has = values.iter().any(|value| value.to_str().is_ok_and(|text| text.contains("no-store")));
    (!has && (must || values.is_empty())).then(|| {
        Finding::new(
            "R7",
            format!("cache-control is {}: caches may store the response", shown_lines(&got.headers, "cache-control")),
        )
    })
}

/// R1: a code of the catalogue has its own status, or is the generic code of the received status.
fn disagrees(case: &Case<'_>) -> Option<Finding> {
    // A `[[map]]` rule sets codes for the service's responses, and leaves their status.
    if agrees(case) || case.by_policy && matches!(case.probe.want, Want::Service(_)) {
        return None;
    }
    let code = code_of(&case.got.headers)?;
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code)?;
    let status = case.got.status;
    Some(Finding::new("R1", format!("{code} came with status {status}, expected {}", known.status())))
}

/// Whether the code fits the received status. An unknown code fits any.
pub(super) fn agrees(case: &Case<'_>) -> bool {
    let (code, status) = (code_of(&case.got.headers), case.got.status);
    let known = ErrorCode::ALL.iter().find(|known| code.as_deref() == Some(known.as_str()));
    let generic = ErrorCode::of_status(status);
    let model_status = case.model.map(Response::status);
    match known {
        _ if status == StatusCode::OK || model_status == Some(status) => true,
        Some(known) => known.status() == status || generic == *known,
        None => model_status.is_none_or(|model_status| model_status == generic.status()),
    }
}

/// E4: scripts in a browser can read the headers that they need.
fn exposed(case: &Case<'_>) -> Option<Finding> {
    let headers = &case.got.headers;
    headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).filter(|_| case.exposes)?;
    let lines = headers.get_all(header::ACCESS_CONTROL_EXPOSE_HEADERS).iter();
    let exposed: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    let exposed = exposed.join(",").to_ascii_lowercase();
    // In the Fetch standard, `*` means all headers, unless the request has credentials: then it is a header with that
    // name.
    let all = headers.get(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).is_none_or(|allowed| allowed != "true");
    let has = |name: &str| exposed.split(',').any(|each| each.trim() == name || all && each.trim() == "*");
    (!(has("x-request-id") && has("x-error-code"))).then(|| {
        Finding::new(
            "E4",
            "scripts in browsers cannot read x-request-id and x-error-code: add them to access-control-expose-headers",
        )
    })
}

/// E8: the list of invalid fields.
fn issues(case: &Case<'_>) -> Option<Finding> {
    if case.model.is_some_and(|model| !is_envelope(model)) {
        return None;
    }
    let body: Value = serde_json::from_slice(&case.got.body).unwrap_or_default();
    let issues = body.pointer("/error/details/issues").and_then(Value::as_array);
    let is_issue = |issue: &Value| issue["path"].is_array() && issue["message"].is_string();
    let has = issues.is_some_and(|issues| !issues.is_empty() && issues.iter().all(is_issue));
    (!has).then(|| Finding::new("E8", "details of invalid_request has no list of issues"))
}
