//! What the client gets: an answer of the layer's own, or an inner error written anew (E1, E5), and what is read of the
//! request so that it can be read (G5).

use std::error::Error;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};

use super::body::OwnBody;
use super::head::{self, Own, X_ERROR_CODE, X_REQUEST_ID};
use super::request::{self, MAX_HEADERS};
use super::{Answered, BoxError, Event, Exchange, Linger, Origin, Shown, Written};
use crate::classify::{self, Rewrite};
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{self, Dialect};
use crate::fault::{Fault, Head, Prepared, Sample};
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

/// An error that is on its way out.
pub(super) struct Leaving {
    status: StatusCode,
    pub(super) sent: StatusCode,
    head: HeaderMap,
    pub(super) body: Bytes,
    grpc: Option<Status>,
}

impl Exchange {
    /// Writes an inner error anew: head and body.
    pub(super) fn write(mut self, head: &mut response::Parts, fault: Fault, origin: Origin) -> Written {
        let fault = self.adopted(fault);
        self.write_read(head, Rewrite::of(fault), origin, &[])
    }

    /// Writes an inner error anew that was read, from this body.
    pub(super) fn write_read(
        mut self,
        head: &mut response::Parts,
        mut rewrite: Rewrite<'_>,
        origin: Origin,
        read: &[u8],
    ) -> Written {
        let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
        let Rewrite { shape, own, named, by, rule, .. } = rewrite;
        let part = self.settings.part();
        let before = self.exhibits().then(|| Shown::of(head.status, &head.headers, read));
        let known = if own.is_none() {
            let (fault, text) = rewrite.parts();
            self.known(fault, text, head.status, &head.headers)
        } else {
            None
        };
        let (code, cause) = (rewrite.code().clone(), cause_of(rewrite.parts().0));
        let leaving = match known {
            Some(leaving) => {
                head.headers = leaving.head;
                Leaving { head: HeaderMap::new(), ..leaving }
            }
            None => {
                let fault = rewrite.into_fault();
                let own = own.map(|own| (own, read));
                let leaving = self.rewritten(&mut head.headers, head.status, &fault, named, own, &self.id_header);
                self.identify_response(&mut head.headers);
                leaving
            }
        };
        head.status = leaving.sent;
        let body = if self.request.is_head() { Bytes::new() } else { leaving.body };
        let after = before.is_some().then(|| Shown::of(leaving.sent, &head.headers, &body));
        let mut event = self.event(origin, cause);
        event.dialect = shape;
        event.status = Some(leaving.status);
        event.grpc = leaving.grpc;
        event.code = Some(code);
        event.note_lost(lost);
        event.decided(by, part, rule);
        if after.is_some() {
            event.show(before, after);
        }
        Written { body, event }
    }

