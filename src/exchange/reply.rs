//! What the client gets: an answer of the layer's own, or an inner error written anew (E1, E5), and what is read of the
//! request so that it can be read (G5).

use std::error::Error;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Response, response};

use super::head::{self, X_ERROR_CODE, X_REQUEST_ID};
use super::request::MAX_HEADERS;
use super::{Answered, BoxError, Event, Exchange, Linger, Origin, Written};
use crate::classify;
use crate::dialect::{self, Dialect, standard};
use crate::fault::Fault;
use crate::guard::body_limit::{self, Flags};
use crate::policy::Policy;

/// The headers of an answer that closes its connection: one more than a header map's first allocation holds.
const MOST_HEADERS: usize = 7;

impl Exchange {
    /// Writes an inner error anew: head and body.
    pub(super) fn write(
        mut self,
        head: &mut response::Parts,
        fault: Fault,
        origin: Origin,
        dialect: Option<Dialect>,
    ) -> Written {
        let body = self.body_of(&fault);
        let length = self.inner_length(&head.headers, &fault).unwrap_or(body.len() as u64);
        add_missing(&mut head.headers, fault.headers());
        self.expose(&mut head.headers);
        head::rewrite(&mut head.headers, head.status, fault.code(), length, self.request.is_http1);
        self.identify_response(&mut head.headers);
        let body = if self.request.is_head { Bytes::new() } else { body };
        let status = head.status;
        let mut event = self.event(origin, cause_of(&fault));
        event.dialect = dialect;
        event.status = Some(status);
        event.code = Some(fault.code().clone());
        Written { body, event }
    }

    pub(super) fn refuse(self, fault: Fault, cause: Option<BoxError>) -> Answered {
        let linger = self.linger();
        self.answer(fault, Origin::Guard, cause, linger)
    }

    /// A reply of the layer's own.
    pub(super) fn answer(
        self,
        fault: Fault,
        origin: Origin,
        cause: Option<BoxError>,
        linger: Option<Linger>,
    ) -> Answered {
        let fault = classify::with_issues(fault);
        let body = self.body_of(&fault);
        let status = fault.status_code();
        let mut reply = Response::new(Bytes::new());
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        let close = self.must_close();
        if close {
            headers.reserve(MOST_HEADERS);
        }
        add_missing(headers, fault.headers());
        self.expose(headers);
        head::rewrite(headers, status, fault.code(), body.len() as u64, self.request.is_http1);
        headers.insert(X_REQUEST_ID, self.id_header.clone());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !self.request.is_head {
            *reply.body_mut() = body;
        }
        let mut event = self.event(origin, cause.or_else(|| cause_of(&fault)));
        event.status = Some(status);
        event.code = Some(fault.code().clone());
        Answered { reply, linger, event }
    }

    /// On HEAD a layer inside knows the envelope that it would have sent, and its length (E5, E7).
    fn inner_length(&self, headers: &HeaderMap, fault: &Fault) -> Option<u64> {
        let same_code = || headers.get(X_ERROR_CODE).is_some_and(|code| *code == *fault.code().as_str());
        let json = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case("application/json"));
        if self.request.is_head && same_code() && json() { body_limit::declared(headers) } else { None }
    }

    fn body_of(&self, fault: &Fault) -> Bytes {
        let id = self.id_header.as_bytes();
        standard::write(fault.code().as_str(), &fault.text(), fault.details_json(), id).into()
    }

    /// What is dropped of a request that is still in the adapter's hand (G5). With `Expect` unanswered nothing is: reading
    /// would invite the upload. On HTTP/2 the body goes first: a client that stops its upload at a 4xx would lose one that
    /// waits for the rest, and no reset of the connection can come under it.
    pub(super) fn linger(&self) -> Option<Linger> {
        let linger = || Linger { body_first: !self.request.is_http1, ..linger_of(&self.policy) };
        (self.request.has_body && !self.request.expects).then(linger)
    }

    /// Whether bytes of the request may still be on an HTTP/1 connection after the answer (G5).
    fn must_close(&self) -> bool {
        let ended = self.flags.as_ref().is_none_or(|flags| flags.has(Flags::ENDED));
        self.request.is_http1 && self.request.has_body && !ended && (self.request.expects || !self.request.cheap_rest)
    }

    pub(super) fn event(self, origin: Origin, cause: Option<BoxError>) -> Event {
        Event {
            request_id: self.id,
            code: None,
            status: None,
            origin,
            dialect: None,
            cause,
            notes: self.aside.map(|aside| aside.notes).unwrap_or_default(),
            policy: self.policy,
            label: self.settings.label(),
        }
    }
}

pub(super) fn linger_of(policy: &Policy) -> Linger {
    let drain = policy.drain();
    Linger { max_bytes: drain.max_bytes, timeout: drain.timeout, body_first: false }
}

/// The headers of a fault, where the response has none of that name.
fn add_missing(headers: &mut HeaderMap, of_fault: &HeaderMap) {
    if headers.len() + of_fault.len() > MAX_HEADERS {
        return;
    }
    for name in of_fault.keys() {
        if !headers.contains_key(name) {
            for value in of_fault.get_all(name) {
                headers.append(name, value.clone());
            }
        }
    }
}

/// A fault's source is the user's own, and its `Display` is for the adapter to call: it may panic (F2).
fn cause_of(fault: &Fault) -> Option<BoxError> {
    fault.source().map(|_| Box::new(fault.clone()) as BoxError)
}
