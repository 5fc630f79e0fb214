//! Map rules (R1), which map the content of an inner error to a code. The first rule that matches decides.
//!
//! A rule has at least one condition, and matches if all of its conditions match. The inner code must be equal. The
//! message is compared without surrounding white space, the media type is compared in any letter case, and the path is
//! compared in its normalised spelling.

#[cfg(feature = "policy-file")]
mod compare;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use http::{Method, StatusCode};

use crate::code::{CodeSet, ErrorCode};
use crate::fault::Fault;
use crate::guard::content_type;
use crate::guard::expression::InText;
use crate::guard::pattern::Pattern;
use crate::guard::reading::normalised;
use crate::table::{Message, Refusals, SettingError, setters};

setters! {
    /// A rule that maps the content of an inner error to a code: `[[map]]` in the policy file (R1).
    ///
    /// A mistake, such as a rule without a condition, is refused when the policy is built.
    ///
    /// ```
    /// use tower_error_envelope::policy::MapRule;
    /// use tower_error_envelope::{ErrorCode, Policy};
    ///
    /// const SESSION_NOT_FOUND: ErrorCode = ErrorCode::custom("session_not_found", 404);
    /// let policy = Policy::builder()
    ///     .code(SESSION_NOT_FOUND)
    ///     .map(MapRule::to(SESSION_NOT_FOUND).status(404).message("Session not found"))
    ///     .map(MapRule::to(ErrorCode::OTHER).message_pattern("^upstream .* failed$").say("The provider failed."))
    ///     .build();
    /// assert!(policy.is_ok());
    /// ```
    pub struct MapRule {
        /// The code.
        to: ErrorCode = required,
        /// Adds a condition: the inner response has this status (400–599).
        status: u16,
        /// Adds a condition: the code in the inner body is exactly this code.
        code: String,
        /// Adds a condition: the message in the inner body is exactly this message, apart from white space around it.
        message: String,
        /// Adds a condition: this regular expression is found in the message of the inner body.
        #[cfg(feature = "pattern")]
        message_pattern: String,
        /// Adds a condition: the inner body has this media type.
        content_type: String,
        /// Adds a condition: this pattern matches the request's path, and its method if the pattern has one, as in
        /// `"/api/v1/{*rest}"`.
        route: String,
        /// Sets the status that is sent instead of the inner status (400–599). The inner status still decides which
        /// parts of the body may pass (R1, R3).
        to_status: u16,
        /// Sets the message that is sent instead of the inner message. If the rule's `code` is the code of a [`Fault`]
        /// that the service returns, the message also replaces the fault's message.
        say: Message,
    }
}

impl MapRule {
    /// Creates a rule that leads to `code`. Add at least one condition to the rule.
    pub fn to(code: ErrorCode) -> Self {
        Self { to: Some(code), ..Self::default() }
    }

    /// Compiles the rule. `codes` are the codes that the policy defines.
    pub(crate) fn compile(self, codes: &CodeSet, refusals: &mut Refusals) -> Option<Rule> {
        self.refuse_conditions(refusals);
        let to = self.to.and_then(|to| refusals.keep(SettingError::known_code("to", to, codes)));
        self.say.as_deref().map(|text| refusals.keep(SettingError::check_message("say", text)));
        let status = |key| move |status| SettingError::check_error_status(key, status);
        let rule_status = refusals.keep_some(self.status, status("status"));
        let to_status = refusals.keep_some(self.to_status, status("to_status"));
        let text = refusals.keep(compile_text(self.message, self.message_pattern.as_deref()));
        let content_type = refusals.keep_some(self.content_type, |it| parse_content_type(&it));
        let route = refusals.keep_some(self.route, |pattern| Pattern::parse("route", &pattern));
        Some(Rule {
            to: to?,
            status: rule_status?,
            code: self.code,
            text: text?,
            content_type: content_type?,
            route: route?,
            to_status: to_status?,
            say: self.say,
        })
    }

    fn refuse_conditions(&self, refusals: &mut Refusals) {
        let mut refuse = |key: &'static str, wrong, right| refusals.0.push(SettingError::new(key, wrong, right));
        if self.message.is_some() && self.message_pattern.is_some() {
            refuse("message_pattern", "message and message_pattern are mutually exclusive", "keep one of them");
        }
        if self.code.as_deref().is_some_and(|code| code.is_empty() || code.contains(['\n', '\r'])) {
            let problem = "the code is empty or has a line break, so no error matches";
            refuse("code", problem, "write a code on one line, or remove the key");
        }
        if self.message.as_deref().is_some_and(|text| text.trim().is_empty()) {
            refuse("message", "the message is blank, so no error matches", "write a text, or remove the key");
        }
        let conditions = [&self.code, &self.message, &self.message_pattern, &self.content_type, &self.route];
        if self.status.is_none() && conditions.iter().all(|condition| condition.is_none()) {
            let right = "give it at least one of status, code, message, message_pattern, content_type, route";
            refuse("", "the map rule has no condition and would match every error", right);
        }
    }
}

/// A valid [`MapRule`].
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) to: ErrorCode,
    status: Option<StatusCode>,
    /// The inner code that the rule requires.
    pub(crate) code: Option<String>,
    text: Option<Text>,
    content_type: Option<String>,
    /// The route to which the rule is restricted.
    pub(crate) route: Option<Pattern>,
    /// The status to send instead of the inner status.
    pub(crate) to_status: Option<StatusCode>,
    /// The message to send instead of the inner message.
    pub(crate) say: Option<Cow<'static, str>>,
}

