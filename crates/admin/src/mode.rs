//! The kill switch, for operators.
//!
//! The form or the query may have the operator's name and the reason: `POST /kill-switch/on?by=NAME&reason=TEXT`.

use error_envelope_runtime::{KillSwitch, SwitchNote};
use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use serde_json::json;

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::change::Denied;
use crate::error_store::clock::time;
use crate::page;

pub(crate) fn describe(request: &AdminRequest<'_>) -> Answer {
    let switch = &request.shared().switch;
    let last = switch.last_change();
    answer::json(&json!({
        "kill_switch": switch.is_off(),
        "changed_at": last.as_ref().map(|it| time(it.changed_at())),
        "changed_by": last.as_ref().and_then(|it| it.by()),
        "reason": last.as_ref().and_then(|it| it.reason()),
        "client_address": last.as_ref().and_then(|it| it.peer()),
    }))
}

pub(crate) fn on(request: &AdminRequest<'_>) -> Answer {
    change(request, KillSwitch::off_with)
}

pub(crate) fn off(request: &AdminRequest<'_>) -> Answer {
    change(request, KillSwitch::back_with)
}

fn change(request: &AdminRequest<'_>, set: fn(&KillSwitch, SwitchNote) -> bool) -> Answer {
    if let Some(denied) = &request.change.denied {
        return refuse(request, denied);
    }
    set(&request.shared().switch, request.change.note());
    if request.wants_page() { answer::redirect_to("/") } else { describe(request) }
}

/// Refuses a change. A browser gets the form again, with the name and the reason that the operator wrote.
fn refuse(request: &AdminRequest<'_>, denied: &Denied) -> Answer {
    let mut answer =
        if request.wants_page() { page::denied(request, denied) } else { answer::text(denied.status, &*denied.why) };
    if denied.status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
