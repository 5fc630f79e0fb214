//! Step 5: which part of a body stays in place (rules R10–R12, R16).

use super::decide::Decision;
use super::parse::{KeptForm, Parsed};
use crate::dialect::ParsedBody;
use crate::dialect::protocol::Protocol;

/// Which part of a body passes (R3), if the body is in the client's dialect or keeps its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retained {
    /// All except a text that clients must not get.
    Whole,
    /// All except the fields that the layer adds to each error, because the client chose the dialect (R11).
    Negotiated,
    /// Only the names in its fields, such as a code.
    Names,
    /// The parts that clients of the protocol may get, whatever their dialect (R10).
    Protocol(Protocol),
    /// JSON-RPC that an inner layer wrote, except for the id (E7).
    LayersJsonRpc,
    /// A page, except for the id (R16).
    Page,
}

impl Retained {
    /// The word that the media type of a body with this form contains.
    pub(crate) const fn format(self) -> Option<&'static str> {
        match self {
            Self::Protocol(protocol) => Some(protocol.format()),
            Self::LayersJsonRpc => Some("json"),
            Self::Whole | Self::Negotiated | Self::Names | Self::Page => None,
        }
    }
}

/// The part of the body that passes; `None` if all of the body is rewritten.
#[inline]
pub(super) fn retained(parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<Retained> {
    match (parsed.kept, parsed.content) {
        (KeptForm::Filtered(protocol), _) => Some(Retained::Protocol(protocol)),
        (KeptForm::LayersJsonRpc, _) => Some(Retained::LayersJsonRpc),
        // The head has the code with which an inner layer wrote the page. The page stays for a client that prefers
        // pages (E7).
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

/// Whether a service's error keeps only its names, whatever decided its code (R10).
fn has_names_alone(parsed: &Parsed<'_, '_>) -> bool {
    parsed.status.is_server_error() && parsed.policy.dialect.spec().has_names_alone_on_5xx
}
