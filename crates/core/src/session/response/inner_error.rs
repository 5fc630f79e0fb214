//! Reads inner errors: decodes the body, finds the text in the status line, and lets `classify` decide with the facts
//! about the request and the policy (R1–R5).

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode, response};

use crate::classify::{self, ChangedBody, Explanation, Inner, KeptProtocols, ReadContext, Rewrite, reason};
use crate::dialect::grpc::ReportedStatus;
use crate::dialect::protocol::ProtocolType;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{Shape, charset, coding, connect};
use crate::guard::body_limit;
use crate::policy::{Mode, Protocols};
use crate::session::answer::body::ErrorForm;
use crate::session::answer::outcome::ReadBytes;
use crate::session::answer::refusals::predict_refusal;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::RequestRecord;
use crate::session::request::facts::RequestFlags;
use crate::session::request::state::RequestState;
use crate::{dialect, fields, grpc_messages};

impl RequestState {
    /// Decides what the client gets for an error with this status, head and decoded body.
    #[inline]
    pub(in crate::session) fn inner_decision<'b>(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        (body, changed): (Option<&'b [u8]>, &'b ChangedBody),
        reason: Option<&'b str>,
    ) -> Rewrite<'b> {
        let inner = Inner { status, headers, body, reason, changed };
        self.with_facts(inner, classify::response)
    }

    /// Returns what an error contains, and which rules matched it.
    pub(in crate::session) fn explanation(&self, head: &response::Parts, body: ReadBytes<'_>) -> Explanation {
        let decoded = self.decoded_body(&head.headers, body);
        let reason = self.reason_phrase(head, || matches!(body, ReadBytes::Whole(_)));
        let (status, headers, changed) = (head.status, &head.headers, &ChangedBody::default());
        let inner = Inner { status, headers, body: decoded.as_deref(), reason: reason.as_deref(), changed };
        self.with_facts(inner, classify::explain)
    }

    /// Returns the decoded body in UTF-8, or `None` if it cannot be read (R3–R5).
    pub(in crate::session) fn decoded_body<'b>(
        &self,
        headers: &HeaderMap,
        body: ReadBytes<'b>,
    ) -> Option<Cow<'b, [u8]>> {
        let ReadBytes::Whole(body) = body else { return None };
        Some(charset::in_utf8(headers, self.decode_body(headers, body)?))
    }

    fn decode_body<'b>(&self, headers: &HeaderMap, body: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        let codings = coding::codings(headers)?;
        if !codings.is_empty() {
            return coding::decoded(&codings, body, self.policy().process.inspect.max_bytes).map(Cow::Owned);
        }
        // An inner translator from gRPC to gRPC-Web in base64 encodes every body.
        let answered = || self.request.rpc?.answered_by(fields::first(headers, &CONTENT_TYPE));
        if answered().is_some_and(Rpc::is_text) {
            return grpc_messages::decode(body).map(Cow::Owned);
        }
        Some(Cow::Borrowed(body))
    }

    /// Returns the text in the status line of a 4xx whose body is empty or was read (R3).
    pub(in crate::session) fn reason_phrase(
        &self,
        head: &response::Parts,
        is_known: impl FnOnce() -> bool,
    ) -> Option<Box<str>> {
        let phrase = if head.status.is_client_error() { self.config.reason_phrase(&head.extensions) } else { None }?;
        reason::own_words(head.status, phrase).filter(|_| is_known()).map(Into::into)
    }

    /// Calls `read` with the error, and with the facts about the request and the policy that it needs.
    #[inline(always)]
    fn with_facts<'h, 'b, T>(
        &self,
        inner: Inner<'h, 'b>,
        read: impl FnOnce(&Inner<'h, 'b>, &ReadContext<'_>) -> T,
    ) -> T {
        let form = ErrorForm::new(self);
        let context = ReadContext {
            credentials: self.request.credentials,
            scheme: self.cold.as_ref().and_then(|cold| cold.scheme.as_deref()).unwrap_or_default(),
            method: form.target.map_or(&Method::GET, |(method, _)| method),
            is_post: self.method.as_str() == "POST",
            path: form.target.map(|(_, path)| path.path()),
            target: &self.target,
            body_format: self.request.body_format(),
            policy: self.policy(),
            settings: &self.settings,
            protocols: self.kept_protocols(),
            dialect: form.dialect(),
            negotiated: form.negotiated(),
            page: form.page(),
        };
        read(&inner, &context)
    }

    /// Returns true if the head of a response to HEAD shows that GET would get the error in the shape of its protocol
    /// (E5). For a 5xx, only the status decides, because the body for GET is not known.
    pub(in crate::session) fn keeps_head(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let named = || dialect::essence(headers).and_then(ProtocolType::new);
        self.request.is_head()
            && status.is_client_error()
            && body_limit::declared(headers).is_some_and(|length| length > 0)
            && named().is_some_and(|it| self.kept_protocols().keep_type(it))
    }

    /// Returns the protocols whose errors keep their shape (R10).
    pub(in crate::session) fn kept_protocols(&self) -> KeptProtocols {
        match self.settings.protocols {
            _ if self.request.rpc.is_some() => KeptProtocols::Nothing,
            Protocols::Pass => KeptProtocols::All,
            Protocols::Rewrite => KeptProtocols::Some,
        }
    }

    /// Returns an inner error in Connect's own form, if the body is one, and if the path names a method (P3), or another
    /// layer wrote the error (E7).
    pub(in crate::session) fn connect_status<'b>(
        &self,
        headers: &HeaderMap,
        body: Option<&'b [u8]>,
    ) -> Option<ReportedStatus<'b>> {
        let is_layers = || self.request.rpc == Some(Rpc::ConnectUnary) && headers.contains_key(fields::X_ERROR_CODE);
        if self.request.has(RequestFlags::METHOD) || is_layers() { connect::read(body?) } else { None }
    }

    /// Returns the record of a call for which the service sent this RPC status and this HTTP status, in the form of the
    /// call's protocol. Returns `None` if the call succeeded. In mode `off`, a failed call is counted, but not logged
    /// (L1).
    pub(in crate::session) fn rpc_failure(
        &self,
        reported: &ReportedStatus<'_>,
        status: StatusCode,
    ) -> Option<RequestRecord> {
        let is_logged = reported.status != Status::OK && self.settings.mode != Mode::Off;
        is_logged.then(|| self.rpc_record(reported, status))
    }

    /// Returns the record of a call with this RPC status and this HTTP status, in any mode.
    pub(in crate::session) fn rpc_record(&self, reported: &ReportedStatus<'_>, status: StatusCode) -> RequestRecord {
        let policy = self.policy();
        let code = classify::rpc::code_of(reported, policy.codes(), &policy.process.rpc_domain);
        let is_grpc = self.request.rpc.is_some_and(Rpc::is_grpc);
        let grpc = self.service.and_then(|service| service.grpc).or(Some(reported.status.number()));
        let mut record = RequestRecord {
            sent: Some(SentStatus { status, grpc, code: Some(code.clone()) }),
            dialect: Some(if is_grpc { Shape::Grpc } else { Shape::Connect }),
            ..self.record(Origin::Inner)
        };
        predict_refusal(self, &mut record, &code);
        record
    }
}
