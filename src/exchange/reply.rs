//! What the client gets: an answer of the layer's own, or an inner error written anew (E1, E5), and what is read of the
//! request so that it can be read (G5).

use std::error::Error;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

use super::head::{self, Own, X_ERROR_CODE, X_REQUEST_ID};
use super::request::{self, MAX_HEADERS};
use super::{Answered, BoxError, Event, Exchange, Linger, Origin, Written};
use crate::classify::{self, Rewrite};
use crate::dialect;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::guard::body_limit::{self, Flags};
use crate::policy::Policy;

/// The headers of an answer that closes its connection: more than a header map's first allocation holds.
const MOST_HEADERS: usize = 8;

/// An error as it leaves.
pub(super) struct Reply {
    /// What it is, over whichever protocol.
    pub(super) status: StatusCode,
    /// What stands in the status line: 200 where a protocol has a status of its own.
    pub(super) sent: StatusCode,
    pub(super) body: Bytes,
    /// The head is the whole answer: these say it all.
    pub(super) fields: Option<Box<HeaderMap>>,
    pub(super) grpc: Option<Status>,
}

impl Reply {
    /// The length of the body, where there is to be one.
    pub(super) fn length(&self) -> Option<u64> {
        self.fields.is_none().then_some(self.body.len() as u64)
    }

    pub(super) fn add_fields(&self, headers: &mut HeaderMap) {
        let Some(fields) = &self.fields else { return };
        for (name, value) in &**fields {
            headers.insert(name, value.clone());
        }
    }
}

impl Exchange {
    /// Writes an inner error anew: head and body.
    pub(super) fn write(self, head: &mut response::Parts, fault: Fault, origin: Origin) -> Written {
        self.write_read(head, Rewrite { fault, shape: None, own: None, named: true }, origin, &[])
    }

    /// Writes an inner error anew that was read, from this body.
    pub(super) fn write_read(
        mut self,
        head: &mut response::Parts,
        Rewrite { fault, shape, own, named }: Rewrite,
        origin: Origin,
        read: &[u8],
    ) -> Written {
        let told = self.inner_length(&head.headers, &fault);
        add_missing(&mut head.headers, fault.headers());
        self.expose_error(&mut head.headers);
        let reply = match self.request.rpc {
            Some(rpc) => self.in_rpc(rpc, &fault, head.status, named, &head.headers),
            None => self.in_http(&fault, head.status, own.map(|own| (own, read)), &head.headers),
        };
        head.status = reply.sent;
        let length = reply.length().map(|length| told.unwrap_or(length));
        head::rewrite(&mut head.headers, reply.status, &self.own_head(&fault, length));
        reply.add_fields(&mut head.headers);
        self.identify_response(&mut head.headers);
        let body = if self.request.is_head { Bytes::new() } else { reply.body };
        let mut event = self.event(origin, cause_of(&fault));
        event.dialect = shape;
        event.status = Some(reply.status);
        event.grpc = reply.grpc;
        event.code = Some(fault.code().clone());
        Written { body, event }
    }

    pub(super) fn refuse(self, fault: Fault, cause: Option<BoxError>) -> Answered {
        let linger = self.linger();
        self.answer(fault, Origin::Guard, cause, linger)
    }

    /// A reply of the layer's own.
    pub(super) fn answer(
        mut self,
        fault: Fault,
        origin: Origin,
        cause: Option<BoxError>,
        linger: Option<Linger>,
    ) -> Answered {
        let fault = classify::listed(fault, self.dialect());
        let own = match self.request.rpc {
            Some(rpc) => self.in_rpc(rpc, &fault, fault.status_code(), true, fault.headers()),
            None => self.in_http(&fault, fault.status_code(), None, fault.headers()),
        };
        let mut reply = Response::new(Bytes::new());
        *reply.status_mut() = own.sent;
        let headers = reply.headers_mut();
        let close = self.must_close();
        if close {
            headers.reserve(MOST_HEADERS);
        }
        add_missing(headers, fault.headers());
        self.expose_error(headers);
        head::rewrite(headers, own.status, &self.own_head(&fault, own.length()));
        own.add_fields(headers);
        headers.insert(X_REQUEST_ID, self.id_header.clone());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !self.request.is_head {
            *reply.body_mut() = own.body;
        }
        let unenforced = self.unenforced();
        let mut event = self.event(origin, cause.or_else(|| cause_of(&fault)));
        event.status = Some(own.status);
        event.grpc = own.grpc;
        event.code = Some(fault.code().clone());
        Answered { reply, linger, event, unenforced }
    }

    /// What the head of a written error says by itself.
    fn own_head<'a>(&'a self, fault: &'a Fault, length: Option<u64>) -> Own<'a> {
        Own {
            code: fault.code(),
            content_type: self.content_type(),
            length,
            // Over 200 a cache sees no error.
            negotiates: matches!(self.request.rpc, None | Some(Rpc::ConnectUnary))
                && request::negotiates(&self.settings),
            id: self.dialect().form().id_header.map(|name| (name, &self.id_header)),
            http1: self.request.is_http1,
        }
    }

    /// On HEAD a layer inside knows the body that it would have sent, and its length (E5, E7). None is 0: a service that
    /// only names a code says that it has no body.
    fn inner_length(&self, headers: &HeaderMap, fault: &Fault) -> Option<u64> {
        let same_code = || headers.get(X_ERROR_CODE).is_some_and(|code| *code == *fault.code().as_str());
        let same_type = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case(self.content_type()));
        let told = self.request.is_head && same_code() && same_type();
        if told { body_limit::declared(headers).filter(|length| *length > 0) } else { None }
    }

    /// What is dropped of a request that is still in the adapter's hand (G5). With `Expect` unanswered nothing is: reading
    /// would invite the upload. On HTTP/2 the body goes first: a client that stops its upload at a 4xx would lose one that
    /// waits for the rest, and no reset of the connection can come under it.
    /// So does a gRPC answer end with its head: a client knows a status in a head by the end of the stream (P1).
    pub(super) fn linger(&self) -> Option<Linger> {
        let linger = || Linger { body_first: !self.request.is_http1, ..linger_of(&self.policy) };
        let ends_with_head = !self.request.is_http1 && self.request.rpc.is_some_and(Rpc::is_grpc);
        (self.request.has_body && !self.request.expects && !ends_with_head).then(linger)
    }

    /// Whether bytes of the request may still be on an HTTP/1 connection after the answer (G5).
    fn must_close(&self) -> bool {
        let ended = self.flags.as_ref().is_none_or(|flags| flags.has(Flags::ENDED));
        self.request.is_http1 && self.request.has_body && !ended && (self.request.expects || !self.request.cheap_rest)
    }

    pub(super) fn event_of(&self, origin: Origin) -> Event {
        Event {
            request_id: self.id,
            code: None,
            status: None,
            would_be: None,
            grpc: None,
            origin,
            dialect: None,
            cause: None,
            notes: self.aside.as_ref().map(|aside| aside.notes.clone()).unwrap_or_default(),
            policy: self.policy.clone(),
            label: self.settings.label(),
        }
    }

    pub(super) fn event(self, origin: Origin, cause: Option<BoxError>) -> Event {
        Event {
            request_id: self.id,
            code: None,
            status: None,
            would_be: None,
            grpc: None,
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
pub(super) fn cause_of(fault: &Fault) -> Option<BoxError> {
    fault.source().map(|_| Box::new(fault.clone()) as BoxError)
}
