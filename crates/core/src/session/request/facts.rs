//! The facts of a request that still matter when its response arrives.

use http::{Method, Version};

use super::{HeaderFlags, RequestView};
use crate::classify::BodyFormat;
use crate::classify::credentials::CredentialKind;
use crate::dialect::Dialect;
use crate::dialect::rpc::Rpc;
use crate::grpc_messages::MessageDecoder;
use crate::guard::body_limit::Messages;
use crate::policy::{Policy, RouteSettings};
use crate::session::accept::{prefers_page, prefers_problem};

/// On HTTP/1, the rest of a request may be read and dropped to keep the connection open (G5), if its declared length is
/// at most this many bytes.
const CHEAP_REST: u64 = 64 * 1024;

/// The facts of a request's head that matter later: a few bits, because every request stores them.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct RequestFlags {
    bits: u16,
    /// The protocol of an RPC call (section P).
    pub(in crate::session) rpc: Option<Rpc>,
    pub(in crate::session) credentials: CredentialKind,
}

impl RequestFlags {
    const HEAD: u16 = 1;
    const HTTP1: u16 = 1 << 1;
    const BODY: u16 = 1 << 2;
    const EXPECTS: u16 = 1 << 3;
    const CHEAP_REST: u16 = 1 << 4;
    const PROBLEM: u16 = 1 << 5;
    const STREAM: u16 = 1 << 6;
    const TRAILERS: u16 = 1 << 7;
    const FORM: u16 = 1 << 8;
    const JSON: u16 = 1 << 9;
    const ERROR_EVENT: u16 = 1 << 10;
    /// A page is requested. It shares a bit with a flag of RPC calls, because no call requests a page.
    const PAGE: u16 = Self::STREAM;

    /// Whether the request has its error event already (L1).
    pub(in crate::session) fn has_error_event(self) -> bool {
        self.bits & Self::ERROR_EVENT != 0
    }

    pub(in crate::session) fn note_error_event(&mut self) {
        self.bits |= Self::ERROR_EVENT;
    }

    #[inline]
    pub(in crate::session) fn new(view: &RequestView<'_>, settings: &RouteSettings, policy: &Policy) -> Self {
        let RequestView { head, sent, body, .. } = view;
        let rpc = sent.call.map(|call| call.rpc);
        let is_http1 = head.version <= Version::HTTP_11;
        let mut bits = if is_http1 { Self::HTTP1 } else { Self::TRAILERS };
        if head.method == Method::HEAD {
            bits |= Self::HEAD;
        }
        if !body.is_empty() {
            // On HTTP/2, gRPC clients send messages without waiting for a `100 Continue`.
            let begins = matches!(rpc, Some(Rpc::Grpc(_))) && !is_http1;
            let expects = sent.has(HeaderFlags::EXPECTS) && !begins && head.version >= Version::HTTP_11;
            // On HTTP/2 each stream ends by itself, so nothing must be read.
            let cheap =
                is_http1 && view.declared().is_some_and(|length| length <= policy.drain().max_bytes.min(CHEAP_REST));
            bits |= Self::BODY | flag(Self::EXPECTS, expects) | flag(Self::CHEAP_REST, cheap);
            if head.method == Method::POST {
                bits |= flag(Self::FORM, sent.has(HeaderFlags::FORM)) | flag(Self::JSON, sent.has(HeaderFlags::JSON));
            }
        }
        if rpc.is_some() {
            bits |= flag(Self::TRAILERS, sent.has(HeaderFlags::TAKES_TRAILERS))
                | flag(Self::STREAM, view.counts_messages());
        } else if settings.html.is_some()
            && prefers_page(&head.headers, settings.dialect.spec().media_type, has_problem(settings))
        {
            bits |= Self::PAGE;
        } else if sent.has(HeaderFlags::CHOOSES) {
            bits |= flag(Self::PROBLEM, has_problem(settings) && prefers_problem(&head.headers));
        }
        Self { bits, rpc, credentials: CredentialKind::None }
    }

    #[inline]
    fn has_flag(self, bit: u16) -> bool {
        self.bits & bit != 0
    }

    #[inline]
    pub(in crate::session) fn is_head(self) -> bool {
        self.has_flag(Self::HEAD)
    }

    #[inline]
    pub(in crate::session) fn is_http1(self) -> bool {
        self.has_flag(Self::HTTP1)
    }

    /// The request has a body, which has arrived or will.
    pub(in crate::session) fn has_body(self) -> bool {
        self.has_flag(Self::BODY)
    }

    /// The format of the request's body: one that OAuth servers accept, or another (R10).
    pub(in crate::session) fn body_format(self) -> BodyFormat {
        if self.has_flag(Self::FORM) {
            BodyFormat::Form
        } else if self.has_flag(Self::JSON) {
            BodyFormat::Json
        } else {
            BodyFormat::Other
        }
    }

    /// Whether the client only sends its body after a `100 Continue`, because it sent `Expect: 100-continue`.
    pub(in crate::session) fn expects(self) -> bool {
        self.has_flag(Self::EXPECTS)
    }

    /// The `100 Continue` was sent.
    pub(in crate::session) fn expects_no_more(&mut self) {
        self.bits &= !Self::EXPECTS;
    }

    /// Whether the rest of the body has a declared length, and is cheap to drop.
    pub(in crate::session) fn has_cheap_rest(self) -> bool {
        self.has_flag(Self::CHEAP_REST)
    }

    /// Whether the client prefers RFC 9457 to the envelope, and the route lets it choose (R11).
    pub(in crate::session) fn prefers_problem(self) -> bool {
        self.has_flag(Self::PROBLEM)
    }

    /// Whether the client prefers a page to JSON (R16).
    pub(in crate::session) fn prefers_page(self) -> bool {
        self.rpc.is_none() && self.has_flag(Self::PAGE)
    }

    /// The same facts, for a client without a preference (R11, R16).
    pub(in crate::session) fn without_preference(self) -> Self {
        Self { bits: self.bits & !(Self::PROBLEM | Self::PAGE), ..self }
    }

    /// Whether trailers at the end of a body reach the client. With HTTP/1 they may as well, because a proxy may
    /// translate gRPC-Web.
    pub(in crate::session) fn takes_trailers(self) -> bool {
        self.has_flag(Self::TRAILERS)
    }

    /// How to measure the messages of the body, if the limit counts messages (P1).
    pub(in crate::session) fn messages(self) -> Option<Messages> {
        let rpc = self.rpc.filter(|_| self.has_flag(Self::STREAM))?;
        Some(Messages { frames: MessageDecoder::new(rpc.is_text()), rest_is_free: !self.is_http1() })
    }
}

#[inline]
fn flag(bit: u16, set: bool) -> u16 {
    if set { bit } else { 0 }
}

/// Whether the client may choose between forms (R11, R16).
#[inline]
pub(in crate::session) fn negotiates(settings: &RouteSettings) -> bool {
    has_problem(settings) || settings.html.is_some()
}

/// Whether the client may choose RFC 9457 (R11).
#[inline]
fn has_problem(settings: &RouteSettings) -> bool {
    settings.dialect == Dialect::Standard && settings.negotiate
}
