//! Handles the paths for health, metrics, the active policy and the kill switch.

use std::sync::atomic::Ordering;

use error_envelope_runtime::{KillSwitch, PolicyStatus};
use http::StatusCode;
#[cfg(feature = "prometheus")]
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::admin::Metrics;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::error_record::time;

/// The content type of Prometheus' text format.
#[cfg(feature = "prometheus")]
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(crate) fn alive(_: &AdminRequest<'_>) -> Answer {
    answer::text(StatusCode::OK, "ok")
}

pub(crate) fn ready(request: &AdminRequest<'_>) -> Answer {
    let shared = &request.admin.shared;
    if shared.draining.load(Ordering::Relaxed) {
        return answer::text(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    let status = shared.policy_status();
    match status.as_ref().and_then(|status| status.missing_key_sets().first().copied()) {
        Some(url) => answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("waiting for the key set at {url}")),
        None => answer::text(StatusCode::OK, "ready"),
    }
}

/// Returns the metrics, in Prometheus' format.
pub(crate) fn metrics(request: &AdminRequest<'_>) -> Answer {
    match &request.admin.metrics {
        #[cfg(feature = "prometheus")]
        Metrics::Here(handle) => {
            let mut answer = answer::text(StatusCode::OK, handle.render());
            answer.headers_mut().insert(CONTENT_TYPE, FORMAT);
            answer
        }
        Metrics::Elsewhere(place) => answer::text(StatusCode::NOT_FOUND, &**place),
        Metrics::Nowhere => {
            answer::text(StatusCode::NOT_FOUND, "nothing is counted, because no metrics recorder is installed")
        }
    }
}

pub(crate) fn policy(request: &AdminRequest<'_>) -> Answer {
    match request.admin.shared.policy_status() {
        Some(status) => answer::json(&describe(&status, request.admin.shared.store.switch.is_on())),
        None => answer::text(StatusCode::SERVICE_UNAVAILABLE, "no layer is connected to this address yet"),
    }
}

fn describe(status: &PolicyStatus, kill_switch: bool) -> Value {
    let policy = &status.policy;
    let figures = policy.summary();
    let files: Vec<_> = status.files.iter().map(|path| path.display().to_string()).collect();
    let routes = policy.routes().map(|route| {
        let mode = route.mode().as_str();
        json!({"route": route.pattern(), "scope": route.scope(), "from": route.from(), "mode": mode, "mode_from": route.mode_from()})
    });
    json!({
        "policy": figures.origin(),
        "hash": figures.hash(),
        "since": time(status.since),
        "kill_switch": kill_switch,
        "files": files,
        "last_refusal": status.rejection.as_ref().map(|rejection| json!({
            "at": time(rejection.since),
            "why": &*rejection.why,
            "stands": rejection.is_current,
        })),
        "mode": figures.mode().as_str(),
        "mode_from": figures.mode_from(),
        "body_limit": figures.body_limit(),
        "scopes": figures.scopes(),
        "map_rules": figures.map_rules(),
        "own_codes": figures.own_codes(),
        "observes_bodies": figures.observes_bodies(),
        "routes": routes.collect::<Vec<_>>(),
    })
}

pub(crate) fn kill_switch(request: &AdminRequest<'_>) -> Answer {
    answer::json(&describe_switch(&request.admin.shared.store.switch))
}

pub(crate) fn describe_switch(switch: &KillSwitch) -> Value {
    let last = switch.last_change();
    json!({
        "kill_switch": switch.is_on(),
        "changed_at": last.as_ref().map(|it| time(it.at)),
        "changed_by": last.as_ref().and_then(|it| it.by.as_deref()),
        "reason": last.as_ref().and_then(|it| it.reason.as_deref()),
        "client_address": last.as_ref().and_then(|it| it.peer),
    })
}

/// Turns the kill switch on or off.
pub(crate) fn turn(request: &AdminRequest<'_>, on: bool) -> Answer {
    match &request.change {
        Ok(note) => {
            let switch = &request.admin.shared.store.switch;
            if switch.set(on, note.clone())
                && let Some(journal) = &request.admin.journal
            {
                journal.append(switch);
            }
            kill_switch(request)
        }
        Err(refusal) => answer::refused(*refusal),
    }
}
