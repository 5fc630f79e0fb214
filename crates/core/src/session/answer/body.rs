//! Chooses the form of an error for its client, and writes the body in this form (E1, R11, R12, R16). For RPC clients,
//! a part of the error goes into the head (section P).

use std::time::SystemTime;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::classify::Retained;
use crate::code::ErrorCode;
use crate::dialect::json_rpc_call::JsonRpcCall;
use crate::dialect::outgoing::{Outgoing, PreservedBody};
use crate::dialect::outward_form::{self, OutwardForm};
use crate::dialect::rich::RpcError;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{Dialect, DialectSpec, connect, event_stream, grpc, json_rpc, standard};
use crate::fault::Fault;
use crate::fields::X_REQUEST_ID;
use crate::guard::body_limit::{BodyFlags, is_limit_alone};
use crate::json::Object;
use crate::outward::{self, InverseMapRule};
use crate::page::PageType;
use crate::policy::{Policy, RouteSettings, rule};
use crate::session::request::facts::RequestFlags;
use crate::session::request::state::RequestState;
use crate::{classify, page};

/// The form in which the errors of one request are written.
#[derive(Clone, Copy)]
pub(in crate::session) struct ErrorForm<'e> {
    pub(in crate::session) policy: &'e Policy,
    pub(in crate::session) clock: fn() -> SystemTime,
    pub(in crate::session) settings: &'e RouteSettings,
    pub(in crate::session) request: RequestFlags,
    /// The method and the path, if a rule of the policy compares them.
    pub(in crate::session) target: Option<&'e (Method, PathAndQuery)>,
    /// The time when the request began, if the dialect writes that time.
    pub(in crate::session) began: Option<SystemTime>,
    pub(in crate::session) id: &'e HeaderValue,
    /// The facts that are known of the request body so far.
    pub(in crate::session) seen: Option<&'e BodyFlags>,
    /// A JSON object with the fields that the policy keeps of a body in another shape (R12).
    pub(in crate::session) kept: Option<&'e str>,
}

/// An error that is ready to be sent.
pub(in crate::session) struct OutgoingReply {
    /// The status of the error itself, in any protocol.
    pub(in crate::session) status: StatusCode,
    /// The status in the status line: 200 if the protocol reports its status elsewhere.
    pub(in crate::session) sent: StatusCode,
    pub(in crate::session) body: Bytes,
    pub(in crate::session) grpc: Option<Status>,
}

impl OutgoingReply {
    #[inline]
    pub(in crate::session) fn over_http(status: StatusCode, body: Bytes) -> Self {
        Self { status, sent: status, body, grpc: None }
    }
}

/// An inner body that passes in part, because it is in the client's dialect or keeps its form.
#[derive(Clone, Copy)]
pub(in crate::session) struct RetainedBody<'a> {
    pub(in crate::session) part: Retained,
    pub(in crate::session) body: &'a [u8],
    /// The status that the service sent. This status decides what may pass, even if another status is sent to the
    /// client.
    pub(in crate::session) status: StatusCode,
}

impl<'e> ErrorForm<'e> {
    #[inline]
    pub(in crate::session) fn new(state: &'e RequestState) -> Self {
        let cold = state.cold.as_deref();
        Self {
            policy: state.policy(),
            clock: state.config.clock,
            settings: &state.settings,
            request: state.request,
            target: cold.and_then(|cold| cold.target.as_ref()),
            began: cold.and_then(|cold| cold.began),
            id: &state.id_header,
            seen: state.flags.as_ref(),
            kept: None,
        }
    }

    /// Returns RFC 9457 if the client's `Accept` prefers it (R11), and the route's dialect otherwise.
    ///
    /// An RPC client always gets the form of its own protocol (R10), not the dialect of the route.
    #[inline]
    pub(in crate::session) fn dialect(&self) -> Dialect {
        match self.request.rpc {
            Some(_) => Dialect::Standard,
            None if self.negotiated() => Dialect::Problem,
            None => self.settings.dialect,
        }
    }

    pub(in crate::session) fn negotiated(&self) -> bool {
        self.request.has(RequestFlags::PROBLEM)
    }

    /// Returns the page that the client gets instead of JSON (R16, R18).
    pub(in crate::session) fn page(&self) -> Option<PageType> {
        self.request.page().filter(|page| match page {
            PageType::Html => self.settings.html.is_some(),
            PageType::Markdown => self.settings.markdown,
        })
    }

