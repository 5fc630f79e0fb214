//! Tests `observe` around the axum example and the gateway's embedded service (M1). Over HTTP/1 and HTTP/2, a client
//! gets the same as without the layer, and the log states what `enforce` would have done.
//!
//! Each request is sent three times: without the layer, in `observe`, and in `enforce`. The first two responses are
//! compared byte for byte, except for the id. The log of the second is compared with the third response and its log.

mod ask;
mod axum_example;
mod embedded;
mod site;

use std::collections::HashMap;

use crate::cases::logs::captured;
use ask::{Ask, Seen};

/// The example itself.
#[allow(dead_code, unused_imports, reason = "the program around what is asked here")]
#[path = "../../../examples"]
mod examples {
    pub(super) mod axum;
}

/// The parts of the command's demo.
#[allow(dead_code, reason = "the programs around what is asked here")]
#[path = "../../../crates/cli/src"]
mod command {
    pub(super) mod demo {
        pub(crate) mod acts;
        pub(crate) mod stage;
    }
}

/// The result of one request.
struct Round {
    ask: Ask,
    bare: Option<Seen>,
    observed: Option<Seen>,
    enforced: Option<Seen>,
}

/// What was logged about one request.
#[derive(Clone, Debug, PartialEq)]
struct LoggedEvent {
    code: String,
    status: String,
    would_be: Option<String>,
    /// The first refusal of a guard that only observes.
    also: Option<String>,
}

/// Sends everything on this thread alone, and returns what was logged, by request id.
fn rounds(ask: impl Future<Output = Vec<Round>>) -> (Vec<Round>, HashMap<String, Vec<LoggedEvent>>) {
    // A body that nobody reads to its end is reported when its connection is dropped, at the latest with the runtime.
    let (rounds, log) = captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask)
    });
    let mut events = HashMap::<String, Vec<LoggedEvent>>::new();
    for line in log.lines().filter(|line| line.contains(" tower_error_envelope: ")) {
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!(" {name}="))?;
            Some(rest.split(' ').next()?.trim_matches('"').to_owned())
        };
        if let (Some(id), Some(code), Some(status)) =
            (field("request_id"), field("code").or_else(|| field("would_be_code")), field("status"))
        {
            let (would_be, also) = (field("would_be_status"), field("also"));
            let also = also.map(|codes| codes.trim_end_matches(',').to_owned());
            events.entry(id).or_default().push(LoggedEvent { code, status, would_be, also });
        }
    }
    (rounds, events)
}

/// Returns the faults of a round.
fn judge(round: &Round, log: &HashMap<String, Vec<LoggedEvent>>) -> Vec<String> {
    let Round { ask, bare, observed, enforced } = round;
    let context = format!("{ask:?}");
    let (Some(observed), Some(enforced)) = (observed, enforced) else { return vec![format!("{context}: no answer")] };
    let mut wrong = Vec::new();
    let events = |seen: &Seen| log.get(&seen.id()).map_or(&[][..], Vec::as_slice);
    let (of_observed, of_enforced) = (events(observed), events(enforced));
    let mut fail = |what: &str| {
        wrong.push(format!(
            "{context}: {what}\n bare {bare:?}\n observed {observed:?}\n {of_observed:?}\n enforced {enforced:?}\n \
             {of_enforced:?}"
        ));
    };
    match bare {
        // Without the layer, the connection breaks. With it, a failure gets a response in every mode (F1).
        None => {
            if observed.status < 500 || observed.code().is_none() {
                fail("a failure is not answered");
            } else if !matches!(of_observed, [events] if events.is_of(observed)) {
                fail("a failure's line is of another answer");
            }
        }
        Some(bare) => {
            // A fault has no bytes of its own, so it is written in every mode. A refusal of its request would be logged
            // before it.
            let written = observed.code().is_some();
            if written
                && (observed.status != bare.status || !of_observed.last().is_some_and(|events| events.is_of(observed)))
            {
                fail("a fault is another one, or is not logged");
            }
            if !written && !observed.is_but_for_the_id(bare) {
                fail("another answer than without the layer");
            }
            let foretold = match (of_observed, of_enforced) {
                ([], []) => enforced.status < 400,
                ([_], [_]) if written => observed.is_but_for_the_id(enforced),
                ([events, _], [wanted]) if written => events.foretells(bare, wanted, enforced),
                ([events], [wanted]) => events.foretells(bare, wanted, enforced),
                _ => false,
            };
            if !foretold {
                fail("the log does not say what enforce does");
            }
            if enforced.code().is_some() && !matches!(of_enforced, [events] if events.is_of(enforced)) {
                fail("enforce logs another answer than it gives");
            }
        }
    }
    wrong
}

impl LoggedEvent {
    /// Returns true if the event states what the client got, and what `enforce` stated and did.
    fn foretells(&self, bare: &Seen, wanted: &Self, enforced: &Seen) -> bool {
        let would_be = enforced.code().map(|_| enforced.status.to_string());
        let code = self.also.as_ref().unwrap_or(&self.code);
        *code == wanted.code && self.status == bare.status.to_string() && self.would_be == would_be
    }

    fn is_of(&self, seen: &Seen) -> bool {
        seen.code() == Some(&self.code) && self.status == seen.status.to_string() && self.would_be.is_none()
    }
}
