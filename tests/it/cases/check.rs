//! Compares a case's `expect` with what a driver saw. The module `always` checks the rules for every case.

use std::time::Duration;

use super::always;
use super::body;
use super::format::{Case, Expect, OneOrMany};
use super::inside;
use super::seen::{Call, End, Exchanged, Response, Run, lines};
use super::value::fits;

/// Each broken rule, with a description. The list is empty if the case holds.
pub(super) type Problems = Vec<(&'static str, String)>;

/// Returns the problems of the alternative that fits best.
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
    inside::calls(case, expect, run, below, &mut problems);
    if !below {
        inside::log(expect, run, &mut problems);
    }
    problems
}

fn refusal(texts: &[String], run: &Run) -> Problems {
    let Some(refused_with) = &run.refused else { return vec![("M2", "the policy was taken".into())] };
    let lacks = texts.iter().filter(|text| !refused_with.contains(*text));
    lacks.map(|text| ("M2", format!("the refusal does not say {text:?}: {refused_with}"))).collect()
}

/// The HTTP library's own responses have no id.
fn from_below(exchanged: &Exchanged) -> bool {
    exchanged.response.as_ref().map_or(true, |response| response.lines("x-request-id").is_empty())
}

fn one(case: &Case, expect: &Expect, run: &Run, (index, exchanged): (usize, &Exchanged), problems: &mut Problems) {
    let response = match &exchanged.response {
        Ok(response) if case.request.leaves_after_ms.is_some() && response.end == End::Unfinished => return,
        Ok(_) if case.request.leaves_after_ms.is_some() => {
            return problems.push(("F2", "there was an answer before the client left".into()));
        }
        Ok(response) => response,
        Err(_) if case.request.leaves_after_ms.is_some() => return,
        Err(why) => return problems.push(("F1", format!("no response: {why}"))),
    };
    status(expect, response, problems);
    if expect.below_layer && from_below(exchanged) {
        return;
    }
    let call = call_of(run, index, response);
    let id = response.header("x-request-id").unwrap_or_default();
    head(expect, run, response, &id, problems);
    times(expect, run, response, problems);
    if expect.no_reset && exchanged.reset {
        problems.push(("G5", "the connection was reset under the client".into()));
    }
    body::check(case, expect, run.facts, response, call, problems);
    always::check(case, expect, run.facts, response, call, problems);
}

/// Finds the call with the client's id. Several processes use several ids, so the order decides there. A cut body may
/// get its response before its call arrives (G4), and then the order decides nothing.
fn call_of<'r>(run: &'r Run, index: usize, response: &Response) -> Option<&'r Call> {
    let id = response.lines("x-request-id");
    let same = |call: &&Call| lines(&call.headers, "x-request-id") == id;
    let complete = run.calls.len() >= run.exchanges.len();
    // If a request was sent twice, the response belongs to the last call (F7).
    run.calls.iter().rfind(same).or_else(|| run.calls.get(index).filter(|_| complete))
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

pub(super) fn header(name: &str, wanted: &str, have: &[String], id: &str, what: &str, problems: &mut Problems) {
    let good = match have {
        [] => wanted == "absent",
        [one] => fits(wanted, one, id),
        _ => false,
    };
    if !good {
        problems.push(("R6", format!("{what} {name}: {have:?} instead of {wanted:?}")));
    }
}

/// On a busy machine, processes run late. In process, the clock stands still, and a row's limits are exact.
const LATE: Duration = Duration::from_secs(1);

fn times(expect: &Expect, run: &Run, response: &Response, problems: &mut Problems) {
    let late = if run.facts.over_socket { LATE } else { Duration::ZERO };
    let first = response.first_at.unwrap_or(response.whole_at);
    let limits = [
        ("the whole response", expect.within_ms, response.whole_at),
        ("the head", expect.head_ms, response.head_at),
        ("the first byte", expect.first_ms, first),
    ];
    for (what, limit, took) in limits {
        if limit.is_some_and(|limit| took > Duration::from_millis(limit) + late) {
            problems.push(("R4", format!("{what} came after {} ms", took.as_millis())));
        }
    }
}

/// Checks that each request has another id, unless the case wants the id of a trusted peer.
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

pub(super) fn allowed(wanted: &OneOrMany<String>, have: &str) -> bool {
    wanted.all().iter().any(|one| one == have)
}
