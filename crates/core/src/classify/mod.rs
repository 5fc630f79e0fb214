//! What went wrong inside → a [`Fault`].
//!
//! [`response`] reads an inner 4xx/5xx. What decides its code, first match (rule R1; a `Fault` in the response's
//! extensions has decided before):
//!
//! 1. a canonical envelope, or a well-formed `x-error-code` where no body has a code, or where the body is in the route's
//!    own dialect, which may have no room for it (E7)
//! 2. a policy's `[[map]]` rule
//! 3. the dialect's own code, where it is known
//! 4. on a 401, the request's credentials and the challenge
//! 5. a list of issues on a 400 or 422
//! 6. the status
//!
//! Message and details follow from what decided (R3, E8, E9). [`failure`] does the same for error values (F1).

pub(crate) mod credentials;
mod decide;
pub(crate) mod decided;
mod explanation;
pub(crate) mod failure;
mod inner;
mod left;
mod passing;
pub(crate) mod reason;
pub(crate) use crate::{details, rpc};
pub mod rule;

use std::borrow::Cow;

use http::{Extensions, StatusCode};

use crate::code::ErrorCode;
use crate::dialect::protocol::Protocol;
use crate::dialect::standard::{self, Envelope};
use crate::dialect::{self, Dialect, Foreign, Members, ParsedBody, Shape, charset};
use crate::fault::Fault;
use crate::message;
use decide::{CodeSource, by_status, decide, lists_issues, unknown_code};
use decided::DecidedBy;
use details::with_issues;
pub use explanation::Explanation;
use explanation::record;
pub(crate) use inner::{Inner, KeptProtocols, PolicyView, Posted, RequestContext};
use inner::{code_of_status, has_layers_head, is_layers_page, is_own, of_header, stays};
use passing::{details_of, members_pass, message_text};

pub(crate) enum RewriteDecision<'b> {
    /// The body is to be written anew.
    Rewrite(Rewrite<'b>),
    /// It passes in the shape of its protocol (R10): these fields are reported beside its body.
    Pass(Rewrite<'b>),
}

pub(crate) struct Rewrite<'b> {
    fault: Fault,
    /// A cleaned text that the fault does not have yet: most are copied once, into the reply.
    text: Option<Cow<'b, str>>,
    pub(crate) shape: Option<Shape>,
    /// The body already is in the client's dialect (R12).
    pub(crate) own: Option<Retained>,
    /// The code is the service's own, or follows from its response; else its status stands for it (P1).
    pub(crate) named: bool,
    /// What decided the code; `None` where no inner error was read.
    pub(crate) by: Option<DecidedBy>,
    /// The index of the rule that decided, if one did.
    pub(crate) rule: Option<usize>,
    /// The names of fields that no rule reads, and that no client gets (R14).
    pub(crate) dropped: Option<Box<str>>,
    /// The body's own code, where it is unknown here.
    pub(crate) unknown_code: Option<Box<str>>,
    /// Fields that the policy keeps, for a dialect whose error object takes them (R12): a JSON object.
    pub(crate) kept: Option<Box<str>>,
    /// The body as it was read, where that took leniency (R3).
    pub(crate) lenient: Option<Vec<u8>>,
}

impl<'b> Rewrite<'b> {
    /// A fault as it is.
    pub(crate) fn unchanged(fault: Fault) -> Self {
        Self {
            fault,
            text: None,
            shape: None,
            own: None,
            named: true,
            by: None,
            rule: None,
            dropped: None,
            unknown_code: None,
            kept: None,
            lenient: None,
        }
    }

    /// An inner error with this fault alone.
    fn decided(fault: Fault, by: DecidedBy) -> Self {
        Self { by: Some(by), ..Self::unchanged(fault) }
    }

    pub(crate) fn code(&self) -> &ErrorCode {
        self.fault.code()
    }

    /// The fault, and the text to write instead of its own.
    pub(crate) fn parts(&self) -> (&Fault, Option<&str>) {
        (&self.fault, self.text.as_deref())
    }

    /// Where the dialect has an issue list in every `invalid_request`, the list has the text as well (E8).
    fn listed(self, dialect: Dialect) -> Self {
        let Self { fault, text, .. } = self;
        let fault = match text {
            Some(text) => fault.with_clean_message(text.into_owned()),
            None => fault,
        };
        Self { fault: listed(fault, dialect), text: None, ..self }
    }

