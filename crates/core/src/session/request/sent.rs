//! The facts of a request's headers.

use http::request::Parts;

use crate::dialect::rpc::Call;
use crate::guard::method;

/// The facts of a request's headers. Noting all facts in one pass is cheaper than looking up each header.
#[derive(Default)]
pub(in crate::session) struct HeaderFlags {
    pub(super) has: u32,
    pub(in crate::session) call: Option<Call>,
    /// The `content-length`, if there is exactly one.
    pub(in crate::session) length: Option<u64>,
}

impl HeaderFlags {
    /// Set if the request has an `x-request-id`.
    pub(in crate::session) const ID: u32 = 1;
    /// Set if the request has an `authorization`.
    pub(in crate::session) const CREDENTIALS: u32 = 1 << 1;
    /// Set if an `accept` may state a preference between RFC 9457 and the envelope (R11).
    pub(in crate::session) const CHOOSES: u32 = 1 << 2;
    pub(super) const EXPECT: u32 = 1 << 3;
    /// Set if the first `expect` is `100-continue`.
    pub(in crate::session) const EXPECTS: u32 = 1 << 4;
    pub(super) const TE: u32 = 1 << 5;
    /// Set if the first `te` is `trailers`.
    pub(in crate::session) const TAKES_TRAILERS: u32 = 1 << 6;
    pub(in crate::session) const LENGTH: u32 = 1 << 7;
    pub(super) const TWO_LENGTHS: u32 = 1 << 8;
    pub(in crate::session) const TRANSFER_CODING: u32 = 1 << 9;
    /// Set if the request has a header that only RPC calls have.
    pub(super) const CALL: u32 = 1 << 10;
    /// Set if the content type may be that of an RPC call.
    pub(super) const CALL_TYPE: u32 = 1 << 14;
    pub(in crate::session) const UPGRADE: u32 = 1 << 11;
    pub(super) const TYPE: u32 = 1 << 12;
    pub(in crate::session) const TWO_TYPES: u32 = 1 << 13;
    /// Set if a header names another method (G0).
    pub(in crate::session) const METHOD: u32 = 1 << 15;
    /// Set if a header looks like a header of the layer, so that a service may confuse the two headers.
    pub(in crate::session) const LOOK_ALIKE: u32 = 1 << 16;
    /// Set if a header from which services read keys has a value (R1).
    pub(in crate::session) const KEY: u32 = 1 << 17;
    pub(in crate::session) const TRACED: u32 = 1 << 18;
    /// Set if the first content type is that of a form or of JSON.
    pub(in crate::session) const FORM: u32 = 1 << 20;
    pub(in crate::session) const JSON: u32 = 1 << 19;
    /// Set if the request has cookies, one of which may name another method (G0).
    pub(super) const COOKIE: u32 = 1 << 21;

    /// Notes only the facts of an RPC call, for a request whose other headers do not matter.
    pub(in crate::session) fn of_call_alone(&self) -> Self {
        Self { call: self.call, ..Self::default() }
    }

    #[inline]
    pub(in crate::session) fn has(&self, bit: u32) -> bool {
        self.has & bit != 0
    }

    /// Returns true if a cookie names another method.
    #[inline]
    pub(in crate::session) fn is_in_cookie(&self, head: &Parts) -> bool {
        self.has(Self::COOKIE) && method::is_in_cookie(head)
    }

    /// Returns true if anything outside the body names another method than the request line. The other name need not be
    /// a valid method.
    pub(in crate::session) fn names_other_method(&self, head: &Parts) -> bool {
        self.has(Self::METHOD) || method::is_in_target(head) || self.is_in_cookie(head)
    }
}

/// Returns the flag if it is set, and else no flag.
#[inline]
pub(in crate::session) fn bit<T: Default>(flag: T, is_set: bool) -> T {
    if is_set { flag } else { T::default() }
}
