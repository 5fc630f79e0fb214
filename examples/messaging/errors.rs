//! The service's errors, and what clients get for each of them.

use serde_json::error::Category;
use tower_error_envelope::{AsFault, ErrorCode, Fault, Issue};

pub(super) const CHANNEL_CLOSED: ErrorCode = ErrorCode::custom("channel_closed", 409);
pub(super) const CHANNEL_FULL: ErrorCode = ErrorCode::custom("channel_full", 409);

#[derive(Debug, thiserror::Error, AsFault)]
pub(super) enum MessageError {
    #[error("no such channel")]
    #[fault(NOT_FOUND, message = "There is no such channel.")]
    NoChannel,
    #[error("a second channel of one name")]
    #[fault(CONFLICT, message = "There is such a channel already.")]
    Exists,
    /// A channel may be closed without a reason. The details then have none.
    #[error("the channel is closed")]
    #[fault(CHANNEL_CLOSED, message = "The channel is closed.", details(messages, reason))]
    Closed { messages: usize, reason: Option<String> },
    #[error("the channel has {limit} messages")]
    #[fault(CHANNEL_FULL, message = "The channel is full.", details(limit))]
    Full { limit: usize },
    #[error("the hook's body cannot be read")]
    #[fault(with = hook_fault)]
    Hook(#[from] serde_json::Error),
}

/// Returns the fault for an invalid body. JSON of another form is 422; a body that is not JSON is 400.
fn hook_fault(error: &serde_json::Error) -> Fault {
    match error.classify() {
        Category::Data => Fault::invalid([Issue::new("", "Send an object with a text.")]),
        _ => Fault::new(ErrorCode::BAD_REQUEST),
    }
}
