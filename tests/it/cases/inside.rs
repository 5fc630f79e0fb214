//! Checks what the service saw, how often it was called, and what was logged.

use super::check::{Problems, header};
use super::format::{Case, Expect};
use super::seen::{Call, Run, lines};
use super::value::with_id;

pub(super) fn calls(case: &Case, expect: &Expect, run: &Run, below: bool, problems: &mut Problems) {
    let count = run.calls.len();
    if wanted_calls(case, expect).is_some_and(|wanted| count != wanted) {
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

fn wanted_calls(case: &Case, expect: &Expect) -> Option<usize> {
    expect.calls.or(case.inner.called.map(|called| if called { case.request.times } else { 0 }))
}

/// Returns true if the calls have progressed as far as the case's checks need.
pub(super) fn called(case: &Case, expect: &Expect, calls: &[Call]) -> bool {
    let read = !case.inner.reads_body || expect.inner_body.as_ref().is_none_or(String::is_empty);
    wanted_calls(case, expect).is_none_or(|wanted| calls.len() >= wanted)
        && (read || calls.iter().all(|call| call.body.is_some()))
}

/// Checks that the service reads what the client sent, unless the case states otherwise.
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
    let body = call.body.as_deref().unwrap_or_default();
    // A service whose client already has its response (G4) may still be reading.
    let reading = call.body.is_none() && expect.inner_body.is_none();
    if !reading && body != wanted {
        let (have, want) = (body.len(), wanted.len());
        let begins = String::from_utf8_lossy(&body[..have.min(80)]).into_owned();
        problems.push(("G4", format!("the inner service read {have} bytes ({begins:?}…) instead of {want}")));
    }
}

pub(super) fn log(expect: &Expect, run: &Run, problems: &mut Problems) {
    let ids = ids(run);
    for text in expect.log_has.iter().filter(|text| !in_log(text, &ids, run)) {
        problems.push(("L1", format!("the log has no {text:?}:\n{}", run.log)));
    }
    for text in expect.log_lacks.iter().filter(|text| run.log.contains(text.as_str())) {
        problems.push(("L3", format!("the log has {text:?}:\n{}", run.log)));
    }
}

/// Returns true if the log has progressed as far as the case's checks need.
pub(super) fn logged(expect: &Expect, run: &Run) -> bool {
    let ids = ids(run);
    expect.log_has.iter().all(|text| in_log(text, &ids, run))
}

/// Returns the ids that clients got. If they got none, returns those that the service saw.
fn ids(run: &Run) -> Vec<String> {
    let responses = run.exchanges.iter().filter_map(|exchanged| exchanged.response.as_ref().ok());
    let ids: Vec<String> = responses.filter_map(|response| response.header("x-request-id")).collect();
    let seen = || run.calls.iter().flat_map(|call| lines(&call.headers, "x-request-id")).collect();
    if ids.is_empty() { seen() } else { ids }
}

fn in_log(text: &str, ids: &[String], run: &Run) -> bool {
    match ids {
        [] => run.log.contains(text),
        ids => ids.iter().all(|id| run.log.contains(&with_id(text, id))),
    }
}