    #[inline]
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
        let listed = classify::listed(self.adopted(fault), self.dialect());
        let fault = self.policy().kept(&listed);
        let close = self.must_close();
        let status = fault.status_code();
        let known = if close {
            self.prepared(fault, status, true).map(|prepared| {
                let head = prepared.head().filled(&self.id_header, None, &HeaderMap::new());
                self.copied(prepared, head, status)
            })
        } else {
            self.known(fault, None, status, &HeaderMap::new())
        };
        let leaving = known.unwrap_or_else(|| self.answered(fault, close, &self.id_header));
        let mut reply = Response::new(if self.request.is_head() { Bytes::new() } else { leaving.body });
        *reply.status_mut() = leaving.sent;
        *reply.headers_mut() = leaving.head;
        let (cause, code) = (cause.or_else(|| cause_of(fault)), fault.code().clone());
        let unenforced = self.unenforced();
        let after = self.exhibits().then(|| Shown::of(leaving.sent, reply.headers(), reply.body()));
        let mut event = self.event(origin, cause);
        event.status = Some(leaving.status);
        event.grpc = leaving.grpc;
        event.code = Some(code);
        if after.is_some() {
            event.show(None, after);
        }
        Answered { reply, linger, event, unenforced }
    }

    /// What is known beforehand of an error with this status, and with this head of its own. One that says more than its
    /// code has its code's head.
    fn known(&self, fault: &Fault, text: Option<&str>, status: StatusCode, inner: &HeaderMap) -> Option<Leaving> {
        let id = &self.id_header;
        let kept = self.policy().kept(fault);
        if text.is_none()
            && let Some(prepared) = self.prepared(kept, status, false)
        {
            let head = self.known_head(prepared, kept, status, inner)?.filled(id, None, inner);
            return Some(self.copied(prepared, head, status));
        }
        let is_canonical = self.dialect() == Dialect::Standard;
        if fault.has_headers() || text.is_some() && !is_canonical {
            return None;
        }
        let stock = self.policy().fault(fault.code())?;
        let prepared = self.prepared(stock, stock.status_code(), false)?;
        let head = self.known_head(prepared, stock, status, inner)?;
        let (body, status) = match text {
            Some(text) => (self.canonical(fault, text), status),
            None => self.body_of(fault, status, None, id, fault.headers()),
        };
        let head = head.filled(id, Some(body.len()), inner);
        Some(Leaving { status, sent: status, head, body, grpc: None })
    }

    /// The head of what is prepared of a fault, beside what an inner one keeps.
    fn known_head<'p>(
        &self,
        prepared: &'p Prepared,
        fault: &Fault,
        status: StatusCode,
        inner: &HeaderMap,
    ) -> Option<&'p Head> {
        if head::keeps_nothing(inner, status) {
            return Some(prepared.head());
        }
        // A dialect may tell its clients in the body what `retry-after` says.
        if self.request.is_head() || self.dialect().form().tells_wait {
            return None;
        }
        prepared.head_beside(inner, |mut inner, id| {
            head::keeps_by_name(&inner).then(|| {
                self.rewritten(&mut inner, fault.status_code(), fault, true, None, id);
                inner.insert(X_REQUEST_ID, id.clone());
                inner
            })
        })
    }

    #[inline]
    fn copied(&self, prepared: &Prepared, head: HeaderMap, status: StatusCode) -> Leaving {
        let status = if prepared.asked() == status { prepared.status() } else { status };
        Leaving { status, sent: status, head, body: prepared.body(&self.id_header), grpc: None }
    }

    /// What is prepared of a fault that the policy keeps, in the form that the client gets; at the first error of that form
    /// it is. A body may name its status.
    fn prepared<'f>(&self, fault: &'f Fault, status: StatusCode, close: bool) -> Option<&'f Prepared> {
        if self.request.rpc.is_some() {
            return None;
        }
        let (form, forms) = self.policy().form(&self.settings, self.negotiated())?;
        let slot = fault.slot(2 * form + usize::from(close), 2 * forms)?;
        let prepared = slot.get_or_init(|| {
            let status = fault.status_code();
            Prepared::of(status, |id| {
                let Leaving { status, head, body, .. } = self.answered(fault, close, id);
                Sample { status, head, body }
            })
        });
        prepared.as_deref().filter(|prepared| prepared.asked() == status || self.dialect() == Dialect::Standard)
    }

    /// An answer, written out.
    fn answered(&self, fault: &Fault, close: bool, id: &HeaderValue) -> Leaving {
        let mut headers = HeaderMap::new();
        if close {
            headers.reserve(MOST_HEADERS);
        }
        let leaving = self.rewritten(&mut headers, fault.status_code(), fault, true, None, id);
        headers.insert(X_REQUEST_ID, id.clone());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Leaving { head: headers, ..leaving }
    }

    /// An error with this head and this status, written out; its head stays where it is.
    pub(super) fn rewritten(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        fault: &Fault,
        named: bool,
        own: Option<OwnBody<'_>>,
        id: &HeaderValue,
    ) -> Leaving {
        let told = self.inner_length(headers, fault);
        add_missing(headers, fault.headers());
        self.expose_error(headers);
        let reply = match self.request.rpc {
            Some(rpc) => self.in_rpc(rpc, fault, status, named, headers),
            None => self.in_http(fault, status, own, id, headers),
        };
        let length = reply.length().map(|length| told.unwrap_or(length));
        head::rewrite(headers, reply.status, &self.own_head(fault, length, id));
        reply.add_fields(headers);
        let Reply { status, sent, body, grpc, .. } = reply;
        Leaving { status, sent, head: HeaderMap::new(), body, grpc }
    }

    /// What the head of a written error says by itself.
    fn own_head<'a>(&self, fault: &'a Fault, length: Option<u64>, id: &'a HeaderValue) -> Own<'a> {
        Own {
            code: fault.code(),
            content_type: self.content_type(),
            length,
            // Over 200 a cache sees no error.
            negotiates: matches!(self.request.rpc, None | Some(Rpc::ConnectUnary))
                && request::negotiates(&self.settings),
            id: self.dialect().form().id_header.map(|name| (name, id)),
            http1: self.request.is_http1(),
        }
    }

    /// On HEAD a layer inside knows the body that it would have sent, and its length (E5, E7). None is 0: a service that
    /// only names a code says that it has no body.
    fn inner_length(&self, headers: &HeaderMap, fault: &Fault) -> Option<u64> {
        let same_code = || headers.get(X_ERROR_CODE).is_some_and(|code| *code == *fault.code().as_str());
        let same_type = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case(self.content_type()));
        let told = self.request.is_head() && same_code() && same_type();
        if told { body_limit::declared(headers).filter(|length| *length > 0) } else { None }
    }

    /// What is dropped of a request that is still in the adapter's hand (G5). With `Expect` unanswered nothing is: reading
    /// would invite the upload. On HTTP/2 the body goes first: a client that stops its upload at a 4xx would lose one that
    /// waits for the rest, and no reset of the connection can come under it.
    /// So does a gRPC answer end with its head: a client knows a status in a head by the end of the stream (P1).
    pub(super) fn linger(&self) -> Option<Linger> {
        let linger = || Linger { body_first: !self.request.is_http1(), ..linger_of(self.policy()) };
        let ends_with_head = !self.request.is_http1() && self.request.rpc.is_some_and(Rpc::is_grpc);
        (self.request.has_body() && !self.request.expects() && !ends_with_head).then(linger)
    }

    /// Whether bytes of the request may still be on an HTTP/1 connection after the answer (G5).
    fn must_close(&self) -> bool {
        let ended = self.flags.as_ref().is_some_and(|flags| flags.has(Flags::ENDED));
        self.request.is_http1()
            && self.request.has_body()
            && !ended
            && (self.request.expects() || !self.request.has_cheap_rest())
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
            unread: None,
            by: None,
            rule: None,
            cause: None,
            notes: self.aside.as_ref().and_then(|aside| aside.event_notes()),
            terms: self.terms.clone(),
            label: self.settings.label(),
        }
    }

    #[inline]
    pub(super) fn event(self, origin: Origin, cause: Option<BoxError>) -> Event {
        Event {
            request_id: self.id,
            code: None,
            status: None,
            would_be: None,
            grpc: None,
            origin,
            dialect: None,
            unread: None,
            by: None,
            rule: None,
            cause,
            notes: self.aside.and_then(|aside| aside.event_notes()),
            terms: self.terms,
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