    /// The result without borrows, for a body that is dropped.
    fn into_owned<'o>(self) -> Rewrite<'o> {
        let Self { fault, text, shape, own, named, by, rule, dropped, unknown_code, kept, lenient } = self;
        let text = text.map(|text| Cow::Owned(text.into_owned()));
        Rewrite { fault, text, shape, own, named, by, rule, dropped, unknown_code, kept, lenient }
    }

    /// The fault with its text.
    pub(crate) fn into_fault(self) -> Fault {
        match self.text {
            Some(text) => self.fault.with_clean_message(text.into_owned()),
            None => self.fault,
        }
    }
}

/// Which part of a body in the client's own dialect passes (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retained {
    /// All but a text that may not pass.
    Whole,
    /// All but what the layer adds to each error: the client requested the dialect (R11).
    Negotiated,
    /// Its names alone.
    Names,
    /// The parts that its protocol's clients may have, whatever the client's dialect (R10).
    Protocol(Protocol),
    /// A page, but for the id (R16).
    Page,
}

/// The fault that a service left in its response (R1), by itself or as the cause of a tonic status.
pub(crate) fn fault_in(extensions: &Extensions) -> Option<&Fault> {
    Fault::in_extensions(extensions)
}

/// Decides an inner 4xx/5xx from its head and what was read of its body.
pub(crate) fn response<'b>(
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    known: &PolicyView<'_>,
) -> RewriteDecision<'b> {
    classify(inner, request, known, None)
}

/// Explains what [`response`] decides.
pub(crate) fn explain(inner: &Inner<'_, '_>, request: &RequestContext<'_>, known: &PolicyView<'_>) -> Explanation {
    let mut explanation = Explanation::default();
    classify(inner, request, known, Some(&mut explanation));
    explanation
}

/// R1, step by step. What each step finds goes into the explanation, where one is wanted.
#[inline]
fn classify<'b>(
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    known: &PolicyView<'_>,
    mut explanation: Option<&mut Explanation>,
) -> RewriteDecision<'b> {
    let body = inner.body.unwrap_or_default();
    // Most routers' own errors: they have only a status.
    if body.is_empty() && inner.reason.is_none() && inner.headers.is_empty() && known.rules.is_empty() {
        let fault = listed(Fault::new(code_of_status(inner, request)), known.dialect);
        return RewriteDecision::Rewrite(Rewrite { named: false, ..Rewrite::decided(fault, by_status(inner.status)) });
    }
    // The parsed body is large, and stays where it is.
    let parsed = dialect::read(dialect::declared_type(inner.headers), body, &known.readable(), inner.status);
    if is_unread(&parsed)
        && let Some(lenient) = charset::lenient(body)
    {
        return classify_lenient(lenient, inner, request, known, explanation);
    }
    let rewritten;
    let mut unread = None;
    let foreign = match &parsed {
        ParsedBody::Envelope(envelope) => {
            record(&mut explanation, |it| it.envelope = Some(envelope.code.as_str().to_owned()));
            return of_envelope(again(envelope, inner, request, known), envelope, known);
        }
        &ParsedBody::Protocol(protocol) => {
            record(&mut explanation, |it| it.is_protocol = true);
            if known.keeps(protocol, request) {
                let rewrite = || of_protocol(inner, request, known);
                match protocol.filtered(body, inner.status, "") {
                    // A second layer must recognise it again (E7).
                    Some(written) if is_protocol(&written, inner, known) => {
                        let own = Some(Retained::Protocol(protocol));
                        return RewriteDecision::Rewrite(Rewrite { own, ..rewrite() });
                    }
                    None if inner.status.is_client_error() => return RewriteDecision::Pass(rewrite()),
                    _ => {}
                }
            }
            rewritten = dialect::read_rewritten(body, &known.readable(), inner.status)
                .map(|foreign| without_code_on_5xx(foreign, inner.status));
            rewritten.as_ref()
        }
        ParsedBody::Foreign(foreign) => Some(foreign),
        ParsedBody::Unread(members) => {
            unread = Some(members);
            None
        }
        ParsedBody::Nothing if body.is_empty() => match of_header(inner, known) {
            Some(envelope) => {
                record(&mut explanation, |it| it.header = Some(envelope.code.as_str().to_owned()));
                return of_envelope(again(&envelope, inner, request, known), &envelope, known);
            }
            None => {
                rewritten = inner.reason.map(Foreign::plain_text);
                rewritten.as_ref()
            }
        },
        ParsedBody::Nothing if is_layers_page(inner.headers) => match of_header(inner, known) {
            Some(envelope) => return of_page(again(&envelope, inner, request, known), &envelope, known),
            None => None,
        },
        ParsedBody::Nothing => None,
    };
    record(&mut explanation, |it| it.note_shapes(known.shapes, body));
    let members = foreign.and_then(|foreign| foreign.members.as_ref()).or(unread);
    RewriteDecision::Rewrite(of_foreign(foreign, members, inner, request, known, explanation))
}