    pub(in crate::session) fn content_type(&self) -> &'static str {
        match self.request.rpc {
            Some(rpc) => rpc.content_type(),
            None => self.page().map_or(self.dialect().spec().media_type, PageType::content_type),
        }
    }

    /// Returns the media type, without parameters.
    pub(in crate::session) fn media_type(&self) -> &'static str {
        let content_type = self.content_type();
        content_type.split_once(';').map_or(content_type, |(media_type, _)| media_type)
    }

    /// Returns the body of an error with this status, and the status to send. `headers` may contain a `retry-after`,
    /// which some dialects repeat in the body.
    pub(in crate::session) fn body_of(
        &self,
        fault: &Fault,
        status: StatusCode,
        retained: Option<RetainedBody<'_>>,
        headers: &HeaderMap,
    ) -> (Bytes, StatusCode) {
        if let Some(kept) = retained
            && let Some(body) = self.body_in_kept_form(fault, kept, headers)
        {
            return (body, status);
        }
        match self.dialect() {
            Dialect::Standard if self.page().is_none() => (self.canonical(fault, &fault.message()), status),
            _ => self.write_in_dialect(fault, status, retained, headers),
        }
    }

    /// Returns the body of an error that keeps its form in any dialect. Returns `None` if the body depends on the
    /// dialect.
    fn body_in_kept_form(&self, fault: &Fault, kept: RetainedBody<'_>, headers: &HeaderMap) -> Option<Bytes> {
        let RetainedBody { part, body, status } = kept;
        match part {
            Retained::Protocol(protocol) => {
                let whole = || if status.is_client_error() { body.to_vec() } else { Vec::new() };
                Some(protocol.filtered(body, status, &fault.message()).unwrap_or_else(whole).into())
            }
            Retained::LayersJsonRpc => {
                let (id, advice) = (self.id.to_str().unwrap_or_default(), self.policy.advice(fault));
                Some(json_rpc::with_id(body, id, &advice).into())
            }
            Retained::Page(_) => Some(page::with_id(body, headers.get(X_REQUEST_ID), self.id)),
            Retained::Whole | Retained::Negotiated | Retained::Names => None,
        }
    }

    /// Returns the event that ends a broken event stream (F6). The event is always in the route's dialect, because the
    /// head was sent before (R11). If the earlier events have a type and a number, `number` is the number of this
    /// event.
    pub(in crate::session) fn stream_event(&self, fault: Fault, number: Option<u64>) -> Vec<u8> {
        let route_form = self.without_preference();
        let (form, fault) = (self.stream_form(), classify::with_issue_list(fault, route_form.dialect()));
        let (body, _) = route_form.body_of(&fault, fault.status(), None, fault.headers());
        match form.typed_event.zip(number).and_then(|(typed, number)| typed(&body, number)) {
            Some(typed) => event_stream::event(Some("error"), &typed),
            None => event_stream::event(form.error_event, &body),
        }
    }

    /// Returns the dialect of [`stream_event`](Self::stream_event).
    pub(in crate::session) fn stream_form(&self) -> &'static DialectSpec {
        self.without_preference().dialect().spec()
    }

    fn without_preference(&self) -> Self {
        Self { request: self.request.without_preference(), ..*self }
    }

    /// Returns the canonical body for an error with this text.
    pub(in crate::session) fn canonical(&self, fault: &Fault, text: &str) -> Bytes {
        let advice = self.policy.advice(fault);
        standard::write(fault.code().as_str(), text, fault.details_json(), &advice, self.id.as_bytes()).into()
    }

    fn write_in_dialect(
        &self,
        fault: &Fault,
        status: StatusCode,
        retained: Option<RetainedBody<'_>>,
        headers: &HeaderMap,
    ) -> (Bytes, StatusCode) {
        let target = self.target();
        let outward = self.outward_form(fault, status, &target, retained.is_some());
        let form = self.dialect().spec();
        let is_limit = !form.has_limit && *fault.code() == ErrorCode::PAYLOAD_TOO_LARGE;
        let details = outward.details(fault, form.always_lists_issues);
        let details = details.filter(|details| !(is_limit && is_limit_alone(details)));
        let advice = self.policy.advice(fault);
        let call = if form.has_call_id { self.seen.and_then(|seen| seen.read_seen(JsonRpcCall::parse)) } else { None };
        let out = Outgoing {
            status: outward.status,
            canonical: fault.code(),
            code: &outward.name,
            message: &outward.text,
            details: details.as_deref(),
            kept: self.kept,
            request_id: self.id.to_str().unwrap_or_default(),
            domain: &self.policy.process.rpc_domain,
            retry_after: form.has_wait.then(|| classify::rpc::retry_after(headers, self.clock)).flatten(),
            advice: &advice,
            call: call.as_ref(),
            now: self.began.unwrap_or(SystemTime::UNIX_EPOCH),
        };
        if let Some(page) = self.page() {
            let html = self.settings.html.get().filter(|_| page == PageType::Html);
            let page = html.map_or_else(|| page::markdown::write(&out), |template| template.write(&out));
            return (page.into(), outward.status);
        }
        let kept = retained.and_then(|kept| {
            let negotiated = kept.part == Retained::Negotiated;
            Some(PreservedBody {
                body: Object::of_body(kept.body)?,
                whole: kept.part == Retained::Whole || negotiated,
                failed: kept.status.is_server_error(),
                negotiated,
            })
        });
        let body = match kept {
            Some(kept) => form.rewrite_in_place(&kept, &out),
            None => form.write(&out),
        };
        (body.into(), outward.status)
    }

    /// Returns the HTTP status to send for an error. If `kept` is true, the dialect and the outward rules do not change
    /// `status`.
    pub(in crate::session) fn http_status(&self, fault: &Fault, status: StatusCode, kept: bool) -> StatusCode {
        match (self.request.rpc, self.dialect()) {
            (Some(Rpc::ConnectUnary), _) => Status::of_error(fault.code(), status).connect_http(),
            (Some(_), _) => StatusCode::OK,
            (None, Dialect::Standard) => status,
            _ => self.outward_form(fault, status, &self.target(), kept).status,
        }
    }

    fn outward_form<'a>(
        &'a self,
        fault: &'a Fault,
        status: StatusCode,
        target: &'a rule::RequestTarget<'_>,
        kept: bool,
    ) -> OutwardForm<'a> {
        if self.negotiated() || self.dialect() == Dialect::Standard {
            return OutwardForm::canonical(fault, status, self.page() != Some(PageType::Html));
        }
        let rules = rule::rules_for_code(self.policy.rules(self.settings), fault.code(), target)
            .map(|rule| InverseMapRule { name: rule.code.as_deref(), text: rule.exact_message() });
        let entries = self.policy.outward(self.settings);
        let outward = outward::form(fault, status, self.dialect(), entries, rules);
        if kept { OutwardForm { status, ..outward } } else { outward }
    }

    /// Returns the request's method and path, if a rule compares them.
    fn target(&self) -> rule::RequestTarget<'_> {
        match self.target {
            Some((method, path)) => rule::RequestTarget::new(method, Some(path.path())),
            None => rule::RequestTarget::new(&Method::GET, None),
        }
    }
}

