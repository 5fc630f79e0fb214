//! The facts of a request's headers, noted in one pass.

use http::HeaderName;
use http::header::HeaderValue;
use http::request::Parts;

use super::accept::names_a_type;
use super::header_use::HeaderUse;
use crate::dialect::rpc::{Call, CallHeaders, Rpc};
use crate::guard::{body_limit, method};

/// The facts of a request's headers. Noting all facts in one pass is cheaper than looking up each header.
#[derive(Default)]
pub(in crate::session) struct HeaderFlags {
    has: u32,
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
    const EXPECT: u32 = 1 << 3;
    /// Set if the first `expect` is `100-continue`.
    pub(in crate::session) const EXPECTS: u32 = 1 << 4;
    const TE: u32 = 1 << 5;
    /// Set if the first `te` is `trailers`.
    pub(in crate::session) const TAKES_TRAILERS: u32 = 1 << 6;
    pub(in crate::session) const LENGTH: u32 = 1 << 7;
    const TWO_LENGTHS: u32 = 1 << 8;
    pub(in crate::session) const TRANSFER_CODING: u32 = 1 << 9;
    /// Set if the request has a header that only RPC calls have.
    pub(super) const CALL: u32 = 1 << 10;
    /// Set if the content type may be that of an RPC call.
    const CALL_TYPE: u32 = 1 << 14;
    pub(in crate::session) const UPGRADE: u32 = 1 << 11;
    const TYPE: u32 = 1 << 12;
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

    /// Notes the facts of all headers, and also returns the first `content-type`.
    #[inline]
    pub(in crate::session) fn scan<'h>(head: &'h Parts, key_headers: &[HeaderName]) -> (Self, Option<&'h HeaderValue>) {
        let (mut has, mut length, mut media_type) = (0, None, None);
        for (name, value) in &head.headers {
            let Some(kind) = HeaderUse::of_name(name) else { continue };
            has |= match kind {
                HeaderUse::Flag(flags) => flags,
                HeaderUse::Accept => bit(Self::CHOOSES, names_a_type(value.as_bytes())),
                HeaderUse::ContentLength => {
                    length = length.or(Some(value));
                    Self::LENGTH | bit(Self::TWO_LENGTHS, has & Self::LENGTH != 0)
                }
                HeaderUse::ContentType => {
                    media_type = media_type.or(Some(value));
                    let second = bit(Self::TWO_TYPES, has & Self::TYPE != 0);
                    Self::TYPE
                        | second
                        | bit(Self::CALL_TYPE, Rpc::may_be_in(value.as_bytes()))
                        | form_or_json(value.as_bytes())
                }
                HeaderUse::Expect => {
                    let expects = || value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                    first_of(has, Self::EXPECT, Self::EXPECTS, expects)
                }
                HeaderUse::Key => bit(Self::KEY, has_value(value)),
                HeaderUse::Te => first_of(has, Self::TE, Self::TAKES_TRAILERS, || value == "trailers"),
            };
        }
        let has_key = |name: &HeaderName| head.headers.get_all(name).iter().any(has_value);
        has |= bit(Self::KEY, key_headers.iter().any(has_key));
        let length = length.filter(|_| has & Self::TWO_LENGTHS == 0).and_then(body_limit::length);
        let headers = match media_type {
            _ if has & (Self::CALL | Self::CALL_TYPE) == 0 => CallHeaders::default(),
            Some(value) if has & (Self::CALL | Self::TWO_TYPES) == 0 => CallHeaders::of_type(value),
            _ => CallHeaders::scan(&head.headers),
        };
        (Self { has, call: headers.call(&head.method, &head.uri), length }, media_type)
    }

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

fn has_value(value: &HeaderValue) -> bool {
    !value.as_bytes().trim_ascii().is_empty()
}

/// Returns the flag if it is set, and else no flag.
#[inline]
pub(in crate::session) fn bit<T: Default>(flag: T, is_set: bool) -> T {
    if is_set { flag } else { T::default() }
}

/// Returns the flag of a content type that OAuth servers accept: a form or JSON (R10). For nearly all other types, the
/// length or one byte is enough to rule both out.
#[inline]
fn form_or_json(value: &[u8]) -> u32 {
    let is = |name: &[u8]| {
        let (start, rest) = value.split_at(name.len());
        // Nearly all clients write the type in small letters, and an exact comparison is faster.
        (start == name || start.eq_ignore_ascii_case(name)) && matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
    };
    match value.get(12) {
        Some(b'j' | b'J') if value.len() >= 16 => bit(HeaderFlags::JSON, is(b"application/json")),
        Some(b'x' | b'X') if value.len() >= 33 => bit(HeaderFlags::FORM, is(b"application/x-www-form-urlencoded")),
        _ => 0,
    }
}

/// Returns the flags to add for one line of a header, whose further lines are ignored. `has` are the flags so far.
/// `seen` marks that there was a first line, and `what` is added if this line fulfils `has_it`.
#[inline]
fn first_of(has: u32, seen: u32, what: u32, has_it: impl FnOnce() -> bool) -> u32 {
    if has & seen != 0 { 0 } else { seen | bit(what, has_it()) }
}
