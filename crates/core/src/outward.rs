//! Writes a canonical code in another dialect (rule R12).
//!
//! 1. The `[[outward]]` entry sets the status. If no entry sets a status, the status stays.
//! 2. The code is the entry's name. If no entry sets a name, the code is the inner code that the first `[[map]]` rule
//!    maps to this code, or else the dialect's own name, or else the canonical code.
//! 3. The text is the fault's own text. If the fault has none, the text is the entry's. If the entry has none either,
//!    and exactly one `[[map]]` rule for the code has a text, this text is used. Otherwise the catalogue's text is
//!    used.
//!
//! Each key comes from the first entry that sets it. Entries of narrower scopes come first.

use std::borrow::Cow;
use std::sync::Arc;

use http::StatusCode;

use crate::code::{CodeSet, ErrorCode};
use crate::dialect::Dialect;
use crate::dialect::outward_form::OutwardForm;
use crate::fault::Fault;
use crate::message;
use crate::table::{Message, Refusals, SettingError, setters};

setters! {
    /// Sets how codes are written on routes with a dialect other than the standard one: `[[outward]]` in the policy
    /// file (rule R12).
    ///
    /// A rule needs at least one code, and must set at least one of name, message and status. A mistake is refused when
    /// the policy is built.
    ///
    /// ```
    /// use tower_error_envelope::policy::OutwardRule;
    /// use tower_error_envelope::ErrorCode;
    ///
    /// let busy = OutwardRule::new([ErrorCode::OTHER, ErrorCode::GATEWAY_TIMEOUT])
    ///     .name("UPSTREAM_DOWN")
    ///     .message("Try later.")
    ///     .status(503);
    /// ```
    pub struct OutwardRule {
        /// The codes.
        codes: Codes = required,
        /// Sets the dialect's name for the code, as one printable line. By default, the name is the code of a `[[map]]`
        /// rule that leads to this code, or else the canonical code.
        name: Message,
        /// Sets the text for errors that have no text. The default comes from the `[[map]]` rules, or else from the
        /// catalogue.
        message: Message,
        /// Sets the status (400–599). By default the status stays.
        status: u16,
    }
}

type Codes = Vec<ErrorCode>;

impl OutwardRule {
    /// Creates a rule for these codes. Set at least one of the name, the message and the status.
    pub fn new(codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        Self { codes: Some(codes.into_iter().collect()), ..Self::default() }
    }

    /// Compiles the rule. `codes` are the codes that the policy defines.
    pub(crate) fn compile(self, codes: &CodeSet, refusals: &mut Refusals) -> Option<Outward> {
        let listed = self.codes?;
        if listed.is_empty() {
            refusals.0.push(SettingError::new("codes", "the outward rule has no code", "list at least one"));
        }
        let known = listed.into_iter().enumerate();
        let known = known.map(|(at, code)| SettingError::known_code(format!("codes[{at}]"), code, codes));
        let known: Vec<_> = known.map(|code| refusals.keep(code)).collect();
        let known: Option<Box<[_]>> = known.into_iter().collect();
        if self.name.is_none() && self.message.is_none() && self.status.is_none() && refusals.0.is_empty() {
            let right = "give it a name, a message or a status";
            refusals.0.push(SettingError::new("", "the outward rule changes nothing", right));
        }
        self.name.as_deref().map(|name| refusals.keep(SettingError::check_message("name", name)));
        self.message.as_deref().map(|it| refusals.keep(SettingError::check_message("message", it)));
        let status = refusals.keep_some(self.status, |status| SettingError::check_error_status("status", status));
        Some(Outward { codes: known?, name: self.name, message: self.message, status: status? })
    }
}

/// A valid [`OutwardRule`].
#[derive(Debug)]
pub(crate) struct Outward {
    pub(crate) codes: Box<[ErrorCode]>,
    name: Option<Cow<'static, str>>,
    message: Option<Cow<'static, str>>,
    status: Option<StatusCode>,
}

/// A `[[map]]` rule that is read in reverse, from the canonical code to the rule's inner code and text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InverseMapRule<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) text: Option<&'a str>,
}

/// Chooses the status, name and text of an error for a route with this dialect. `rules` are the rules of this route
/// that lead to the fault's code.
pub(crate) fn form<'a>(
    fault: &'a Fault,
    status: StatusCode,
    dialect: Dialect,
    entries: &'a [Arc<Outward>],
    rules: impl Iterator<Item = InverseMapRule<'a>> + Clone,
) -> OutwardForm<'a> {
    let entries = || entries.iter().filter(|entry| entry.codes.contains(fault.code()));
    let status = entries().find_map(|entry| entry.status).unwrap_or(status);
    let name = entries().find_map(|entry| entry.name.as_deref()).or_else(|| rules.clone().find_map(|rule| rule.name));
    OutwardForm::new(fault, status, dialect, name, || {
        let text = entries().find_map(|entry| entry.message.as_deref()).map(Cow::Borrowed);
        text.or_else(|| single_item(rules.filter_map(|rule| rule.text)).and_then(message::clean))
    })
}