/// Writes an error for an RPC client. Returns the reply, and the headers to add to its head. In gRPC, these headers
/// contain the whole error, and the body is empty. `status` is the HTTP status of the error. `is_code_named` is true if
/// the code does not follow only from the status. `headers` may contain a `retry-after`.
pub(in crate::session) fn write_error(
    form: &ErrorForm<'_>,
    rpc: Rpc,
    fault: &Fault,
    (status, is_code_named): (StatusCode, bool),
    headers: &HeaderMap,
) -> (OutgoingReply, HeaderMap) {
    let grpc = grpc_status(rpc, fault, status, is_code_named);
    with_error(form, fault, grpc, headers, |error| write_in_protocol(rpc, status, error))
}

/// Calls `write` with the full content of an RPC error.
pub(in crate::session) fn with_error<T>(
    form: &ErrorForm<'_>,
    fault: &Fault,
    status: Status,
    headers: &HeaderMap,
    write: impl FnOnce(&RpcError<'_>) -> T,
) -> T {
    let can_list_issues = !form.request.rpc.is_some_and(Rpc::is_grpc);
    let text = outward_form::whole_text(fault, can_list_issues);
    let details = fault.details_json().and_then(|details| outward_form::without_noise(false, details, &text));
    write(&RpcError {
        status,
        code: fault.code().as_str(),
        message: &text,
        details: details.as_deref(),
        request_id: form.id.to_str().ok(),
        domain: &form.policy.process.rpc_domain,
        retry_after: classify::rpc::retry_after(headers, form.clock),
    })
}

fn write_in_protocol(rpc: Rpc, status: StatusCode, error: &RpcError<'_>) -> (OutgoingReply, HeaderMap) {
    let (sent, mut head, grpc) = (StatusCode::OK, HeaderMap::new(), Some(error.status));
    let reply = match rpc {
        Rpc::Grpc(_) | Rpc::Web(_) | Rpc::WebText(_) => {
            head.reserve(3);
            grpc::write(error, &mut head);
            OutgoingReply { status, sent, body: Bytes::new(), grpc }
        }
        Rpc::ConnectUnary => {
            let status = error.status.connect_http();
            OutgoingReply { status, sent: status, body: connect::unary_body(error).into(), grpc }
        }
        Rpc::ConnectStream(_) => OutgoingReply { status, sent, body: connect::end_stream(error, false).into(), grpc },
    };
    (reply, head)
}

/// Returns the status that an RPC client gets for an error.
pub(in crate::session) fn grpc_status(rpc: Rpc, fault: &Fault, status: StatusCode, is_code_named: bool) -> Status {
    if is_code_named || !rpc.is_grpc() { Status::of_error(fault.code(), status) } else { Status::of_http(status) }
}
