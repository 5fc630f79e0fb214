//! The policy that is in force.

use http::StatusCode;
use serde_json::{Value, json};
use tower_error_envelope::PolicyInForce;

use crate::answer::{self, Answer, time};
use crate::asked::Asked;

pub(crate) fn in_force(asked: &Asked<'_>) -> Answer {
    match asked.shared().in_force() {
        Some(in_force) => answer::json(&told(&in_force, asked.shared().switch.is_off())),
        None => answer::text(StatusCode::SERVICE_UNAVAILABLE, "no layer is wired to this address yet"),
    }
}

fn told(in_force: &PolicyInForce, kill_switch: bool) -> Value {
    let policy = in_force.policy();
    let figures = policy.figures();
    let files: Vec<_> = in_force.files().iter().map(|path| path.display().to_string()).collect();
    let routes: Vec<_> =
        policy.routes().map(|route| json!({"route": route.pattern(), "mode": route.mode().as_str()})).collect();
    json!({
        "policy": figures.origin(),
        "since": time(in_force.since()),
        "kill_switch": kill_switch,
        "files": files,
        "last_refusal": in_force.refusal().map(|refusal| json!({
            "at": time(refusal.at()),
            "why": refusal.why(),
            "stands": refusal.stands(),
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
