//! Checks what the contract requires of a run.

use super::run::{Client, Seen};
use super::state::{JSON_RPC, State, trailers};
use super::trap::{Fault, What, Where};
use crate::kit::{Answer, SECRET};

pub(super) fn judge(state: State, fault: Option<Fault>, client: Client, seen: &Seen) -> Result<(), String> {
    let fault = fault.filter(|_| seen.struck);
    ensure(!seen.doubled, "two panics at once")?;
    ensure(seen.kept == 0, "something of the request is kept alive")?;
    ensure(
        seen.next.as_ref().is_some_and(|(status, body)| *status == 200 && body == "next"),
        "the next is not served",
    )?;
    ensure(seen.next_lines.is_empty(), "the next request is logged")?;
    ensure(seen.heads <= 1, "two answers")?;
    one_line(state, fault, client, seen)?;
    match &seen.answer {
        Some(answer) => {
            ensure(statuses(state, fault).contains(&answer.head.status.as_u16()), "a status of nobody's")?;
            is_envelope(state, fault, seen, answer)
        }
        None => ensure(client != Client::Waits || never_answers(state, fault), "no answer"),
    }
}

fn ensure(holds: bool, wrong: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong.to_owned()) }
}

/// L5, F2, F4: a request has one line if it failed, its body broke off, or its client left before its end.
fn one_line(state: State, fault: Option<Fault>, client: Client, seen: &Seen) -> Result<(), String> {
    let Some(answer) = &seen.answer else {
        // A client whose service was never ready has made no request.
        ensure(seen.lines.len() == usize::from(seen.called), "not one line for no head")?;
        // The response was decided at once, but never fetched. So the decision was the event.
        let unfetched = client == Client::LeavesAfter(0);
        let abandoned = seen.lines.iter().all(|line| line.field("origin") == Some("abandoned"));
        return ensure(abandoned || unfetched, "a client that left is no abandonment");
    };
    let written = is_written(answer);
    let failed = written || matches!(state, State::Kept | State::Replaying);
    let passed = !written && state != State::Replaying;
    let dropped = fault.is_some_and(|fault| fault.at == Where::ResponseDrop);
    let broke = passed && (dropped || seen.broke);
    let has_failed = failed || broke;
    // A client with the whole body may leave before it learns that the body is complete.
    let most = usize::from(has_failed || seen.ended.is_none());
    ensure(seen.lines.len() <= most && (seen.lines.len() == 1 || !has_failed), "not one line")?;
    let abandoned = seen.lines.iter().all(|line| line.field("origin") == Some("abandoned"));
    // In mode `off`, the error of a service is its error, although its client left.
    let is_passed_error = !has_failed && passed && answer.head.status.as_u16() >= 400;
    ensure(
        abandoned != has_failed || seen.lines.is_empty() || is_passed_error,
        "an error is abandoned, or a client that left an error",
    )?;
    let id = answer.id();
    ensure(seen.lines.iter().all(|line| line.field("request_id") == Some(&id)), "a line of another id")
}

/// A protocol's own error also passes with the header (R10).
fn is_written(answer: &Answer) -> bool {
    answer.head.headers.contains_key("x-error-code") && !answer.body.starts_with(JSON_RPC[0].as_bytes())
}

/// E1, F4: the body is the whole envelope or the service's own text, and never both.
fn is_envelope(state: State, fault: Option<Fault>, seen: &Seen, answer: &Answer) -> Result<(), String> {
    let text = str::from_utf8(&answer.body).unwrap();
    ensure(!seen.after_error, "a frame after an error")?;
    ensure(!text.contains(SECRET) && !format!("{:?} {:?}", answer.head, seen.ended).contains(SECRET), "it tells")?;
    if is_written(answer) {
        let Some(ended) = &seen.ended else { return ensure(seen.left, "an envelope that does not come") };
        let code = answer.header("x-error-code").unwrap();
        answer.expect_envelope(answer.head.status.as_u16(), code);
        return ensure(ended.is_ok() && seen.trailers.is_none(), "an envelope that breaks off");
    }
    let whole = match state {
        State::Replaying => JSON_RPC.concat(),
        State::Stripping => String::new(),
        State::ResponseBreaks => "one".to_owned(),
        _ => "onetwo".to_owned(),
    };
    ensure(whole.starts_with(text), "not the service's own words")?;
    let hurt = state == State::ResponseBreaks || fault.is_some_and(|fault| fault.at == Where::ResponsePoll);
    match &seen.ended {
        Some(Ok(())) if !hurt => {
            let ends = state != State::Stripping;
            ensure(text == whole && seen.trailers == ends.then(trailers), "its end is missing")
        }
        Some(Err(_)) => ensure(hurt, "it breaks off for no reason"),
        _ => Ok(()),
    }
}

/// A wait without an end keeps its client waiting. Only a peek, a collection and a drain have a time limit.
fn never_answers(state: State, fault: Option<Fault>) -> bool {
    let Some(Fault { what: What::Hang, at, late }) = fault else { return false };
    match at {
        Where::Ready => true,
        Where::FuturePoll => !state.is_refused(),
        Where::RequestPoll => {
            let drains = state == State::Unready || state.is_refused();
            !(state.peeks() || drains || state.drains_in_place() && late)
        }
        _ => false,
    }
}

/// Returns the statuses that the contract allows.
fn statuses(state: State, fault: Option<Fault>) -> Vec<u16> {
    let base = state.status();
    let Some(Fault { what, at, late }) = fault else { return vec![base] };
    let drains = state.drains_after_head() || state == State::Unready;
    match (at, what) {
        // F3: guards come first.
        (Where::Ready, _) if state.is_refused() => vec![base],
        (Where::Ready, What::Panic) => vec![500],
        (Where::Ready, _) => vec![503],
        (Where::Clone, _) if state.peeks() => vec![500],
        (Where::Call, _) | (Where::FuturePoll, What::Panic | What::Fail) => vec![500],
        (Where::FuturePoll, What::Disappear) => vec![502],
        (Where::RequestPoll, _) => request_statuses(state, what, late || drains),
        // G4: a body over its limit outranks the later behaviour of the service.
        (Where::FutureDrop | Where::RequestDrop, _) if state.drains_in_place() => vec![413],
        (Where::FutureDrop | Where::Classifier, _) => vec![500],
        // A request that the service holds makes the service panic.
        (Where::RequestDrop, _) if !(drains || state.peeks()) => vec![500],
        (Where::RequestExtension, _) if !(drains || state.is_refused()) => vec![500],
        (Where::ErrorSource | Where::ErrorDrop, _) => vec![base, 500],
        _ => vec![base],
    }
}

fn request_statuses(state: State, what: What, late: bool) -> Vec<u16> {
    let base = state.status();
    match what {
        _ if state.drains_after_head() || state == State::Unready => vec![base],
        _ if late && (state.drains_in_place() || state == State::PeekRefuses) => vec![base],
        // A body that ends before it exceeds its limit, before its first byte or before its failure is an ordinary
        // body.
        What::Disappear => match state {
            State::PeekRefuses | State::PeekBreaks | State::RequestBreaks => vec![200],
            _ if state.drains_in_place() => vec![200],
            _ => vec![base],
        },
        What::Hang => vec![408],
        What::Panic | What::Fail => vec![400, 500],
    }
}
