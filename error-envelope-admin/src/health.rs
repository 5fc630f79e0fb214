//! Whether the process lives, and whether it is to get requests.

use http::StatusCode;

use crate::answer::{self, Answer};
use crate::asked::AdminRequest;

pub(crate) fn alive(_: &AdminRequest<'_>) -> Answer {
    answer::text(StatusCode::OK, "ok")
}

pub(crate) fn ready(asked: &AdminRequest<'_>) -> Answer {
    if asked.shared().is_ready() {
        answer::text(StatusCode::OK, "ready")
    } else {
        answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining")
    }
}
