//! What an inner error says, step by step, for who asks why it became what it did: the reading of [`response`](super)
//! told instead of decided.

use http::StatusCode;

use super::decide::{of_layer, tells_of_input};
use super::{Inner, PolicyView, RequestContext, of_header, rule, without_foreign_code};
use crate::dialect::{self, ParsedBody, Shape};

/// What an inner error says, and what each rule of the policy makes of it (rule R1).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// The code of a canonical envelope (E7).
    pub envelope: Option<String>,
    /// The code that a layer's header names, where no body says it or the body is in the client's dialect.
    pub header: Option<String>,
    /// The body belongs to a protocol that keeps its own format (R10).
    pub is_protocol: bool,
    /// The shape that it was read in.
    pub shape: Option<Shape>,
    /// The codes that the body names, the most telling first.
    pub codes: Vec<String>,
    /// Its text.
    pub message: Option<String>,
    /// It lists what is wrong (E8).
    pub lists_issues: bool,
    /// For each rule that was asked the condition that did not hold, by its key; the last one may fit.
    pub rules: Vec<Option<&'static str>>,
}

/// Reads what [`response`](super::response) reads.
pub(crate) fn explain_response(
    inner: &Inner<'_, '_>,
    asked: &RequestContext<'_>,
    known: &PolicyView<'_>,
) -> Explanation {
    let body = inner.body.unwrap_or_default();
    let of_input = tells_of_input(inner.status);
    let read = dialect::read(dialect::declared_type(inner.headers), body, &known.readable(), of_input);
    let mut heard = Explanation::default();
    let foreign = match read {
        ParsedBody::Envelope(envelope) => {
            heard.envelope = Some(envelope.code.as_str().to_owned());
            return heard;
        }
        ParsedBody::Protocol(protocol) => {
            heard.is_protocol = true;
            dialect::read_rewritten(body, &known.readable(), of_input)
                .map(|foreign| without_foreign_code(protocol, foreign, inner.status))
        }
        ParsedBody::Foreign(foreign) => Some(foreign),
        ParsedBody::Unread(_) => None,
        ParsedBody::Nothing if body.is_empty() => {
            heard.header = of_header(inner, known).map(|envelope| envelope.code.as_str().to_owned());
            None
        }
        ParsedBody::Nothing => None,
    };
    if let Some(foreign) = &foreign {
        heard.header = of_layer(foreign, inner, known).map(|(code, _)| code.as_str().to_owned());
        heard.shape = Some(foreign.shape);
        heard.codes = foreign.said.names().map(str::to_owned).collect();
        heard.message = foreign.said.message.as_deref().map(str::to_owned);
        heard.lists_issues = lists(inner.status, &foreign.said);
    }
    heard.rules = tried(&heard, inner, asked, known);
    heard
}

fn lists(status: StatusCode, said: &dialect::ParsedError<'_>) -> bool {
    tells_of_input(status) && said.has_issues()
}

/// The rules up to the first that fits.
fn tried(
    heard: &Explanation,
    inner: &Inner<'_, '_>,
    asked: &RequestContext<'_>,
    known: &PolicyView<'_>,
) -> Vec<Option<&'static str>> {
    if heard.header.is_some() {
        return Vec::new();
    }
    let said_as = |code| rule::ErrorFacts {
        status: inner.status,
        code,
        message: heard.message.as_deref(),
        media_type: dialect::media_type(inner.headers),
        path: asked.path,
        method: asked.method,
    };
    let first = heard.codes.first().map(String::as_str);
    let others = heard.codes.iter().skip(1).map(|code| Some(code.as_str()));
    let names: Vec<_> = std::iter::once(first).chain(others).collect();
    // A rule that fits a wider name is asked after all have been asked for the first one.
    let fit = names.iter().find_map(|name| rule::first_fit(known.rules, &said_as(*name)).map(|(at, _)| at));
    let asked_of = match fit {
        Some(at) => at + 1,
        None => known.rules.len(),
    };
    let misses = |(at, rule): (usize, &std::sync::Arc<rule::Rule>)| match fit {
        Some(fit) if fit == at => None,
        _ => rule.misses(&said_as(first)),
    };
    known.rules[..asked_of].iter().enumerate().map(misses).collect()
}
