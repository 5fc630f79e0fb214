//! The guards, in their order, credentials aside (G0, G1, G3, G4).

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, ORIGIN};
use http::{Method, Version};

use super::{HeaderFlags, RequestView};
use crate::exchange::BodyFacts;
use crate::exchange::head::list;
use crate::fault::Fault;
use crate::guard::body_limit::ObservedLimit;
use crate::guard::content_type::Declared;
use crate::guard::method::is_override;
use crate::policy::{Matched, Mode, Policy, Preflight, Settings};

/// The smallest limit of all readings, each in its own mode (G0).
fn body_limit(matched: &Matched) -> Option<u64> {
    let enforcing = guarding(matched).filter(|settings| settings.mode != Mode::Observe);
    enforcing.filter_map(|settings| settings.body_limit).min()
}

/// What the guards say, credentials aside.
#[derive(Debug, Default)]
pub(in crate::exchange) struct GuardOutcome {
    /// What refuses the request before its credentials are looked at (G1).
    pub(in crate::exchange) unmet: Option<Fault>,
    /// What refuses it after (G3, G4).
    pub(in crate::exchange) refusal: Option<Fault>,
    /// What refuses it if a first body byte comes (G3).
    pub(in crate::exchange) peek: Option<Fault>,
    /// What would have refused it on a route in `observe` (M1), before and after.
    pub(in crate::exchange) observed_unmet: Option<Fault>,
    pub(in crate::exchange) observed: Option<Fault>,
    /// The same, if a first body byte comes.
    pub(in crate::exchange) observed_peek: Option<Fault>,
    pub(in crate::exchange) watched: ObservedLimit,
    /// What is known of the body, and where it is cut: the smallest limit of all readings (G0).
    pub(in crate::exchange) body: BodyFacts,
    pub(in crate::exchange) limit: Option<u64>,
}

/// Asks the guards in their order.
pub(in crate::exchange) fn guard(policy: &Policy, matched: &Matched, asked: &RequestView<'_>) -> GuardOutcome {
    let limit = body_limit(matched);
    let mut guarded = GuardOutcome { limit, body: asked.body, ..GuardOutcome::default() };
    guarded.unmet = guarded.ask_for_headers(policy, matched, asked).err();
    guarded.observed_unmet = guarded.observed.take();
    if guarded.unmet.is_none() {
        guarded.refusal = guarded.ask_of_body(policy, matched, asked).err();
    }
    guarded
}

impl GuardOutcome {
    fn ask_for_headers(&mut self, policy: &Policy, matched: &Matched, asked: &RequestView<'_>) -> Result<(), Fault> {
        for settings in asking(matched, asked) {
            for header in policy.required_headers(settings) {
                header.check(&asked.head.headers).or_else(|fault| self.note_refusal(settings, fault))?;
            }
        }
        Ok(())
    }

    fn ask_of_body(&mut self, policy: &Policy, matched: &Matched, asked: &RequestView<'_>) -> Result<(), Fault> {
        if asked.body.is_empty() {
            return Ok(());
        }
        for settings in asking(matched, asked) {
            let Some(types) = policy.content_types(settings) else { continue };
            match (carries_body(asked), types.declared(&asked.head.headers)) {
                (BodyPresence::No, _) | (_, Declared::Accepted) => {}
                (BodyPresence::Unknown, Declared::Missing) if settings.mode == Mode::Observe => {
                    self.watched.first_byte = true;
                    self.observed_peek = Some(types.refusal());
                }
                (BodyPresence::Unknown, Declared::Missing) => self.peek = Some(types.refusal()),
                _ => self.note_refusal(settings, types.refusal())?,
            }
        }
        for settings in guarding(matched).filter(|settings| settings.mode == Mode::Observe) {
            match settings.body_limit {
                Some(limit) if asked.is_over(limit) => self.note_refusal(settings, policy.too_large(limit))?,
                limit => self.watched.limit = self.watched.limit.into_iter().chain(limit).min(),
            }
        }
        match self.limit {
            Some(limit) if asked.is_over(limit) => Err(policy.too_large(limit)),
            _ => Ok(()),
        }
    }

    /// A route in `observe` refuses nobody; the first that it would have refused for is noted.
    fn note_refusal(&mut self, settings: &Settings, fault: Fault) -> Result<(), Fault> {
        if settings.mode != Mode::Observe {
            return Err(fault);
        }
        self.observed.get_or_insert(fault);
        Ok(())
    }
}

/// Those of the request's readings that have guards.
pub(in crate::exchange) fn guarding(matched: &Matched) -> impl Iterator<Item = &Settings> + Clone {
    matched.guards().filter(|settings| settings.mode != Mode::Off)
}

/// Those whose guards hold for the request.
fn asking<'m>(matched: &'m Matched, asked: &RequestView<'_>) -> impl Iterator<Item = &'m Settings> {
    let preflight = is_preflight(asked);
    guarding(matched).filter(move |settings| !preflight || settings.preflight == Preflight::Guard)
}

/// A CORS preflight: browsers send it without credentials, and without a body (G0).
pub(in crate::exchange) fn is_preflight(asked: &RequestView<'_>) -> bool {
    asked.head.method == Method::OPTIONS
        && asked.head.headers.contains_key(ORIGIN)
        && asked.head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && matches!(carries_body(asked), BodyPresence::No)
        // Browsers never send one with it, and a service may run what it names.
        && !asked.head.headers.keys().any(|name| is_override(name.as_str()))
}

/// Whether a request carries a body, which a guard of its type asks (G3).
#[derive(Clone, Copy)]
pub(in crate::exchange) enum BodyPresence {
    Yes,
    No,
    /// Neither ended nor of a known length: its first byte decides.
    Unknown,
}

pub(in crate::exchange) fn carries_body(asked: &RequestView<'_>) -> BodyPresence {
    if asked.body.is_empty() || asked.head.method == Method::CONNECT || is_bodyless_upgrade(asked) {
        return BodyPresence::No;
    }
    match asked.declared() {
        Some(0) => BodyPresence::No,
        Some(_) => BodyPresence::Yes,
        None => BodyPresence::Unknown,
    }
}

fn is_bodyless_upgrade(RequestView { head, sent, .. }: &RequestView<'_>) -> bool {
    let unframed = || !sent.has(HeaderFlags::LENGTH | HeaderFlags::TRANSFER_CODING);
    let asks = || head.headers.get_all(CONNECTION).iter().flat_map(list).any(|it| it.eq_ignore_ascii_case("upgrade"));
    head.version == Version::HTTP_11 && sent.has(HeaderFlags::UPGRADE) && asks() && unframed()
}
