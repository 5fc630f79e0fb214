//! The kill switch, by hand.
//!
//! The query may name the operator and the reason: `POST /mode/off?by=NAME&reason=TEXT`. Bodies are never read.

use error_envelope_runtime::SwitchNote;
use serde_json::json;

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::clock::time;
use crate::error_store::query::value;

pub(crate) fn describe(request: &AdminRequest<'_>) -> Answer {
    let switch = &request.shared().switch;
    let last = switch.last_change();
    answer::json(&json!({
        "mode": if switch.is_off() { "off" } else { "policy" },
        "kill_switch": switch.is_off(),
        "changed_at": last.as_ref().map(|it| time(it.changed_at())),
        "changed_by": last.as_ref().and_then(|it| it.by()),
        "reason": last.as_ref().and_then(|it| it.reason()),
    }))
}

pub(crate) fn off(request: &AdminRequest<'_>) -> Answer {
    request.shared().switch.off_with(note(request));
    done(request)
}

pub(crate) fn back(request: &AdminRequest<'_>) -> Answer {
    request.shared().switch.back_with(note(request));
    done(request)
}

fn note(request: &AdminRequest<'_>) -> SwitchNote {
    let parameter = |name| value(request.query, name).unwrap_or_default();
    SwitchNote::new().by(&parameter("by")).reason(&parameter("reason"))
}

fn done(request: &AdminRequest<'_>) -> Answer {
    if request.by_page() { answer::see("/") } else { describe(request) }
}
