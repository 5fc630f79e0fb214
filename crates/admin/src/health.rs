//! The health endpoints: whether the process runs, and whether it should get requests.

use http::StatusCode;

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};

pub(crate) fn alive(_: &AdminRequest<'_>) -> Answer {
    answer::text(StatusCode::OK, "ok")
}

pub(crate) fn ready(request: &AdminRequest<'_>) -> Answer {
    let shared = request.shared();
    if !shared.is_ready() {
        return answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    let status = shared.policy_status();
    match status.as_ref().and_then(|status| status.missing_key_sets().first().copied()) {
        Some(url) => answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("waiting for the key set at {url}")),
        None => answer::text(StatusCode::OK, "ready"),
    }
}
