//! The kill switch, by hand.
//!
//! Who throws it or takes it back may say so in the query: `POST /mode/off?by=NAME&reason=TEXT`. Bodies are never read.

use error_envelope_runtime::SwitchNote;
use serde_json::json;

use crate::answer::{self, Answer, time};
use crate::asked::AdminRequest;
use crate::error_store::query::value;

pub(crate) fn describe(asked: &AdminRequest<'_>) -> Answer {
    let switch = &asked.shared().switch;
    let last = switch.last_change();
    answer::json(&json!({
        "mode": if switch.is_off() { "off" } else { "policy" },
        "kill_switch": switch.is_off(),
        "changed_at": last.as_ref().map(|it| time(it.changed_at())),
        "changed_by": last.as_ref().and_then(|it| it.by()),
        "reason": last.as_ref().and_then(|it| it.reason()),
    }))
}

pub(crate) fn off(asked: &AdminRequest<'_>) -> Answer {
    asked.shared().switch.off_with(note(asked));
    done(asked)
}

pub(crate) fn back(asked: &AdminRequest<'_>) -> Answer {
    asked.shared().switch.back_with(note(asked));
    done(asked)
}

fn note(asked: &AdminRequest<'_>) -> SwitchNote {
    let said = |name| value(asked.query, name).unwrap_or_default();
    SwitchNote::new().by(&said("by")).reason(&said("reason"))
}

fn done(asked: &AdminRequest<'_>) -> Answer {
    if asked.by_page() { answer::see("/") } else { describe(asked) }
}
