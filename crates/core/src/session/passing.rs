//! Responses that pass, with their ids and the headers that scripts of other origins may read (I3, E4). They pass
//! unchanged, or are errors that keep their shape (R9, R10).
//!
//! In mode `fill` (M1), inner errors whose body is empty, HTML or plain text are rewritten, and all others pass. The media
//! type decides which kind a body is, with two exceptions: JSON passes even under a type for text (R2), and a body without
//! a type is judged by its bytes.

use http::{HeaderMap, response};

use super::event_stream::{EventStream, appends_error};
use super::observe::observed_refusal;
use super::state::RequestState;
use super::{BodyContext, BodyFacts, CapturedBody, Cause, Event, Follow, Note, Origin, ReadBytes, ResponseStep, head};
use crate::classify::decide::DecidedBy;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit;
use crate::policy::{Mode, UnknownCodes};
use crate::{classify, dialect};

/// What to log for an error that keeps its shape, now and if its body fails later.
pub(super) type KeptError = (BodyContext, Box<Event>);

impl RequestState {
    /// Lets the response of a request pass.
    pub(super) fn pass(mut self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponseStep {
        if appends_error(&self, head, body) {
            let refusal = observed_refusal(&mut self, head.status);
            let stream = EventStream::boxed(self, head);
            let note = refusal.map_or_else(|| stream.notes().into(), |event| Note::Event(Box::new(event)));
            return ResponseStep::pass(Follow::events(stream), note);
        }
        if !head.extensions.is_empty()
            && let Some(fault) = fault_of_success(head)
        {
            return self.pass_fault(head, fault);
        }
        if let Some(event) = observed_refusal(&mut self, head.status) {
            self.mark_head(&mut head.headers);
            return pass_and_log(&self, event);
        }
        self.finish_head(&mut head.headers);
        let (body_context, notes) = self.into_context_and_fields();
        ResponseStep::Pass(Follow::tail(body_context), notes.into())
    }

    /// Passes a fault that the service sent with a status of success, such as `(StatusCode::OK, fault)` (E5). It is
    /// still logged as an error.
    #[cold]
    fn pass_fault(mut self, head: &mut response::Parts, fault: Fault) -> ResponseStep {
        self.mark_head(&mut head.headers);
        let fault = self.with_policy_settings(fault, Origin::Fault);
        let event = Event {
            status: Some(head.status),
            code: Some(fault.code().clone()),
            cause: Some(Cause::Fault(fault)),
            ..self.event(Origin::Fault)
        };
        pass_and_log(&self, event)
    }

    /// Passes an error that keeps its shape, and logs it by its head (L1): by a code in it (E7), or else by its status.
    pub(super) fn pass_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        let (policy, mode) = (self.policy(), self.settings.mode);
        let by_status = self.settings.unknown_codes == UnknownCodes::ByStatus;
        let named = classify::envelope_in_head(&head.headers, policy.codes()).filter(|it| it.known || !by_status);
        let (follow, mut event) = if appends_error(&self, head, || body) {
            let stream = EventStream::boxed(self, head);
            let event = stream.preserved(head.status);
            (Follow::events(stream), Box::new(event))
        } else {
            let (body_context, event) = self.preserve(head);
            (Follow::tail(body_context), event)
        };
        if matches!(mode, Mode::Own | Mode::Fill) {
            event.by = Some(if named.is_some() { DecidedBy::Layer } else { DecidedBy::Status });
        }
        event.code = named.map(|it| it.code).or(event.code);
        ResponseStep::pass(follow, Note::Event(event))
    }

    /// Like [`RequestState::pass_error`], for an error that is not an event stream.
    pub(super) fn preserve(mut self, head: &mut response::Parts) -> KeptError {
        self.mark_head(&mut head.headers);
        let body_context = self.body_context();
        (body_context, Box::new(self.into_event(Origin::Inner).preserved(head.status)))
    }

    /// Like [`RequestState::preserve`], for an error whose code is known (R10). `read` is the part of the body that
    /// was read.
    pub(super) fn preserve_protocol(self, head: &mut response::Parts, code: &ErrorCode, read: &[u8]) -> KeptError {
        head::mark_kept(&mut head.headers, head.status, code);
        let body = self.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        let (body_context, mut event) = self.preserve(head);
        event.note_bodies(body.clone(), body);
        event.code = Some(code.clone());
        (body_context, event)
    }
}

/// The fault of a response that has a status of success.
#[cold]
fn fault_of_success(head: &response::Parts) -> Option<Fault> {
    let is_error = head.status.is_client_error() || head.status.is_server_error();
    classify::fault_in(&head.extensions).filter(|_| !is_error).cloned()
}

/// Passes a response unchanged, and logs this event for it.
pub(super) fn pass_and_log(state: &RequestState, event: Event) -> ResponseStep {
    ResponseStep::pass(Follow::tail(state.body_context()), Note::Event(Box::new(event)))
}

