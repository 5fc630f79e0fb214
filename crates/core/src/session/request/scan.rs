//! Notes the facts of a request's headers in one pass.

use http::HeaderName;
use http::header::HeaderValue;
use http::request::Parts;

use super::accept::names_a_type;
use super::header_use::HeaderUse;
use super::sent::{HeaderFlags, bit};
use crate::dialect::rpc::{CallHeaders, Rpc};
use crate::guard::body_limit;

impl HeaderFlags {
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
}

fn has_value(value: &HeaderValue) -> bool {
    !value.as_bytes().trim_ascii().is_empty()
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
