//! Inner responses: what passes, what is read first, what is written anew (rules R1, R4, R5, R9, R10, E5, E6).

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use super::request::MAX_HEADERS;
use super::{BodyFacts, Collected, Exchange, Origin, ResponsePlan, Rewritten, Unread, fill, head};
use crate::classify::credentials::Credentials;
use crate::classify::{self, Asked, Inner, Known, Verdict};
use crate::code::ErrorCode;
use crate::dialect::rpc::Rpc;
use crate::dialect::{self, coding, protocol};
use crate::fault::Fault;
use crate::fields;
use crate::frames;
use crate::policy::{Mode, NoTransform, Protocols, UnknownCodes};

impl Exchange {
    /// Takes the head of an inner response. What is known of its body is asked for where that matters.
    #[inline]
    pub fn response_head(self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponsePlan {
        if let Some(fault) = self.cut() {
            return ResponsePlan::Replace(Box::new(self.answer(fault, Origin::Guard, None, None)));
        }
        if head.headers.len() > MAX_HEADERS {
            let fault = Fault::new(ErrorCode::INTERNAL_ERROR);
            let cause = format!("{} response headers", head.headers.len());
            return ResponsePlan::Replace(Box::new(self.answer(fault, Origin::Inner, Some(cause.into()), None)));
        }
        if let Some((rpc, names)) = self.answered_call(head) {
            return self.call_head(rpc, &names, head, body());
        }
        match self.settings.mode {
            Mode::Off => return self.pass(&mut head.headers),
            Mode::Observe => return self.observe(head, body()),
            Mode::Own | Mode::Fill | Mode::Enforce => {}
        }
        match head.status.as_u16() {
            101 | 200..=399 => self.success(head),
            400..=599 => {
                let body = body();
                if self.keeps(head, body) {
                    let (tail, event) = self.keep(head);
                    return ResponsePlan::Keep(tail, event);
                }
                self.error(head, body)
            }
            _ => {
                head.status = StatusCode::BAD_GATEWAY;
                ResponsePlan::Rewrite(self.write(head, Fault::new(ErrorCode::OTHER), Origin::Inner))
            }
        }
    }

    /// Whether what is not read of a body may be sent after all (M1): an adapter that reads it in place cannot.
    #[must_use]
    #[inline]
    pub fn may_restore(&self) -> bool {
        self.settings.mode == Mode::Fill
    }

    /// Takes what was collected of an inner error's body.
    #[inline]
    pub fn response_body(self, head: &mut response::Parts, body: Collected<'_>) -> Rewritten {
        if let Some(fault) = self.cut() {
            return Rewritten::Replace(Box::new(self.answer(fault, Origin::Guard, None, None)));
        }
        let decoded = self.decoded(&head.headers, body);
        if self.settings.mode == Mode::Fill && !fill::is_filled(&head.headers, body, decoded.as_deref()) {
            let (tail, event) = self.keep(head);
            return Rewritten::Restore(tail, event);
        }
        if let Some(told) = self.told_by_connect(decoded.as_deref()) {
            return self.unary_error(head, &told, body);
        }
        match self.classify(head.status, &head.headers, decoded.as_deref()) {
            Verdict::Rewrite(rewrite) => {
                let read = decoded.as_deref().unwrap_or_default();
                Rewritten::Rewrite(self.write_read(head, rewrite, Origin::Inner, read))
            }
            Verdict::Pass => {
                let (tail, event) = self.keep(head);
                Rewritten::Restore(tail, event)
            }
        }
    }

    #[inline(always)]
    pub(super) fn success(self, head: &mut response::Parts) -> ResponsePlan {
        match head.status.as_u16() {
            // RFC 9110 §15.3.6 wants an empty 205 framed as such; 204 and 304 have no framing of their own.
            205 => {
                head.headers.remove(TRANSFER_ENCODING);
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                self.strip(&mut head.headers)
            }
            204 | 304 => self.strip(&mut head.headers),
            _ => self.pass(&mut head.headers),
        }
    }

    #[inline]
    pub(super) fn error(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if let Some(fault) = classify::fault_in(&head.extensions).cloned() {
            let fault = classify::listed(fault, self.dialect());
            return ResponsePlan::Rewrite(self.write(head, fault, Origin::Fault));
        }
        if !head.headers.is_empty() && self.passes(&head.headers) {
            let (tail, event) = self.keep(head);
            return ResponsePlan::Keep(tail, event);
        }
        let inspect = self.policy().inspect();
        let unreadable = is_unreadable(&head.headers, body, inspect.max_bytes);
        let looks = self.settings.mode == Mode::Fill && fill::must_look(&head.headers) && !body.is_empty();
        if self.request.is_head() || unreadable && !looks {
            return match self.classify(head.status, &head.headers, None) {
                Verdict::Rewrite(rewrite) => {
                    let mut written = self.write_read(head, rewrite, Origin::Inner, &[]);
                    written.event.unread = (body.lower > inspect.max_bytes).then_some(Unread::TooLong);
                    ResponsePlan::Rewrite(written)
                }
                Verdict::Pass => {
                    let (tail, event) = self.keep(head);
                    ResponsePlan::Keep(tail, event)
                }
            };
        }
        let max_bytes = if self.settings.mode == Mode::Fill { fill::worth_reading(&head.headers) } else { None };
        ResponsePlan::Collect(self, max_bytes.unwrap_or(inspect.max_bytes), inspect.timeout)
    }

    /// The body without its codings, as far as it can be read (R4, R5).
    pub(super) fn decoded<'b>(&self, headers: &HeaderMap, body: Collected<'b>) -> Option<Cow<'b, [u8]>> {
        let Collected::Whole(body) = body else { return None };
        let codings = coding::codings(headers)?;
        if !codings.is_empty() {
            return coding::decoded(&codings, body, self.policy().inspect().max_bytes).map(Cow::Owned);
        }
        // What turns gRPC into gRPC-Web's text inside does so with any body.
        let answered = || self.request.rpc?.answered_by(fields::first(headers, &CONTENT_TYPE));
        if answered().is_some_and(Rpc::is_text) {
            return frames::decode(body).map(Cow::Owned);
        }
        Some(Cow::Borrowed(body))
    }

    /// What keeps its shape by its head alone (R9, R10).
    pub(super) fn passes(&self, headers: &HeaderMap) -> bool {
        let no_transform = || {
            let lines = headers.get_all(CACHE_CONTROL);
            lines.iter().flat_map(head::list).any(|directive| directive.eq_ignore_ascii_case("no-transform"))
        };
        // No other protocol is one that an RPC client reads.
        let names_itself = || dialect::essence(headers).is_some_and(protocol::names_itself);
        self.request.rpc.is_none() && names_itself()
            || self.settings.no_transform == NoTransform::Respect && no_transform()
    }

    pub(super) fn classify<'b>(&self, status: StatusCode, headers: &HeaderMap, body: Option<&'b [u8]>) -> Verdict<'b> {
        self.with_known(status, headers, body, classify::response)
    }

    /// Reads an inner error by what the request said, and by what the policy knows.
    #[inline(always)]
    pub(super) fn with_known<'h, 'b, T>(
        &self,
        status: StatusCode,
        headers: &'h HeaderMap,
        body: Option<&'b [u8]>,
        read: impl FnOnce(&Inner<'h, 'b>, &Asked<'_>, &Known<'_>) -> T,
    ) -> T {
        let inner = Inner { status, headers, body };
        let target = self.aside.as_ref().and_then(|aside| aside.target.as_ref());
        let asked = Asked {
            credentials: self.credentials(),
            method: target.map_or(&Method::GET, |(method, _)| method),
            path: target.map(|(_, path)| path.path()),
        };
        let known = Known {
            codes: self.policy().codes(),
            rules: self.policy().rules(&self.settings),
            by_status: self.settings.unknown_codes == UnknownCodes::ByStatus,
            protocols_pass: self.settings.protocols == Protocols::Pass && self.request.rpc.is_none(),
            kept: self.policy().kept_members(&self.settings),
            dialect: self.dialect(),
            negotiated: self.negotiated(),
        };
        read(&inner, &asked, &known)
    }

    /// What the request carried, as far as an inner 401 asks.
    fn credentials(&self) -> Credentials<'_> {
        let scheme = self.aside.as_ref().and_then(|aside| aside.scheme.as_deref());
        Credentials::new(self.request.credentials, scheme)
    }
}

/// Whether reading a body is of no use: there is none, its coding is not known here (R5), or it is too long (R4).
pub(super) fn is_unreadable(headers: &HeaderMap, body: BodyFacts, max_bytes: u64) -> bool {
    body.is_empty() || body.lower > max_bytes || coding::codings(headers).is_none()
}
