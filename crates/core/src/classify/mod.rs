//! Turns an inner error into a [`Fault`].
//!
//! [`response`] reads an inner 4xx/5xx in five steps, unless it has only a status, or a `line` of text. Each step is a
//! function of the results before it:
//!
//! 1. [`parse`](parse::parse): the content of the body, or else of the head, and the form that the body keeps
//! 2. [`decide`](decide::decide): the code
//! 3. [`text`](rewrite::text): the text
//! 4. [`details`](reply_details::ReplyDetails): the fields besides them
//! 5. [`retained`](rewrite::retained): the part of the body that stays in its place
//!
//! The first match decides the code (rule R1), unless the response has a `Fault` in its extensions:
//!
//! 1. a canonical envelope, or a well-formed `x-error-code` if the body has no code or is in the route's own
//!    dialect, which may have no place for it (E7)
//! 2. a policy's `[[map]]` rule
//! 3. the dialect's own code, if it is known
//! 4. on a 401, the request's credentials and the challenge
//! 5. a list of issues on a 400 or 422
//! 6. the status
//!
//! The text and the details depend on the match (R3, E8, E9). [`failure`] does the same for error values (F1).

pub(crate) mod credentials;
pub(crate) mod decide;
mod explanation;
pub(crate) mod failure;
mod line;
mod parse;
pub(crate) mod reason;
#[cfg(feature = "redact")]
mod redacted;
mod reply_details;
mod rewrite;
pub mod rule;

use http::Extensions;

use crate::dialect::ParsedBody;
use crate::fault::Fault;
pub(crate) use crate::{details, rpc};
use decide::decide;
pub use explanation::Explanation;
pub(crate) use parse::{BodyFormat, ChangedBody, Inner, KeptProtocols, PolicyView, RequestContext, envelope_in_head};
use parse::{Parsed, lenient, parse};
pub(crate) use reply_details::service_code;
pub(crate) use rewrite::{Retained, Rewrite, with_issue_list};

/// Decides how to rewrite an inner 4xx or 5xx, from its head and from what was read of its body.
pub(crate) fn response<'b>(
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    policy: &PolicyView<'_>,
) -> Rewrite<'b> {
    if inner.is_status_alone() && policy.rules.is_empty() {
        return rewrite_status_alone(inner, request, policy);
    }
    match line::line(inner, policy) {
        Some(line) => line::rewrite(line, inner, request),
        None => rewrite_parsed(inner, request, policy),
    }
}

/// All steps, for a body of any kind.
fn rewrite_parsed<'b>(inner: &Inner<'_, 'b>, request: &RequestContext<'_>, policy: &PolicyView<'_>) -> Rewrite<'b> {
    let body = parse(inner, policy);
    match lenient(&body, inner) {
        None => rewrite(body, inner, request, policy),
        Some(inner) => rewrite(parse(&inner, policy), &inner, request, policy),
    }
}

/// The short way for an error with only a status, as most errors of routers are: the other steps have nothing to do.
fn rewrite_status_alone(
    inner: &Inner<'_, '_>,
    request: &RequestContext<'_>,
    policy: &PolicyView<'_>,
) -> Rewrite<'static> {
    let (code, by) = decide::code_of_status(inner.status, inner.headers, request);
    let fault = with_issue_list(Fault::new(code), policy.dialect);
    Rewrite::of_status(fault, by)
}

/// The steps after the first one.
#[inline]
fn rewrite<'b>(
    mut body: ParsedBody<'b>,
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    policy: &PolicyView<'_>,
) -> Rewrite<'b> {
    #[cfg(feature = "redact")]
    if policy.redact {
        return redacted::rewrite(body, inner, request, policy);
    }
    let parsed = Parsed::new(&mut body, inner, request, policy);
    let decision = decide(&parsed);
    Rewrite::new(&parsed, decision)
}

/// Explains the result of [`response`].
pub(crate) fn explain(inner: &Inner<'_, '_>, request: &RequestContext<'_>, policy: &PolicyView<'_>) -> Explanation {
    let body = parse(inner, policy);
    let (mut body, inner) = match lenient(&body, inner) {
        None => (body, inner.clone()),
        Some(inner) => (parse(&inner, policy), inner),
    };
    let parsed = Parsed::new(&mut body, &inner, request, policy);
    Explanation::new(&inner, &parsed, &decide(&parsed))
}

/// The fault that a service left in the response's extensions (R1), alone or as the cause of a tonic status.
pub(crate) fn fault_in(extensions: &Extensions) -> Option<&Fault> {
    Fault::in_extensions(extensions)
}
