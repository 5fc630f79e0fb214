//! What is kept of an event.

use std::sync::{Arc, OnceLock};

use tower_error_envelope::exchange::{DecidedBy, Event, Origin, Shown};
use tower_error_envelope::{ErrorCode, Mode, RequestId, Shape};

use super::redact;

/// One event, as it is counted. What a stranger chose is in it without what looks like a credential.
#[derive(Clone)]
pub(super) struct Seen<'a> {
    pub(super) id: RequestId,
    /// In milliseconds since the Unix epoch.
    pub(super) at: u64,
    /// The pattern; `None` where no route matched.
    pub(super) route: Option<&'a str>,
    pub(super) mode: Mode,
    pub(super) kind: Kind,
    /// The names of members that are dropped.
    pub(super) dropped: Option<Box<str>>,
    /// Bodies come with it.
    pub(super) has_bodies: bool,
}

/// What many errors have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) origin: Origin,
    pub(super) code: Code,
    /// What the client got; `None` where nothing left.
    pub(super) sent: Option<u16>,
    /// What it would get in `enforce`, where that is still to come.
    pub(super) would_be: Option<u16>,
    pub(super) grpc: Option<u8>,
    pub(super) dialect: Option<Shape>,
    pub(super) by: Option<DecidedBy>,
    /// A code of the service's that nobody knows.
    pub(super) unknown: Option<Box<str>>,
}

/// A code, where there is one that may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Code {
    #[default]
    None,
    Known(ErrorCode),
    /// In no form that the library lets through (E2).
    #[cfg(test)]
    Any(Box<str>),
}

/// One error among the last ones.
#[derive(Debug)]
pub(super) struct Entry {
    /// Counts from 1, in the order in which errors were seen.
    pub(super) number: u64,
    pub(super) id: RequestId,
    pub(super) at: u64,
    pub(super) route: Option<Arc<str>>,
    pub(super) mode: Mode,
    pub(super) kind: Arc<Kind>,
    pub(super) dropped: Option<Box<str>>,
    pub(super) has_bodies: bool,
    /// Filled in by whoever takes out of them what must not be seen.
    pub(super) bodies: OnceLock<Bodies>,
}

/// What was said before and after, as it may be shown.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    pub(super) before: Option<Side>,
    pub(super) after: Option<Side>,
}

/// One of the two.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) status: u16,
    pub(super) content_type: Option<Box<str>>,
    /// `None` where it is no text.
    pub(super) text: Option<Box<str>>,
    /// In bytes, as far as it was kept.
    pub(super) length: usize,
    pub(super) whole: bool,
}

impl<'a> Seen<'a> {
    pub(super) fn of(event: &'a Event, at: u64) -> Self {
        Self {
            id: event.request_id(),
            at,
            route: event.route(),
            mode: event.mode(),
            kind: Kind {
                origin: event.origin(),
                code: Code::of(event.code()),
                sent: event.status().map(|status| status.as_u16()),
                would_be: event.would_be().map(|status| status.as_u16()),
                grpc: event.grpc_status(),
                dialect: event.dialect(),
                by: event.decided_by(),
                unknown: event.notes().unknown_code().map(harmless),
            },
            dropped: event.notes().dropped_members().map(harmless),
            has_bodies: event.exhibit().is_some(),
        }
    }
}

fn harmless(text: &str) -> Box<str> {
    if redact::is_suspect(text) { redact::text(text).into() } else { text.into() }
}

impl Kind {
    pub(super) fn is_error(&self) -> bool {
        self.origin != Origin::Abandoned
    }

    /// The service said no code that is known.
    pub(super) fn is_without_code(&self) -> bool {
        self.by == Some(DecidedBy::Status)
    }

    /// What the service said; `None` where it was not asked, or where what it said was no status.
    pub(super) fn said(&self) -> Option<u16> {
        self.sent.filter(|_| self.origin == Origin::Inner)
    }

    /// The status of an error's own: what clients get, or would get.
    pub(super) fn status(&self) -> Option<u16> {
        self.would_be.or(self.sent)
    }
}

impl Code {
    /// The codes of the catalogue and of the policy are an operator's; any other is the service's own word.
    fn of(code: Option<&ErrorCode>) -> Self {
        let may_be_shown =
            |code: &&ErrorCode| !redact::is_suspect(code.as_str()) || redact::text(code.as_str()) == code.as_str();
        code.filter(may_be_shown).map_or(Self::None, |code| Self::Known(code.clone()))
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Known(code) => code.as_str(),
            #[cfg(test)]
            Self::Any(code) => code,
        }
    }
}

impl Bodies {
    pub(super) fn of(before: Option<&Shown>, after: Option<&Shown>) -> Self {
        Self { before: before.map(Side::of), after: after.map(Side::of) }
    }
}

impl Side {
    fn of(shown: &Shown) -> Self {
        Self::made(shown.status().as_u16(), shown.content_type(), shown.body(), shown.is_whole())
    }

    pub(super) fn made(status: u16, content_type: Option<&str>, body: &[u8], whole: bool) -> Self {
        Self {
            status,
            content_type: content_type.map(harmless),
            text: redact::body(content_type, body, whole).map(Into::into),
            length: body.len(),
            whole,
        }
    }
}