/// Whether nothing was read of a body that may have its text, or JSON.
fn is_unread(parsed: &ParsedBody<'_>) -> bool {
    matches!(parsed, ParsedBody::Nothing | ParsedBody::Foreign(Foreign { shape: Shape::PlainText, .. }))
}

/// R3: JSON and texts in the syntax of the languages that most services use.
#[cold]
fn classify_lenient<'b>(
    lenient: Vec<u8>,
    inner: &Inner<'_, '_>,
    request: &RequestContext<'_>,
    known: &PolicyView<'_>,
    explanation: Option<&mut Explanation>,
) -> RewriteDecision<'b> {
    match classify(&Inner { body: Some(&lenient), ..*inner }, request, known, explanation) {
        RewriteDecision::Rewrite(rewrite) => {
            let mut rewrite = rewrite.into_owned();
            rewrite.lenient.get_or_insert(lenient);
            RewriteDecision::Rewrite(rewrite)
        }
        RewriteDecision::Pass(rewrite) => RewriteDecision::Pass(rewrite.into_owned()),
    }
}

fn is_protocol(body: &[u8], inner: &Inner<'_, '_>, known: &PolicyView<'_>) -> bool {
    let parsed = dialect::read(dialect::declared_type(inner.headers), body, &known.readable(), inner.status);
    matches!(parsed, ParsedBody::Protocol(_))
}

/// The report on an error that keeps its protocol's shape: its code, and its text on a 5xx (R10). A layer inside has
/// reported it already (E7).
fn of_protocol(inner: &Inner<'_, '_>, request: &RequestContext<'_>, known: &PolicyView<'_>) -> Rewrite<'static> {
    match of_header(inner, known).filter(|_| has_layers_head(inner.headers)) {
        Some(envelope) => Rewrite::decided(again(&envelope, inner, request, known), DecidedBy::Layer),
        None => {
            let Rewrite { fault, text, named, by, rule, .. } = of_foreign(None, None, inner, request, known, None);
            let text = text.map(|text| Cow::Owned(text.into_owned()));
            Rewrite { text, named, by, rule, ..Rewrite::unchanged(fault) }
        }
    }
}

/// A protocol's own error name is no canonical code: on a 5xx it would vouch for the text.
fn without_code_on_5xx(mut foreign: Foreign<'_>, status: StatusCode) -> Foreign<'_> {
    if status.is_server_error() {
        (foreign.parsed.code, foreign.parsed.wider) = (None, None);
    }
    foreign
}

fn of_envelope(fault: Fault, envelope: &Envelope<'_>, known: &PolicyView<'_>) -> RewriteDecision<'static> {
    let named = envelope.known || !known.by_status;
    RewriteDecision::Rewrite(Rewrite {
        shape: Some(Shape::Standard),
        named,
        ..Rewrite::decided(fault, DecidedBy::Layer)
    })
}

/// A page has no code that can be read: its head has. To a client that gets a page it stays (E7).
fn of_page(fault: Fault, envelope: &Envelope<'_>, known: &PolicyView<'_>) -> RewriteDecision<'static> {
    let own = (known.page && *fault.code() == envelope.code).then_some(Retained::Page);
    RewriteDecision::Rewrite(Rewrite { own, ..Rewrite::decided(fault, DecidedBy::Layer) })
}

/// E7: code and message stay the same text, details the same bytes.
fn again(
    envelope: &Envelope<'_>,
    inner: &Inner<'_, '_>,
    request: &RequestContext<'_>,
    known: &PolicyView<'_>,
) -> Fault {
    let by_status = known.by_status && !envelope.known;
    let code = if by_status { code_of_status(inner, request) } else { envelope.code.clone() };
    let fault = fault(code, standard::message_of(envelope).map(Cow::into_owned), inner.status);
    let details = envelope.details.map(|details| Cow::Borrowed(details.get()));
    if by_status && inner.status.is_client_error() {
        let details = details::compose(details, &[], None, Some(envelope.code.as_str()));
        return listed(fault.with_raw_details(details), known.dialect);
    }
    match envelope.details {
        Some(details) => fault.with_raw_details(Some(details.to_owned())),
        None => listed(fault, known.dialect),
    }
}

