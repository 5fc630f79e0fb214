//! Drafts policy rules for errors without a code.

use super::error_record::Kind;
use crate::drafting::{
    code_of_status, is_in_catalogue, name_of, name_on_route, quoted, rule, sentence, status_says_all,
};

/// A piece of policy, ready to be copied, and a note on it.
pub(crate) struct Draft {
    pub(crate) toml: String,
    pub(crate) note: Option<&'static str>,
}

/// Whether the status describes the error so fully that a rule would add nothing.
pub(crate) fn status_suffices(kind: &Kind) -> bool {
    kind.unknown.is_none() && kind.sent.is_some_and(status_says_all)
}

/// A rule for errors of this kind on this route. `alone` means that no other kind of error has this status on the
/// route. If no rule can distinguish the kind, returns the reason.
pub(crate) fn new(kind: &Kind, route: Option<&str>, alone: bool) -> Result<Draft, &'static str> {
    let status = kind.sent.ok_or("No status was sent.")?;
    let (condition, name, message) = distinguish(kind, route, status, alone)?;
    let toml = rule(status, &condition, &name, &message, !is_in_catalogue(&name));
    let note = (status >= 500)
        .then_some("With this rule, clients get the details of a 5xx error: check first that they contain no secrets.");
    Ok(Draft { toml, note })
}

type Rule = (String, String, String);

/// Returns the conditions that distinguish this kind from others, and the code's name and message.
fn distinguish(kind: &Kind, route: Option<&str>, status: u16, alone: bool) -> Result<Rule, &'static str> {
    let stock = || code_of_status(status).message().to_owned();
    match (&kind.unknown, route) {
        (Some(code), _) => {
            let message = if status < 500 { sentence(code) } else { stock() };
            Ok((format!("code = {}\n", quoted(code)), name_of(code), message))
        }
        (None, Some(route)) if alone => {
            Ok((format!("route = {}\n", quoted(route)), name_on_route(route, status), stock()))
        }
        (None, Some(_)) => {
            Err("The route has other errors with this status: add message = \"…\" to match this one by its text.")
        }
        (None, None) => {
            Err("First add a [[route]] for these requests: a rule with only a status applies to every route.")
        }
    }
}

#[cfg(test)]
mod tests {
    use error_envelope_core::exchange::{DecidedBy, Origin};
    use error_envelope_core::policy::Policy;

    use super::super::error_record::{Code, Kind};
    use super::new;

    fn kind(status: u16, unknown: Option<&str>) -> Kind {
        Kind {
            origin: Origin::Inner,
            code: Code::default(),
            sent: Some(status),
            would_be: None,
            grpc: None,
            dialect: None,
            by: Some(DecidedBy::Status),
            unknown: unknown.map(Into::into),
        }
    }

    #[test]
    fn every_draft_is_a_policy() {
        let unknown =
            [None, Some("SEAT_TAKEN"), Some("NOT_FOUND"), Some("E1001"), Some("a\"]\\\n[[map]]\u{7f}\u{202e}")];
        let routes = [None, Some("/seats/{id}"), Some("GET|POST /"), Some("/a/{*rest}"), Some("/it's \"x\"")];
        let mut drafted = 0;
        for status in [400, 404, 409, 500, 503] {
            for unknown in unknown {
                for route in routes {
                    let Ok(draft) = new(&kind(status, unknown), route, true) else { continue };
                    let toml = format!("version = 1\n{}", draft.toml);
                    Policy::from_toml("draft.toml", &toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
                    drafted += 1;
                }
            }
        }
        assert_eq!(drafted, 5 * (4 * 5 + 4));
    }

    #[test]
    fn a_rule_names_what_the_service_says() {
        let draft =
            new(&kind(409, Some("SeatTaken")), Some("/seats/{id}"), false).unwrap_or_else(|why| panic!("{why}"));
        let toml = "[[map]]\nstatus = 409\ncode = \"SeatTaken\"\nto = \"seat_taken\"\n\n[[code]]\ncode = \"seat_taken\"\n\
                    status = 409\nmessage = \"Seat taken.\"\n";
        assert_eq!(draft.toml, toml);
        let draft = new(&kind(404, Some("NOT_FOUND")), None, false).unwrap_or_else(|why| panic!("{why}"));
        assert!(!draft.toml.contains("[[code]]"), "the catalogue has it: {}", draft.toml);
        assert!(new(&kind(409, None), Some("/seats/{id}"), false).is_err(), "that route has others");
        assert!(new(&kind(409, None), None, true).is_err(), "it would hold everywhere");
    }
}
