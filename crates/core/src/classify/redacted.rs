//! The steps for routes that remove secrets from the errors of services (R17).
//!
//! Rules compare the body, so the received body decides the code. The text, the fields and the retained parts come from
//! the body without its secrets.

use std::borrow::Cow;

use super::decide::{CodeSource, Decision, decide};
use super::parse::{Inner, KeptForm, Parsed, ReadContext, has_head_of_layer, parse};
use super::rewrite::Rewrite;
use crate::dialect::{self, Foreign, ParsedBody, Shape};
use crate::redact::{self, Strictness};

/// Runs the steps after the first one.
#[cold]
pub(super) fn rewrite<'b>(mut body: ParsedBody<'b>, inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> Rewrite<'b> {
    let is_line = is_line(&body, inner.bytes());
    let parsed = Parsed::new(&mut body, inner, context);
    let decision = decide(&parsed);
    if is_layers(&parsed, &decision) {
        return Rewrite::new(&parsed, decision);
    }
    let Some(without) = without_secrets(inner) else { return Rewrite::new(&parsed, decision).redacted() };
    let (bytes, reason) = inner.changed.redacted.get_or_init(|| without);
    let redacted = Inner { body: inner.body.map(|_| &**bytes), reason: reason.as_deref(), ..*inner };
    let mut body = if is_line { dialect::read_line(bytes, inner.status) } else { parse(&redacted, context) };
    let parsed = Parsed::new(&mut body, &redacted, context);
    let kept = parsed.kept;
    Rewrite::new(&parsed, decision).of_redacted(kept).redacted()
}

/// Returns true if the body is a text that could be read as JSON after redaction, because it would begin with a
/// bracket.
fn is_line(body: &ParsedBody<'_>, bytes: &[u8]) -> bool {
    let is_text = matches!(body, ParsedBody::Foreign(Foreign { shape: Shape::PlainText, .. }));
    is_text && !bytes.trim_ascii_start().starts_with(b"[") && !bytes.trim_ascii_start().starts_with(b"\"")
}

/// Returns true if an inner layer wrote the body, which is then canonical in any dialect (E7). A protocol's body that a
/// layer let pass is still the service's own.
fn is_layers(parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> bool {
    let is_envelope = matches!(parsed.content, ParsedBody::Envelope(_));
    match parsed.kept {
        KeptForm::Filtered(_) | KeptForm::Whole(_) => false,
        KeptForm::Page(_) | KeptForm::LayersJsonRpc => true,
        KeptForm::Nothing => {
            let is_of_layer = matches!(decision.source, CodeSource::Layer { .. });
            is_envelope || is_of_layer && has_head_of_layer(parsed.headers)
        }
    }
}

/// Returns the body and the reason phrase without their secrets, or `None` if neither contains a secret.
fn without_secrets(inner: &Inner<'_, '_>) -> Option<(Vec<u8>, Option<String>)> {
    let body = redact::body(inner.bytes());
    let reason = inner.reason.map(|reason| redact::text(reason, Strictness::Readable));
    let has_secret = body.is_some() || matches!(reason, Some(Cow::Owned(_)));
    has_secret.then(|| (body.unwrap_or_else(|| inner.bytes().to_vec()), reason.map(Cow::into_owned)))
}
