//! The kill switch, by hand.

use serde_json::json;

use crate::answer::{self, Answer, time};
use crate::asked::AdminRequest;

pub(crate) fn describe(asked: &AdminRequest<'_>) -> Answer {
    let switch = &asked.shared().switch;
    answer::json(&json!({
        "mode": if switch.is_off() { "off" } else { "policy" },
        "kill_switch": switch.is_off(),
        "changed_at": switch.changed_at().map(time),
    }))
}

pub(crate) fn off(asked: &AdminRequest<'_>) -> Answer {
    asked.shared().switch.off();
    done(asked)
}

pub(crate) fn back(asked: &AdminRequest<'_>) -> Answer {
    asked.shared().switch.back();
    done(asked)
}

fn done(asked: &AdminRequest<'_>) -> Answer {
    if asked.by_page() { answer::see("/") } else { describe(asked) }
}
