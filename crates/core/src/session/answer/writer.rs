//! Writes the head and the body of an error for its client (E1, E5), either from scratch or by copying a prepared
//! reply.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::body::{ErrorForm, OutgoingReply, RetainedBody};
use super::head::ErrorHead;
use super::{body, head};
use crate::dialect::rpc::Rpc;
use crate::dialect::{self, Dialect};
use crate::fault::{Fault, HeadTemplate, PreparedReply, WrittenReply};
use crate::fields::{X_ERROR_CODE, X_REQUEST_ID};
use crate::guard::body_limit;
use crate::page::PageType;
use crate::session::request::facts::negotiates;
use crate::session::request::view::MAX_HEADERS;

/// The number of headers of a response that closes its connection. A header map's first allocation is too small for so
/// many headers.
const MOST_HEADERS: usize = 8;

impl ErrorForm<'_> {
    /// Returns the prepared reply for an error with this status, and adds its headers to `head`. If the error has more
    /// content than its code, only the head of the code's reply is used.
    pub(in crate::session) fn prepared_reply(
        &self,
        fault: &Fault,
        text: Option<&str>,
        status: StatusCode,
        head: &mut HeaderMap,
        close: bool,
    ) -> Option<OutgoingReply> {
        let kept = self.policy.faults.prepared(fault);
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
        let stock = self.policy.faults.of_code(fault.code())?;
        let prepared = self.prepared(stock, stock.status(), close)?;
        let known = self.known_head(prepared, stock, status, head)?;
        let (body, status) = match text {
            Some(text) => (self.canonical(fault, text), status),
            None => self.body_of(fault, status, None, fault.headers()),
        };
        known.fill(head, self.id, Some(body.len()));
        Some(OutgoingReply::over_http(status, body))
    }

    /// Returns the prepared head of a fault, with the headers that stay from the inner head.
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
        // Bodies in this dialect may repeat the waiting time of `retry-after`.
        if self.request.is_head() || self.dialect().spec().has_wait {
            return None;
        }
        prepared.head_beside(inner, |mut inner, id| {
            head::keeps_by_name(&inner).then(|| {
                ErrorForm { id, ..*self }.rewritten(&mut inner, fault.status(), fault, true, None);
                inner.insert(X_REQUEST_ID, id.clone());
                inner
            })
        })
    }

    /// Returns the prepared reply of a fault that the policy keeps, in the form for this client. The first error in
    /// this form prepares the reply. `status` matters because some bodies contain the status.
    fn prepared<'f>(&self, fault: &'f Fault, status: StatusCode, close: bool) -> Option<&'f PreparedReply> {
        if self.request.rpc.is_some() || self.page().is_some() {
            return None;
        }
        let form = self.policy.form(self.settings, self.negotiated())?;
        let slot = fault.slot(2 * form + usize::from(close), || 2 * self.policy.forms())?;
        let prepared = slot.get_or_init(|| {
            PreparedReply::new(fault.status(), |id| {
                let mut head = HeaderMap::new();
                let written = ErrorForm { id, ..*self }.local_reply(&mut head, fault, close);
                let OutgoingReply { status, body, .. } = written;
                WrittenReply { status, head, body }
            })
        });
        prepared.as_deref().filter(|prepared| prepared.prepared_for() == status || self.dialect() == Dialect::Standard)
    }

    /// Writes the layer's own reply to a fault. Adds the reply's headers to `headers`, and returns the reply's status
    /// and body.
    pub(in crate::session) fn local_reply(&self, headers: &mut HeaderMap, fault: &Fault, close: bool) -> OutgoingReply {
        if close {
            headers.reserve(MOST_HEADERS);
        }
        let outgoing = self.rewritten(headers, fault.status(), fault, true, None);
        headers.insert(X_REQUEST_ID, self.id.clone());
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        outgoing
    }

    /// Rewrites an error. Changes the error's headers in `headers`, and returns the error's status and body.
    pub(in crate::session) fn rewritten(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        fault: &Fault,
        is_code_named: bool,
        retained: Option<RetainedBody<'_>>,
    ) -> OutgoingReply {
        let declared = self.inner_length(headers, fault);
        add_missing(headers, fault.headers());
        self.expose(headers);
        let (outgoing, error_head) = match self.request.rpc {
            Some(rpc) => body::write_error(self, rpc, fault, (status, is_code_named), headers),
            None => {
                let (body, status) = self.body_of(fault, status, retained, headers);
                (OutgoingReply::over_http(status, body), HeaderMap::new())
            }
        };
        let length = error_head.is_empty().then(|| declared.unwrap_or(outgoing.body.len() as u64));
        let mut own_head = self.own_head(fault, length);
        let format = retained.and_then(|kept| kept.part.format());
        if let Some(format) = format {
            (own_head.content_type, own_head.is_html) = (head::kept_type(headers, format), false);
        }
        head::rewrite(headers, outgoing.status, own_head);
        for (name, value) in &error_head {
            headers.insert(name, value.clone());
        }
        outgoing
    }

    /// Lets scripts of other origins read the head of the error (E4). A gRPC-Web client recognises the error by this
    /// head (P2).
    fn expose(&self, headers: &mut HeaderMap) {
        if !self.settings.expose_headers {
            return;
        }
        head::expose(headers, &head::EXPOSED);
        if matches!(self.request.rpc, Some(Rpc::Web(_) | Rpc::WebText(_))) {
            head::expose(headers, &head::EXPOSED_OF_GRPC);
        }
    }

    /// Returns the facts from which the head of the error is made.
    fn own_head<'a>(&'a self, fault: &'a Fault, length: Option<u64>) -> ErrorHead<'a> {
        ErrorHead {
            code: fault.code(),
            content_type: HeaderValue::from_static(self.content_type()),
            length,
            // A cache does not recognise an error under the status 200, so `vary` is useless there.
            negotiates: matches!(self.request.rpc, None | Some(Rpc::ConnectUnary)) && negotiates(self.settings),
            is_html: self.page() == Some(PageType::Html),
            id: self.dialect().spec().id_header.map(|name| (name, self.id)),
            http1: self.request.is_http1(),
        }
    }

    /// Returns the length of the body that an inner layer has computed for HEAD (E5, E7). The length 0 is ignored,
    /// because a service that only sets a code has not declared a body.
    fn inner_length(&self, headers: &HeaderMap, fault: &Fault) -> Option<u64> {
        let same_code = || headers.get(X_ERROR_CODE).is_some_and(|code| *code == *fault.code().as_str());
        let same_type = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case(self.media_type()));
        let is_same = self.request.is_head() && same_code() && same_type();
        if is_same { body_limit::declared(headers).filter(|length| *length > 0) } else { None }
    }
}

/// Adds the headers of a fault, except for headers that the response already has.
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
