//! Chooses the messages that Envoy sends next, with the processing modes that the processor requests.
//!
//! Envoy compares every field of a mode with its `allowed_override_modes`, and ignores a mode that is not in this list.
//! If a mode were ignored, a body's limit would not be checked, or an error would pass unchanged. So the generated
//! configuration lists the modes of [`override_modes`], which are the only modes that this crate can request.

use crate::proto::ProcessingMode;
use crate::proto::processing_mode::{BodySendMode, HeaderSendMode};

/// The fields of a processing mode in Envoy's configuration, with their values.
pub type ModeFields = [(&'static str, &'static str); 6];

/// The messages that Envoy sends after it has received this mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// True if the request's body comes in pieces.
    pub(crate) counts_request: bool,
    pub(crate) response: ResponseMode,
}

/// The parts of the response that Envoy sends after its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ResponseMode {
    #[default]
    Head,
    /// Envoy holds the head back, and sends the body as a whole.
    Buffered,
    /// The body passes through the processor in pieces, followed by the trailers.
    Streamed,
    /// The body passes without the processor, which gets only the trailers.
    Trailers,
}

impl ResponseMode {
    const ALL: [Self; 4] = [Self::Head, Self::Buffered, Self::Streamed, Self::Trailers];
}

/// Returns every mode that the processor can request, for `allowed_override_modes`.
pub fn override_modes() -> impl Iterator<Item = ModeFields> {
    let pairs = [false, true].into_iter().flat_map(|counts| ResponseMode::ALL.map(|response| (counts, response)));
    pairs.map(|(counts_request, response)| fields(&Mode { counts_request, response }.message()))
}

pub(crate) fn fields(mode: &ProcessingMode) -> ModeFields {
    [
        ("request_header_mode", mode.request_header_mode().as_str_name()),
        ("response_header_mode", mode.response_header_mode().as_str_name()),
        ("request_body_mode", mode.request_body_mode().as_str_name()),
        ("response_body_mode", mode.response_body_mode().as_str_name()),
        ("request_trailer_mode", mode.request_trailer_mode().as_str_name()),
        ("response_trailer_mode", mode.response_trailer_mode().as_str_name()),
    ]
}

impl Mode {
    pub(crate) fn message(self) -> ProcessingMode {
        let (body, trailers) = match self.response {
            ResponseMode::Head => (BodySendMode::None, HeaderSendMode::Skip),
            ResponseMode::Buffered => (BodySendMode::Buffered, HeaderSendMode::Skip),
            ResponseMode::Streamed => (BodySendMode::Streamed, HeaderSendMode::Send),
            ResponseMode::Trailers => (BodySendMode::None, HeaderSendMode::Send),
        };
        let request_body = if self.counts_request { BodySendMode::Streamed } else { BodySendMode::None };
        ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            request_body_mode: request_body.into(),
            response_body_mode: body.into(),
            // Request trailers are sent, because the processor removes most of them (R6).
            request_trailer_mode: HeaderSendMode::Send.into(),
            response_trailer_mode: trailers.into(),
        }
    }
}
