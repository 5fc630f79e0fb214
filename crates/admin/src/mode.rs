//! The kill switch, for operators: `POST /kill-switch/on?by=NAME&reason=TEXT`.

use error_envelope_runtime::KillSwitch;
use serde_json::{Value, json};

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::clock::time;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    answer::json(&describe(&request.admin.shared.switch))
}

pub(crate) fn on(request: &AdminRequest<'_>) -> Answer {
    change(request, true)
}

pub(crate) fn off(request: &AdminRequest<'_>) -> Answer {
    change(request, false)
}

pub(crate) fn describe(switch: &KillSwitch) -> Value {
    let last = switch.last_change();
    json!({
        "kill_switch": switch.is_on(),
        "changed_at": last.as_ref().map(|it| time(it.changed_at())),
        "changed_by": last.as_ref().and_then(|it| it.by()),
        "reason": last.as_ref().and_then(|it| it.reason()),
        "client_address": last.as_ref().and_then(|it| it.peer()),
    })
}

fn change(request: &AdminRequest<'_>, on: bool) -> Answer {
    match &request.change {
        Ok(note) => {
            let switch = &request.admin.shared.switch;
            if switch.set(on, note.clone())
                && let Some(journal) = &request.admin.journal
            {
                journal.append(switch);
            }
            show(request)
        }
        Err(refusal) => answer::refused(*refusal),
    }
}
