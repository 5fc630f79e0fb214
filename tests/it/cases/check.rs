//! A case's `expect` against what a driver saw. What holds in every case is in `always`.

use super::always;
use super::body;
use super::format::{Case, Expect, OneOrMany};
use super::seen::{Call, Exchanged, Response, Run, lines};
use super::value::{fits, with_id};

/// A broken rule and how; an empty list is a case that holds.
pub(super) type Problems = Vec<(&'static str, String)>;

/// The alternative that fits best.
pub(super) fn problems(case: &Case, run: &Run) -> Problems {
    let all = case.alternatives.iter().map(|expect| against(case, expect, run));
    all.min_by_key(Vec::len).unwrap_or_default()
}

fn against(case: &Case, expect: &Expect, run: &Run) -> Problems {
    let mut problems = Problems::new();
    if let Some(texts) = &expect.refused {
        return refusal(texts, run);
    }
    if let Some(text) = &run.refused {
        return vec![("M2", format!("the policy was refused: {text}"))];
    }
    if run.exchanges.len() != case.request.times {
        problems.push(("I1", format!("{} answers to {} requests", run.exchanges.len(), case.request.times)));
    }
    let below = run.exchanges.iter().all(|exchanged| expect.below_layer && from_below(exchanged));
    for (index, exchanged) in run.exchanges.iter().enumerate() {
        one(case, expect, run, (index, exchanged), &mut problems);
    }
    ids_differ(expect, run, &mut problems);
    calls(case, expect, run, below, &mut problems);
    if !below {
        log(expect, run, &mut problems);
    }
    problems
}

fn refusal(texts: &[String], run: &Run) -> Problems {
    let Some(said) = &run.refused else { return vec![("M2", "the policy was taken".into())] };
    let lacks = texts.iter().filter(|text| !said.contains(*text));
    lacks.map(|text| ("M2", format!("the refusal does not say {text:?}: {said}"))).collect()
}

/// The HTTP library's own answers have no id.
fn from_below(exchanged: &Exchanged) -> bool {
    exchanged.response.as_ref().map_or(true, |response| response.lines("x-request-id").is_empty())
}

fn one(case: &Case, expect: &Expect, run: &Run, (index, exchanged): (usize, &Exchanged), problems: &mut Problems) {
    let response = match &exchanged.response {
        Ok(response) => response,
        Err(why) => return problems.push(("F1", format!("no response: {why}"))),
    };
    status(expect, response, problems);
    if expect.below_layer && from_below(exchanged) {
        return;
    }
    let call = call_of(run, index, response);
    let id = response.header("x-request-id").unwrap_or_default();
    head(expect, run, response, &id, problems);
    times(expect, response, problems);
    if expect.no_reset && exchanged.reset {
        problems.push(("G5", "the connection was reset under the client".into()));
    }
    body::check(case, expect, run.facts, response, call, problems);
    always::check(case, expect, run.facts, response, call, problems);
}

/// The call with the client's id; several processes have several ids, so there the order decides.
fn call_of<'r>(run: &'r Run, index: usize, response: &Response) -> Option<&'r Call> {
    let id = response.lines("x-request-id");
    let same = |call: &&Call| lines(&call.headers, "x-request-id") == id;
    run.calls.iter().find(same).or_else(|| run.calls.get(index))
}

fn status(expect: &Expect, response: &Response, problems: &mut Problems) {
    let Some(wanted) = &expect.status else { return };
    if !wanted.all().contains(&response.status) {
        problems.push(("R1", format!("status {} instead of {:?}", response.status, wanted.all())));
    }
}

fn head(expect: &Expect, run: &Run, response: &Response, id: &str, problems: &mut Problems) {
    for (name, wanted) in expect.headers.iter().filter(|(name, _)| applies(run, name)) {
        header(name, wanted, &response.lines(&name.to_ascii_lowercase()), id, "header", problems);
    }
    for (name, wanted) in expect.header_lines.iter().filter(|(name, _)| applies(run, name)) {
        let have = response.lines(&name.to_ascii_lowercase());
        let same = have.len() == wanted.len() && wanted.iter().zip(&have).all(|(wanted, have)| fits(wanted, have, id));
        if !same {
            problems.push(("R6", format!("lines of {name}: {have:?} instead of {wanted:?}")));
        }
    }
    for name in expect.absent.iter().filter(|name| !response.lines(&name.to_ascii_lowercase()).is_empty()) {
        problems.push(("R6", format!("{name} is there: {:?}", response.lines(&name.to_ascii_lowercase()))));
    }
    let have_id = response.lines("x-request-id");
    if expect.request_id.as_ref().is_some_and(|wanted| have_id != [wanted.as_str()]) {
        problems.push(("I2", format!("x-request-id is {have_id:?}, not {:?}", expect.request_id)));
    }
    if expect.request_id_not.as_ref().is_some_and(|unwanted| have_id.contains(unwanted)) {
        problems.push(("I2", format!("x-request-id is the sender's: {have_id:?}")));
    }
    if expect.interim.as_ref().is_some_and(|wanted| *wanted != response.interim) {
        problems.push(("G4", format!("interim {:?} instead of {:?}", response.interim, expect.interim)));
    }
    if expect.upgrade_recv.as_ref().is_some_and(|wanted| wanted.as_bytes() != response.upgraded) {
        let have = String::from_utf8_lossy(&response.upgraded);
        problems.push(("E5", format!("after the upgrade came {have:?} instead of {:?}", expect.upgrade_recv)));
    }
}

