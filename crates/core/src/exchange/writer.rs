//! Errors as their client gets them (E1, E5): head and body, written out or copied from what is prepared.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONNECTION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::Exchange;
use super::head::{self, ErrorHead, X_ERROR_CODE, X_REQUEST_ID};
use super::request::{self, MAX_HEADERS, RequestFlags};
use crate::classify;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{self, Dialect};
use crate::fault::{Fault, HeadTemplate, PreparedReply, WrittenReply};
use crate::guard::body_limit;
use crate::policy::{Policy, ResponseSettings};

/// The headers of an answer that closes its connection: more than a header map's first allocation holds.
const MOST_HEADERS: usize = 8;

/// Writes the errors of one request.
#[derive(Clone, Copy)]
pub(super) struct ErrorWriter<'e> {
    pub(super) policy: &'e Policy,
    pub(super) clock: fn() -> SystemTime,
    pub(super) settings: &'e ResponseSettings,
    pub(super) request: RequestFlags,
    /// Method and path, where a rule of the policy reads them.
    pub(super) target: Option<&'e (Method, PathAndQuery)>,
    /// When the request began, where its dialect has a time.
    pub(super) began: Option<SystemTime>,
    pub(super) id: &'e HeaderValue,
    /// The fields of a body of another shape that the policy keeps (R12): a JSON object.
    pub(super) kept: Option<&'e str>,
}

/// An error as it leaves.
pub(super) struct OutgoingReply {
    /// The error's status, over whichever protocol.
    pub(super) status: StatusCode,
    /// The status in the status line: 200 where a protocol has a status of its own.
    pub(super) sent: StatusCode,
    /// The header fields of [`ErrorWriter::in_rpc`] that hold the whole error: then there is no body.
    pub(super) head: HeaderMap,
    pub(super) body: Bytes,
    pub(super) grpc: Option<Status>,
}

impl OutgoingReply {
    #[inline]
    fn over_http(status: StatusCode, body: Bytes) -> Self {
        Self { status, sent: status, head: HeaderMap::new(), body, grpc: None }
    }
}

/// An inner body that already is in the client's dialect, and which part of it passes.
pub(super) type RetainedBody<'a> = (classify::Retained, &'a [u8]);

impl Exchange {
    #[inline]
    pub(super) fn writer(&self) -> ErrorWriter<'_> {
        let cold = self.cold.as_deref();
        ErrorWriter {
            policy: self.policy(),
            clock: self.config.clock,
            settings: &self.settings,
            request: self.request,
            target: cold.and_then(|cold| cold.target.as_ref()),
            began: cold.and_then(|cold| cold.began),
            id: &self.id_header,
            kept: None,
        }
    }
}