/// A fault with this text, or its code's own. A code that is known by name alone has none: its status has.
fn fault(code: ErrorCode, text: Option<String>, status: StatusCode) -> Fault {
    let foreign = code.is_foreign();
    let fault = Fault::new(code);
    match text {
        Some(text) => fault.with_clean_message(text),
        None if foreign => fault.with_stock_message(ErrorCode::of_status(status).default_message()),
        None => fault,
    }
}

/// Where the dialect has an issue list in every `invalid_request`, so has the fault (E8).
#[inline]
pub(crate) fn listed(fault: Fault, dialect: Dialect) -> Fault {
    let lists = *fault.code() == ErrorCode::INVALID_REQUEST && dialect.spec().lists_issues;
    if lists { with_issues(fault) } else { fault }
}

fn of_foreign<'b>(
    foreign: Option<&Foreign<'b>>,
    members: Option<&Members<'_>>,
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    known: &PolicyView<'_>,
    explanation: Option<&mut Explanation>,
) -> Rewrite<'b> {
    let (code, decided) = decide(foreign, inner, request, known, explanation);
    let parsed = foreign.map(|foreign| &foreign.parsed);
    let named = decided.is_named(parsed) || lists_issues(parsed, inner.status);
    let passes = members_pass(&code, &decided, inner.status);
    let text = message_text(foreign, &code, &decided, inner.status, known);
    let more = parsed.filter(|_| passes).map_or(0, |parsed| parsed.more_issues);
    let own = foreign.and_then(|it| retained(it, passes, inner.status, known));
    let stands = matches!(own, Some(Retained::Whole | Retained::Negotiated));
    let left = members.filter(|members| !stands && inner.status.is_client_error() && members.are_left(parsed));
    let left =
        left.map(|members| left::sort(members, parsed, if passes { known.kept } else { &[] })).unwrap_or_default();
    let takes_fields = known.dialect.spec().takes_fields && !left.kept.is_empty();
    let kept = takes_fields.then(|| left.as_object());
    let added: &[_] = if takes_fields { &[] } else { &left.kept };
    let details = match foreign.filter(|_| passes) {
        Some(foreign) => details_of(foreign, added, &code, &decided, inner.status, known),
        None if added.is_empty() => None,
        None => details::compose(None, added, None, None),
    };
    let has_list = passes && parsed.is_some_and(|parsed| parsed.issues.is_some());
    let lists = code == ErrorCode::INVALID_REQUEST && !matches!(decided, CodeSource::Layer) && !has_list;
    let (fault, text) = match text {
        None if more > 0 => {
            let stock = message::with_more(code.default_message(), more).into_owned();
            (Fault::new(code).with_stock_message(stock), None)
        }
        None => (fault(code, None, inner.status), None),
        Some(text) if more > 0 => (Fault::new(code), Some(Cow::Owned(message::with_more(&text, more).into_owned()))),
        Some(text) => (Fault::new(code), Some(text)),
    };
    let shape = foreign.map(|it| it.shape);
    let unknown_code = unknown_code(foreign, &decided, inner.status, known);
    let rule = if let CodeSource::Rule(at, _) = decided { Some(at) } else { None };
    let (fault, by) = (fault.with_raw_details(details).with_left_out(more), Some(decided.by()));
    let dropped = left.dropped;
    let rewrite = Rewrite { fault, text, shape, own, named, by, rule, dropped, unknown_code, kept, lenient: None };
    if lists { rewrite.listed(known.dialect) } else { rewrite }
}

/// Which part of a body in the client's own dialect passes (R11, R12).
fn retained(foreign: &Foreign<'_>, passes: bool, status: StatusCode, known: &PolicyView<'_>) -> Option<Retained> {
    if stays(foreign, known) {
        Some(if passes { Retained::Whole } else { Retained::Names })
    } else {
        (is_own(foreign, known) && passes && status.is_client_error()).then_some(Retained::Negotiated)
    }
}