#[derive(Debug)]
enum Text {
    Exact(String),
    Pattern(InText),
}

/// The parts of an inner error that rules compare.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorFacts<'a> {
    pub(crate) status: StatusCode,
    /// The code in the body, spelled as in the body.
    pub(crate) code: Option<&'a str>,
    /// The first text or number in a field that usually contains a code, even if it does not have the form of a code.
    pub(crate) raw_code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// `type/subtype`, in any letter case.
    pub(crate) media_type: Option<&'a str>,
    /// The request's path as it was sent. [`RequestTarget`] normalises it once.
    pub(crate) path: Option<&'a str>,
    pub(crate) method: &'a Method,
}

/// Returns the first rule that matches, and its index. Calls `note` with the index of each rule that was tried, and
/// with the key of the first condition that is not met.
pub(crate) fn first_fit<'r>(
    rules: &'r [Arc<Rule>],
    facts: &ErrorFacts<'_>,
    mut note: impl FnMut(usize, Option<&'static str>),
) -> Option<(usize, &'r Rule)> {
    let target = RequestTarget::new(facts.method, facts.path);
    rules.iter().map(|rule| &**rule).enumerate().find(|(at, rule)| {
        let unmet = rule.unmet_condition(facts, &target);
        note(*at, unmet);
        unmet.is_none()
    })
}

/// Returns the message of the first rule that matches a fault and names its code. This message replaces the fault's
/// message.
pub(crate) fn message_for<'r>(
    rules: &'r [Arc<Rule>],
    fault: &Fault,
    method: &Method,
    path: Option<&str>,
) -> Option<&'r str> {
    let (code, text) = (Some(fault.code().as_str()), fault.message());
    let message = Some(&*text);
    let facts = ErrorFacts { status: fault.status(), code, raw_code: None, message, media_type: None, path, method };
    let target = RequestTarget::new(method, path);
    rules.iter().find(|rule| rule.names_code() && rule.unmet_condition(&facts, &target).is_none())?.say.as_deref()
}

/// Returns the rules that lead to `code` and may apply to this request. In reverse, these rules define how the code is
/// written for the client (R12).
pub(crate) fn rules_for_code<'r>(
    rules: &'r [Arc<Rule>],
    code: &'r ErrorCode,
    target: &'r RequestTarget<'_>,
) -> impl Iterator<Item = &'r Rule> + Clone {
    rules.iter().map(|rule| &**rule).filter(move |rule| rule.to == *code && rule.holds_on(target))
}

/// The target of a request, with its path as it was sent. The path is normalised once, and only if a rule compares it.
pub(crate) struct RequestTarget<'a> {
    method: &'a Method,
    path: Option<&'a str>,
    normal: OnceCell<Option<Vec<u8>>>,
}

impl<'a> RequestTarget<'a> {
    pub(crate) fn new(method: &'a Method, path: Option<&'a str>) -> Self {
        Self { method, path, normal: OnceCell::new() }
    }

    fn is_on(&self, route: &Pattern) -> bool {
        let Some(sent) = self.path else { return false };
        let normal = self.normal.get_or_init(|| normalised(sent));
        route.matches(self.method, normal.as_deref().unwrap_or(sent.as_bytes()))
    }
}

impl Rule {
    pub(crate) fn names_code(&self) -> bool {
        self.code.is_some()
    }

    pub(crate) fn names_message(&self) -> bool {
        self.text.is_some()
    }

    /// Returns the exact message that the rule requires.
    pub(crate) fn exact_message(&self) -> Option<&str> {
        match &self.text {
            Some(Text::Exact(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn uses_path(&self) -> bool {
        self.route.is_some()
    }

    fn holds_on(&self, target: &RequestTarget<'_>) -> bool {
        self.route.as_ref().is_none_or(|route| target.is_on(route))
    }

    /// Returns the key of the first condition that is not met. The route is checked last.
    #[inline]
    fn unmet_condition(&self, facts: &ErrorFacts<'_>, target: &RequestTarget<'_>) -> Option<&'static str> {
        let other_type = |own: &str| !facts.media_type.is_some_and(|its| its.eq_ignore_ascii_case(own));
        if self.status.is_some_and(|status| status != facts.status) {
            Some("status")
        } else if self.code.as_deref().is_some_and(|code| facts.code != Some(code) && facts.raw_code != Some(code)) {
            Some("code")
        } else if self.content_type.as_deref().is_some_and(other_type) {
            Some("content_type")
        } else if let Some(text) = self.text.as_ref().filter(|text| !text.fits(facts.message)) {
            Some(text.key())
        } else {
            (!self.holds_on(target)).then_some("route")
        }
    }
}

impl Text {
    const fn key(&self) -> &'static str {
        match self {
            Self::Exact(_) => "message",
            Self::Pattern(_) => "message_pattern",
        }
    }

    fn fits(&self, message: Option<&str>) -> bool {
        let Some(message) = message.map(str::trim) else { return false };
        match self {
            Self::Exact(text) => text == message,
            Self::Pattern(pattern) => pattern.is_in(message),
        }
    }
}

fn compile_text(exact: Option<String>, pattern: Option<&str>) -> Result<Option<Text>, SettingError> {
    let pattern = pattern.map(|pattern| InText::compile("message_pattern", pattern).map(Text::Pattern)).transpose()?;
    Ok(pattern.or(exact.map(Text::Exact)))
}

fn parse_content_type(written: &str) -> Result<String, SettingError> {
    content_type::parse(written).map_err(|refused| SettingError { key: "content_type".into(), ..refused })
}

#[cfg(test)]
mod tests;