/// Whether the mode lets an inner error pass, as far as its head shows.
pub(super) fn keeps(state: &RequestState, head: &response::Parts, body: BodyFacts) -> bool {
    match state.settings.mode {
        Mode::Own => true,
        Mode::Fill if state.request.is_head() => {
            matches!(kind(&head.headers), Kind::Other) && body_limit::declared(&head.headers) != Some(0)
        }
        Mode::Fill => matches!(kind(&head.headers), Kind::Other) && body.lower > 0,
        _ => false,
    }
}

/// How many bytes of a body to read after the first one: none if its type shows that it passes. The first byte shows
/// that it is not empty.
pub(super) fn more_bytes_to_read(headers: &HeaderMap) -> Option<u64> {
    matches!(kind(headers), Kind::Other).then_some(0)
}

/// Whether a body must be read even if it is encoded: only HTML or plain text is sure to be rewritten.
pub(super) fn must_be_read(headers: &HeaderMap) -> bool {
    !matches!(kind(headers), Kind::Text)
}

/// Whether a body that was read is to be rewritten. `decoded` is the decoded body, if all of it was read.
pub(super) fn is_to_rewrite(headers: &HeaderMap, body: ReadBytes<'_>, decoded: Option<&[u8]>) -> bool {
    let read = match body {
        ReadBytes::Whole(read) | ReadBytes::Part(read) => decoded.unwrap_or(read),
    };
    match (kind(headers), body) {
        (_, ReadBytes::Whole([])) => true,
        (Kind::Other, _) => false,
        (Kind::Text, _) => !decoded.is_some_and(is_json),
        (Kind::Untyped, ReadBytes::Whole(_)) => {
            !decoded.is_some_and(is_json) && str::from_utf8(read).is_ok_and(is_text)
        }
        (Kind::Untyped, ReadBytes::Part(_)) => !read.is_empty() && is_text(without_cut_character(read)),
    }
}

enum Kind {
    /// HTML or plain text.
    Text,
    Other,
    Untyped,
}

fn kind(headers: &HeaderMap) -> Kind {
    const TEXTS: [&str; 3] = ["text/html", "text/plain", "application/xhtml+xml"];

    match dialect::media_type(headers) {
        Some(name) if TEXTS.iter().any(|text| name.eq_ignore_ascii_case(text)) => Kind::Text,
        Some(_) => Kind::Other,
        None if headers.contains_key(http::header::CONTENT_TYPE) => Kind::Other,
        None => Kind::Untyped,
    }
}

fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    matches!(first, Some(b'{' | b'[')) && serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|character| character.is_control() && !character.is_whitespace())
}

/// The bytes as text, without a character that was cut at their end; empty if they are not UTF-8.
fn without_cut_character(read: &[u8]) -> &str {
    match str::from_utf8(read) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&read[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn m1_fill_takes_empty_html_and_plain_bodies_alone() {
        for (media_type, body, filled) in [
            (Some("text/html; charset=utf-8"), "<p>", true),
            (Some("TEXT/Plain"), "no", true),
            (Some("text/plain"), "{\"a\":1}", false),
            (Some("text/plain"), "{not json", true),
            (Some("text/html"), " [1]", false),
            (Some("application/json"), "{}", false),
            (Some("application/json"), "", true),
            (Some("application/problem+json"), "{}", false),
            (Some("image/png"), "\u{1}", false),
            (Some("nonsense"), "x", false),
            (None, "", true),
            (None, "plain", true),
            (None, "<html>", true),
            (None, "{\"a\":1}", false),
            (None, "\u{0}x", false),
            (None, "abc", true),
            // A form feed is no white space of JSON's (RFC 8259 §2).
            (None, "{\"a\":1}\u{c}", true),
            (None, " {\"a\":1}\r\n", false),
        ] {
            let headers = media_type.map(|it| (CONTENT_TYPE, HeaderValue::from_static(it)));
            let headers: HeaderMap = headers.into_iter().collect();
            let whole = ReadBytes::Whole(body.as_bytes());
            assert_eq!(is_to_rewrite(&headers, whole, Some(body.as_bytes())), filled, "{media_type:?} {body}");
        }
    }

    #[test]
    fn m1_a_whole_body_that_ends_inside_a_character_is_no_text() {
        assert!(!is_to_rewrite(&HeaderMap::new(), ReadBytes::Whole(b"\xc2"), Some(b"\xc2")));
    }

    #[test]
    fn m1_what_cannot_be_read_whole_is_filled_by_its_type_or_what_came() {
        for (media_type, read, filled) in [
            (Some("text/html"), &b""[..], true),
            (Some("application/json"), b"", false),
            (None, b"", false),
            (None, b"abc\xc3", true),
            (None, b"\x1f\x8b", false),
        ] {
            let headers = media_type.map(|it| (CONTENT_TYPE, HeaderValue::from_static(it)));
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(is_to_rewrite(&headers, ReadBytes::Part(read), None), filled, "{media_type:?} {read:?}");
        }
    }
}
