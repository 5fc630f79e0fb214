//! Whether the process lives, and whether it is to get requests.

use http::StatusCode;

use crate::answer::{self, Answer};
use crate::asked::Asked;

pub(crate) fn alive(_: &Asked<'_>) -> Answer {
    answer::text(StatusCode::OK, "ok")
}

pub(crate) fn ready(asked: &Asked<'_>) -> Answer {
    if asked.shared().is_ready() {
        answer::text(StatusCode::OK, "ready")
    } else {
        answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining")
    }
}
