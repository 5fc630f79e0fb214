//! The active policy.

use error_envelope_runtime::PolicyStatus;
use http::StatusCode;
use serde_json::{Value, json};

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::clock::time;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    match request.shared().policy_status() {
        Some(status) => answer::json(&describe(&status, request.shared().switch.is_on())),
        None => answer::text(StatusCode::SERVICE_UNAVAILABLE, "no layer is connected to this address yet"),
    }
}

fn describe(status: &PolicyStatus, kill_switch: bool) -> Value {
    let policy = status.policy();
    let figures = policy.summary();
    let files: Vec<_> = status.files().iter().map(|path| path.display().to_string()).collect();
    let routes: Vec<_> =
        policy.routes().map(|route| json!({"route": route.pattern(), "mode": route.mode().as_str()})).collect();
    json!({
        "policy": figures.origin(),
        "hash": figures.hash(),
        "since": time(status.since()),
        "kill_switch": kill_switch,
        "files": files,
        "last_refusal": status.rejection().map(|rejection| json!({
            "at": time(rejection.since()),
            "why": rejection.why(),
            "stands": rejection.is_current(),
        })),
        "mode": figures.mode().as_str(),
        "body_limit": figures.body_limit(),
        "scopes": figures.scopes(),
        "map_rules": figures.map_rules(),
        "own_codes": figures.own_codes(),
        "observes_bodies": figures.observes_bodies(),
        "routes": routes,
    })
}