/// HTTP/2 has no fields of the connection (RFC 9113 §8.2.2).
fn applies(run: &Run, name: &str) -> bool {
    let of_connection = ["connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection"];
    !(run.facts.http2 && of_connection.iter().any(|field| name.eq_ignore_ascii_case(field)))
}

fn header(name: &str, wanted: &str, have: &[String], id: &str, what: &str, problems: &mut Problems) {
    let good = match have {
        [] => wanted == "absent",
        [one] => fits(wanted, one, id),
        _ => false,
    };
    if !good {
        problems.push(("R6", format!("{what} {name}: {have:?} instead of {wanted:?}")));
    }
}

fn times(expect: &Expect, response: &Response, problems: &mut Problems) {
    let first = response.first_at.unwrap_or(response.whole_at);
    let limits = [
        ("the whole response", expect.within_ms, response.whole_at),
        ("the head", expect.head_ms, response.head_at),
        ("the first byte", expect.first_ms, first),
    ];
    for (what, limit, took) in limits {
        if limit.is_some_and(|limit| took.as_millis() > u128::from(limit)) {
            problems.push(("R4", format!("{what} came after {} ms", took.as_millis())));
        }
    }
}

/// Each request has an id of its own, unless a trusted peer's is the one that is wanted.
fn ids_differ(expect: &Expect, run: &Run, problems: &mut Problems) {
    let responses = run.exchanges.iter().filter_map(|exchanged| exchanged.response.as_ref().ok());
    let mut ids: Vec<_> = responses.flat_map(|response| response.lines("x-request-id")).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    if expect.request_id.is_none() && ids.len() != count {
        problems.push(("I1", format!("{count} responses have {} ids", ids.len())));
    }
}

fn calls(case: &Case, expect: &Expect, run: &Run, below: bool, problems: &mut Problems) {
    let count = run.calls.len();
    let counted = match (case.inner.called, expect.calls) {
        (_, Some(wanted)) => count == wanted,
        (Some(true), None) => count == case.request.times,
        (Some(false), None) => count == 0,
        (None, None) => true,
    };
    if !counted {
        let wanted =
            expect.calls.map_or_else(|| format!("called = {:?}", case.inner.called), |calls| calls.to_string());
        problems.push(("G", format!("the inner service was called {count} times, wanted: {wanted}")));
    }
    if below {
        return;
    }
    for call in &run.calls {
        let id = lines(&call.headers, "x-request-id").concat();
        for (name, wanted) in &expect.inner_headers {
            let have = lines(&call.headers, &name.to_ascii_lowercase());
            header(name, wanted, &have, &id, "the inner service saw", problems);
        }
        read_body(case, expect, call, problems);
    }
    if run.calls.is_empty() && (!expect.inner_headers.is_empty() || expect.inner_body.is_some()) {
        problems.push(("G", "the inner service was not called, so what it saw cannot be checked".into()));
    }
}

/// What the service reads is what the client sent, unless the case says otherwise.
fn read_body(case: &Case, expect: &Expect, call: &Call, problems: &mut Problems) {
    let sent = || if case.request.raw().is_none() { Some(case.request.body().unwrap_or_default()) } else { None };
    let wanted = match &expect.inner_body {
        Some(text) => text.as_bytes().to_vec(),
        None if case.inner.reads_body && call.body_error.is_none() => match sent() {
            Some(body) => body,
            None => return,
        },
        None => return,
    };
    if call.body != wanted {
        let (have, want) = (call.body.len(), wanted.len());
        let begins = String::from_utf8_lossy(&call.body[..have.min(80)]).into_owned();
        problems.push(("G4", format!("the inner service read {have} bytes ({begins:?}…) instead of {want}")));
    }
}

fn log(expect: &Expect, run: &Run, problems: &mut Problems) {
    let ids = ids(run);
    for text in expect.log_has.iter().filter(|text| !in_log(text, &ids, run)) {
        problems.push(("L1", format!("the log has no {text:?}:\n{}", run.log)));
    }
    for text in expect.log_lacks.iter().filter(|text| run.log.contains(text.as_str())) {
        problems.push(("L3", format!("the log has {text:?}:\n{}", run.log)));
    }
}

/// Whether the log is as far as the case's checks need it: `log_lacks` of a log that has not come yet proves nothing.
pub(super) fn logged(expect: &Expect, run: &Run) -> bool {
    let ids = ids(run);
    expect.log_has.iter().all(|text| in_log(text, &ids, run)) && in_log("$id", &ids, run)
}

fn ids(run: &Run) -> Vec<String> {
    let responses = run.exchanges.iter().filter_map(|exchanged| exchanged.response.as_ref().ok());
    responses.filter_map(|response| response.header("x-request-id")).collect()
}

fn in_log(text: &str, ids: &[String], run: &Run) -> bool {
    match ids {
        [] => run.log.contains(text),
        ids => ids.iter().all(|id| run.log.contains(&with_id(text, id))),
    }
}

pub(super) fn allowed(wanted: &OneOrMany<String>, have: &str) -> bool {
    wanted.all().iter().any(|one| one == have)
}