fn single_item<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next();
    if items.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> OutwardRule {
        OutwardRule::new([ErrorCode::OTHER])
    }

    impl OutwardRule {
        pub(crate) fn compiled(self) -> Result<Outward, SettingError> {
            crate::table::alone(|it| self.compile(&CodeSet::default(), it))
        }
    }

    #[test]
    fn m2_a_wrong_outward_rule_names_its_key() {
        for (wrong, key) in [
            (OutwardRule::new([]).name("X"), "codes"),
            (OutwardRule::new([ErrorCode::foreign("unheard_of").unwrap()]).name("X"), "codes[0]"),
            (rule(), ""),
            (rule().name(""), "name"),
            (rule().name(" X"), "name"),
            (rule().name("A\nB"), "name"),
            (rule().message(""), "message"),
            (rule().message("a\u{202e}b"), "message"),
            (rule().status(399), "status"),
            (rule().status(600), "status"),
        ] {
            assert_eq!(wrong.clone().compiled().unwrap_err().key, key, "{wrong:?}");
        }
    }

    #[test]
    fn r12_an_outward_rule_says_one_thing_or_all() {
        let all = rule().name("UPSTREAM_DOWN").message("Try later.").status(503).compiled().unwrap();
        assert_eq!(*all.codes, [ErrorCode::OTHER]);
        assert_eq!((all.name.as_deref(), all.message.as_deref()), (Some("UPSTREAM_DOWN"), Some("Try later.")));
        assert_eq!(all.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        for one in [rule().name("X"), rule().message("X."), rule().status(400)] {
            assert!(one.compiled().is_ok());
        }
    }

    fn leaves(fault: &Fault, dialect: Dialect, rules: &[InverseMapRule<'static>]) -> (String, String, u16) {
        let entries = [
            rule().name("FIRST").compiled().unwrap(),
            OutwardRule::new([ErrorCode::GONE, ErrorCode::OTHER])
                .name("SECOND")
                .message("Try later.")
                .compiled()
                .unwrap(),
            OutwardRule::new([ErrorCode::OTHER]).status(503).message("Later still.").compiled().unwrap(),
        ];
        let entries = entries.map(Arc::new);
        let outward = form(fault, fault.status(), dialect, &entries, rules.iter().copied());
        (outward.name.into_owned(), outward.text.into_owned(), outward.status.as_u16())
    }

    fn is(name: &str, text: &str, status: u16) -> (String, String, u16) {
        (name.to_owned(), text.to_owned(), status)
    }

    #[test]
    fn r12_each_key_is_the_first_entrys_that_has_it() {
        let upper = Dialect::StatusInError;
        assert_eq!(leaves(&Fault::new(ErrorCode::OTHER), upper, &[]), is("FIRST", "Try later.", 503));
        let own = Fault::new(ErrorCode::OTHER).with_message("My own.");
        assert_eq!(leaves(&own, upper, &[]), is("FIRST", "My own.", 503));
        let made_up = Fault::new(ErrorCode::GONE).with_stock_message("Made up.");
        assert_eq!(leaves(&made_up, upper, &[]), is("SECOND", "Try later.", 410));
    }

    #[test]
    fn r12_the_map_read_backwards_then_the_code_itself() {
        const NO_OP: &str = "Already in the requested state.";
        let name = |name| InverseMapRule { name: Some(name), text: None };
        let text = |text| InverseMapRule { name: None, text: Some(text) };
        let fault = Fault::new(ErrorCode::NO_OP);
        for (rules, name, message) in [
            (&[][..], "NO_OP", NO_OP),
            (&[text("It is muted."), name("MUTED"), name("SAME")], "MUTED", "It is muted."),
            (&[text("It is muted."), text("It is muted.")], "NO_OP", NO_OP),
            (&[text("It is\nmuted.")], "NO_OP", "It is muted."),
        ] {
            assert_eq!(leaves(&fault, Dialect::StatusInError, rules), is(name, message, 409), "{rules:?}");
        }
        let made_up = Fault::new(ErrorCode::NO_OP).with_stock_message("Made up.");
        assert_eq!(leaves(&made_up, Dialect::Problem, &[]), is("no_op", "Made up.", 409));
        assert_eq!(leaves(&made_up, Dialect::Problem, &[text("Old.")]), is("no_op", "Old.", 409));
    }

    #[test]
    fn r12_a_dialects_own_name_gives_way_to_the_policys() {
        let busy = Fault::new(ErrorCode::RATE_LIMITED);
        for (dialect, name) in [
            (Dialect::SuccessFlag, "rate_limited"),
            (Dialect::OpenAi, "rate_limit_exceeded"),
            (Dialect::Anthropic, "rate_limit_error"),
        ] {
            assert_eq!(leaves(&busy, dialect, &[]).0, name);
            assert_eq!(leaves(&busy, dialect, &[InverseMapRule { name: Some("SLOW"), text: None }]).0, "SLOW");
        }
        // Anthropic's name follows the status that is sent.
        assert_eq!(leaves(&Fault::new(ErrorCode::CONFLICT), Dialect::Anthropic, &[]).0, "invalid_request_error");
    }
}
