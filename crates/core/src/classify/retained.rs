//! Step 5: which part of a body stays in its place (rules R10–R12, R16).

use super::decide::Decision;
use super::parse::{KeptForm, Parsed};
use crate::dialect::ParsedBody;
use crate::dialect::protocol::Protocol;

/// Which part of a body that is in the client's own dialect, or keeps its form, passes (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retained {
    /// All except a text that clients may not get.
    Whole,
    /// All except the fields that the layer adds to each error: the client requested the dialect (R11).
    Negotiated,
    /// Only the names of its fields.
    Names,
    /// The parts that its protocol's clients may have, whatever the client's dialect (R10).
    Protocol(Protocol),
    /// JSON-RPC that an inner layer wrote, except for the id (E7).
    LayersJsonRpc,
    /// A page, except for the id (R16).
    Page,
}

impl Retained {
    /// The word in the media types of a body that keeps its form.
    pub(crate) const fn format(self) -> Option<&'static str> {
        match self {
            Self::Protocol(protocol) => Some(protocol.format()),
            Self::LayersJsonRpc => Some("json"),
            Self::Whole | Self::Negotiated | Self::Names | Self::Page => None,
        }
    }
}

/// The part of the body that passes; `None` where the body is rewritten.
#[inline]
pub(super) fn retained(parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<Retained> {
    match (parsed.kept, parsed.content) {
        (KeptForm::Filtered(protocol), _) => Some(Retained::Protocol(protocol)),
        (KeptForm::LayersJsonRpc, _) => Some(Retained::LayersJsonRpc),
        // The head has the code for which a layer inside wrote the page. It stays for a client that gets pages (E7).
        (KeptForm::Page, ParsedBody::Envelope(head)) if parsed.policy.page && decision.code == head.code => {
            Some(Retained::Page)
        }
        (KeptForm::Nothing, _) if parsed.stays => {
            let is_whole = decision.passes && (parsed.is_vouched || !has_names_alone(parsed));
            Some(if is_whole { Retained::Whole } else { Retained::Names })
        }
        (KeptForm::Nothing, _) if parsed.is_own && decision.passes && parsed.status.is_client_error() => {
            Some(Retained::Negotiated)
        }
        _ => None,
    }
}

/// Whether a service's error keeps its names alone, whatever decided (R10).
fn has_names_alone(parsed: &Parsed<'_, '_>) -> bool {
    parsed.status.is_server_error() && parsed.policy.dialect.spec().has_names_alone_on_5xx
}