impl ErrorWriter<'_> {
    /// The prepared reply for an error with this status and this head of its own, which becomes the reply's. An error with
    /// more than its code has its code's head.
    pub(super) fn prepared_reply(
        &self,
        fault: &Fault,
        text: Option<&str>,
        status: StatusCode,
        head: &mut HeaderMap,
        close: bool,
    ) -> Option<OutgoingReply> {
        let kept = self.policy.prepared_fault(fault);
        if text.is_none()
            && let Some(prepared) = self.prepared(kept, status, close)
        {
            self.known_head(prepared, kept, status, head)?.fill(head, self.id, None);
            let status = if prepared.prepared_for() == status { prepared.status() } else { status };
            return Some(OutgoingReply::over_http(status, prepared.body(self.id)));
        }
        let is_canonical = self.dialect() == Dialect::Standard;
        if fault.has_headers() || text.is_some() && !is_canonical {
            return None;
        }
        let stock = self.policy.fault(fault.code())?;
        let prepared = self.prepared(stock, stock.status_code(), close)?;
        let known = self.known_head(prepared, stock, status, head)?;
        let (body, status) = match text {
            Some(text) => (self.canonical(fault, text), status),
            None => self.body_of(fault, status, None, fault.headers()),
        };
        known.fill(head, self.id, Some(body.len()));
        Some(OutgoingReply::over_http(status, body))
    }

    /// The prepared head of a fault, beside what an inner head keeps.
    fn known_head<'p>(
        &self,
        prepared: &'p PreparedReply,
        fault: &Fault,
        status: StatusCode,
        inner: &HeaderMap,
    ) -> Option<&'p HeadTemplate> {
        if head::keeps_nothing(inner, status) {
            return Some(prepared.head());
        }
        // A dialect's body may contain the wait of `retry-after`.
        if self.request.is_head() || self.dialect().spec().tells_wait {
            return None;
        }
        prepared.head_beside(inner, |mut inner, id| {
            head::keeps_by_name(&inner).then(|| {
                ErrorWriter { id, ..*self }.rewritten(&mut inner, fault.status_code(), fault, true, None);
                inner.insert(X_REQUEST_ID, id.clone());
                inner
            })
        })
    }

    /// The prepared reply of a fault that the policy keeps, in the client's form; the first error of that form prepares it.
    /// A body may name its status.
    fn prepared<'f>(&self, fault: &'f Fault, status: StatusCode, close: bool) -> Option<&'f PreparedReply> {
        if self.request.rpc.is_some() || self.page().is_some() {
            return None;
        }
        let (form, forms) = self.policy.form(self.settings, self.negotiated())?;
        let slot = fault.slot(2 * form + usize::from(close), 2 * forms)?;
        let prepared = slot.get_or_init(|| {
            PreparedReply::new(fault.status_code(), |id| {
                let mut head = HeaderMap::new();
                let written = ErrorWriter { id, ..*self }.answered(&mut head, fault, close);
                let OutgoingReply { status, body, .. } = written;
                WrittenReply { status, head, body }
            })
        });
        prepared.as_deref().filter(|prepared| prepared.prepared_for() == status || self.dialect() == Dialect::Standard)
    }

    /// An answer, written out; its head stays where it is.
    pub(super) fn answered(&self, headers: &mut HeaderMap, fault: &Fault, close: bool) -> OutgoingReply {
        if close {
            headers.reserve(MOST_HEADERS);
        }
        let leaving = self.rewritten(headers, fault.status_code(), fault, true, None);
        headers.insert(X_REQUEST_ID, self.id.clone());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        leaving
    }

    /// An error with this head and this status, written out; its head stays where it is.
    pub(super) fn rewritten(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        fault: &Fault,
        named: bool,
        own: Option<RetainedBody<'_>>,
    ) -> OutgoingReply {
        let declared = self.inner_length(headers, fault);
        add_missing(headers, fault.headers());
        self.expose(headers);
        let leaving = match self.request.rpc {
            Some(rpc) => self.in_rpc(rpc, fault, status, named, headers),
            None => {
                let (body, status) = self.body_of(fault, status, own, headers);
                OutgoingReply::over_http(status, body)
            }
        };
        let length = leaving.head.is_empty().then(|| declared.unwrap_or(leaving.body.len() as u64));
        let mut own_head = self.own_head(fault, length);
        if let Some((classify::Retained::Protocol(protocol), _)) = own {
            (own_head.content_type, own_head.is_page) = (head::kept_type(headers, protocol.format()), false);
        }
        head::rewrite(headers, leaving.status, own_head);
        for (name, value) in &leaving.head {
            headers.insert(name, value.clone());
        }
        OutgoingReply { head: HeaderMap::new(), ..leaving }
    }

    /// E4; a gRPC-Web client recognises an error by its head (P2).
    fn expose(&self, headers: &mut HeaderMap) {
        if !self.settings.expose_headers {
            return;
        }
        head::expose(headers);
        if matches!(self.request.rpc, Some(Rpc::Web(_) | Rpc::WebText(_))) {
            head::expose_grpc(headers);
        }
    }

    /// The head of a written error.
    fn own_head<'a>(&'a self, fault: &'a Fault, length: Option<u64>) -> ErrorHead<'a> {
        ErrorHead {
            code: fault.code(),
            content_type: HeaderValue::from_static(self.content_type()),
            length,
            // Over 200 a cache does not recognise an error.
            negotiates: matches!(self.request.rpc, None | Some(Rpc::ConnectUnary))
                && request::negotiates(self.settings),
            is_page: self.page().is_some(),
            id: self.dialect().spec().id_header.map(|name| (name, self.id)),
            http1: self.request.is_http1(),
        }
    }

    /// On HEAD a layer inside has computed the body that it would have sent, and its length (E5, E7). No length is 0: a service
    /// that only names a code declares no body.
    fn inner_length(&self, headers: &HeaderMap, fault: &Fault) -> Option<u64> {
        let same_code = || headers.get(X_ERROR_CODE).is_some_and(|code| *code == *fault.code().as_str());
        let same_type = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case(self.media_type()));
        let is_same = self.request.is_head() && same_code() && same_type();
        if is_same { body_limit::declared(headers).filter(|length| *length > 0) } else { None }
    }
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
