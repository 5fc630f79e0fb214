//! Map rules (rule R1): what an inner error says → a code. The first rule that fits decides.
//!
//! A rule fits where all its conditions hold; it has at least one. The inner code is compared as the body wrote it, the
//! message without the white space around it, the media type in any letter case, the path in its normalised spelling.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::{Method, StatusCode};
use regex::Regex;

use crate::code::ErrorCode;
use crate::guard::content_type;
use crate::guard::header::one_line;
use crate::guard::pattern::{Pattern, Refused, normalised};

/// A rule that turns what an inner error says into a code: `[[map]]` in the policy file (rule R1).
///
/// What is wrong with it is refused when the policy is built; a rule without a condition is.
///
/// ```
/// use tower_error_envelope::{ErrorCode, MapRule, Policy};
///
/// const SESSION_NOT_FOUND: ErrorCode = ErrorCode::own("session_not_found", 404);
/// let policy = Policy::builder()
///     .code(SESSION_NOT_FOUND)
///     .map(MapRule::to(SESSION_NOT_FOUND).status(404).message("Session not found"))
///     .map(MapRule::to(ErrorCode::OTHER).message_pattern("^upstream .* failed$").say("The provider failed."))
///     .build();
/// assert!(policy.is_ok());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MapRule {
    to: ErrorCode,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    message_pattern: Option<String>,
    content_type: Option<String>,
    route: Option<String>,
    say: Option<Cow<'static, str>>,
}

impl MapRule {
    /// A rule that leads to `code`; it still needs a condition.
    pub fn to(code: ErrorCode) -> Self {
        Self {
            to: code,
            status: None,
            code: None,
            message: None,
            message_pattern: None,
            content_type: None,
            route: None,
            say: None,
        }
    }

    /// Where the inner status is this one (400–599).
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Where the inner body's own code is this one, letter for letter.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Where the inner body's message is exactly this one.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Where a regular expression is found in the inner body's message.
    pub fn message_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.message_pattern = Some(pattern.into());
        self
    }

    /// Where the inner body has this media type.
    pub fn content_type(mut self, media_type: impl Into<String>) -> Self {
        self.content_type = Some(media_type.into());
        self
    }

    /// Where the request's path, and its method if the pattern has one, match: `"/api/v1/{*rest}"`.
    pub fn route(mut self, pattern: impl Into<String>) -> Self {
        self.route = Some(pattern.into());
        self
    }

    /// Sets the message that is sent instead of the inner one.
    pub fn say(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.say = Some(message.into());
        self
    }

    /// The code that it leads to.
    pub(crate) fn target(&self) -> &ErrorCode {
        &self.to
    }

    pub(crate) fn compile(self) -> Result<Rule, Refused> {
        self.refuse_conditions()?;
        if self.to.is_foreign() {
            let wrong = format!("the policy does not know the code {:?}", self.to.as_str());
            return Err(Refused::new("to", wrong, "use one of the catalogue, or an own one"));
        }
        self.say.as_deref().map_or(Ok(()), |text| Refused::unless_message("say", text))?;
        Ok(Rule {
            status: self.status.map(error_status).transpose()?,
            text: compile_text(self.message, self.message_pattern)?,
            content_type: self.content_type.as_deref().map(parse_content_type).transpose()?,
            route: self.route.as_deref().map(|pattern| Pattern::parse("route", pattern)).transpose()?,
            to: self.to,
            code: self.code,
            say: self.say,
        })
    }

    fn refuse_conditions(&self) -> Result<(), Refused> {
        if self.message.is_some() && self.message_pattern.is_some() {
            let wrong = "message and message_pattern exclude each other";
            return Err(Refused::new("message_pattern", wrong, "keep one of them"));
        }
        if self.code.as_deref() == Some("") {
            return Err(Refused::new("code", "no body has an empty code", "name one, or leave the key out"));
        }
        if self.message.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Refused::new("message", "no body has a blank message", "name one, or leave the key out"));
        }
        let told = [&self.code, &self.message, &self.message_pattern, &self.content_type, &self.route];
        if self.status.is_none() && told.iter().all(|condition| condition.is_none()) {
            let right = "give it at least one of status, code, message, message_pattern, content_type, route";
            return Err(Refused::new("", "the map rule has no condition and would catch every error", right));
        }
        Ok(())
    }
}

/// A [`MapRule`] that is right.
#[derive(Debug)]
pub(crate) struct Rule {
    to: ErrorCode,
    status: Option<StatusCode>,
    code: Option<String>,
    text: Option<Text>,
    content_type: Option<String>,
    route: Option<Pattern>,
    say: Option<Cow<'static, str>>,
}

#[derive(Debug)]
enum Text {
    Exact(String),
    Pattern(Regex),
}

/// What an inner error says, as far as rules ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) status: StatusCode,
    /// The body's own code, as it wrote it.
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// `type/subtype`, in any letter case.
    pub(crate) media_type: Option<&'a str>,
    /// The request's path as it was sent: it is normalised here, once.
    pub(crate) path: Option<&'a str>,
    pub(crate) method: &'a Method,
}

/// The first rule that fits.
pub(crate) fn first_fit<'r>(rules: &'r [Rule], said: &Said<'_>) -> Option<&'r Rule> {
    let path = OnceCell::new();
    rules.iter().find(|rule| {
        rule.fits(said)
            && rule.route.as_ref().is_none_or(|route| match said.path {
                Some(sent) => match path.get_or_init(|| normalised(sent)) {
                    Some(normal) => route.matches(said.method, normal),
                    None => route.matches(said.method, sent.as_bytes()),
                },
                None => false,
            })
    })
}

impl Rule {
    pub(crate) fn to(&self) -> &ErrorCode {
        &self.to
    }

    /// The message to send instead of the inner one.
    pub(crate) fn say(&self) -> Option<&str> {
        self.say.as_deref()
    }

    pub(crate) fn names_code(&self) -> bool {
        self.code.is_some()
    }

    pub(crate) fn names_message(&self) -> bool {
        self.text.is_some()
    }

    /// Whether it names the very text, and not a pattern (R3).
    pub(crate) fn names_very_text(&self) -> bool {
        matches!(self.text, Some(Text::Exact(_)))
    }

    pub(crate) fn asks_path(&self) -> bool {
        self.route.is_some()
    }

    /// Whether all its conditions but the route hold.
    fn fits(&self, said: &Said<'_>) -> bool {
        self.status.is_none_or(|status| status == said.status)
            && self.code.as_deref().is_none_or(|code| said.code == Some(code))
            && self
                .content_type
                .as_deref()
                .is_none_or(|own| said.media_type.is_some_and(|its| its.eq_ignore_ascii_case(own)))
            && self.text.as_ref().is_none_or(|text| said.message.is_some_and(|message| text.fits(message.trim())))
    }
}

impl Text {
    fn fits(&self, message: &str) -> bool {
        match self {
            Self::Exact(text) => text == message,
            Self::Pattern(pattern) => pattern.is_match(message),
        }
    }
}

fn error_status(status: u16) -> Result<StatusCode, Refused> {
    match StatusCode::from_u16(status) {
        Ok(status) if status.is_client_error() || status.is_server_error() => Ok(status),
        _ => Err(Refused::new("status", format!("{status} is no error's status"), "write one of 400-599")),
    }
}

fn compile_text(exact: Option<String>, pattern: Option<String>) -> Result<Option<Text>, Refused> {
    let Some(pattern) = pattern else { return Ok(exact.map(Text::Exact)) };
    match Regex::new(&pattern) {
        Ok(pattern) => Ok(Some(Text::Pattern(pattern))),
        Err(error) => {
            let right = "write a regular expression in the syntax of the crate regex";
            Err(Refused::new("message_pattern", one_line(&error), right))
        }
    }
}

fn parse_content_type(written: &str) -> Result<String, Refused> {
    content_type::parse(written).map_err(|refused| Refused { key: "content_type", ..refused })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str) -> Said<'_> {
        Said {
            status: StatusCode::NOT_FOUND,
            code: Some("NO_SESSION"),
            message: Some(" Session not found\n"),
            media_type: Some("Text/HTML"),
            path: Some(path),
            method: &Method::HEAD,
        }
    }

    fn fits(rule: MapRule) -> bool {
        first_fit(&[rule.compile().unwrap()], &said("/api/%76%31//x/")).is_some()
    }

    fn rule() -> MapRule {
        MapRule::to(ErrorCode::GONE)
    }

    #[test]
    fn r1_every_condition_of_a_rule_must_hold() {
        for (good, bad) in [
            (rule().code("NO_SESSION"), rule().code("no_session")),
            (rule().message("Session not found"), rule().message("session not found")),
            (rule().message_pattern("^Session .* found$"), rule().message_pattern("^found")),
            (rule().content_type("text/html"), rule().content_type("text/plain")),
            (rule().route("GET /api/v1/{*rest}"), rule().route("POST /api/v1/{*rest}")),
            (rule().route("/api/v1/x"), rule().route("/api/v2/x")),
        ] {
            assert!(fits(good.clone()), "{good:?}");
            assert!(!fits(bad.clone()), "{bad:?}");
            assert!(!fits(bad.status(404)) && fits(good.clone().status(404)) && !fits(good.status(410)));
        }
    }

    #[test]
    fn r1_the_first_rule_that_fits_decides() {
        let rules = [
            rule().status(410),
            MapRule::to(ErrorCode::NOT_FOUND).status(404).say("Nothing there."),
            rule().code("NO_SESSION"),
        ];
        let rules = rules.map(|rule| rule.compile().unwrap());
        let fit = first_fit(&rules, &said("/")).unwrap();
        assert_eq!((fit.to(), fit.say(), fit.names_code()), (&ErrorCode::NOT_FOUND, Some("Nothing there."), false));
    }

    #[test]
    fn r1_what_the_error_does_not_say_fits_no_condition() {
        let silent = Said { code: None, message: None, media_type: None, path: None, ..said("/") };
        let patterns =
            [rule().message_pattern(""), rule().code("x"), rule().content_type("a/b"), rule().route("/{*x}")];
        let rules = patterns.map(|rule| rule.compile().unwrap());
        assert!(first_fit(&rules, &silent).is_none());
    }

    #[test]
    fn r3_a_rule_tells_a_very_text_from_a_pattern() {
        let exact = rule().message("x").compile().unwrap();
        let pattern = rule().message_pattern("x").compile().unwrap();
        assert!(exact.names_message() && exact.names_very_text());
        assert!(pattern.names_message() && !pattern.names_very_text());
    }

    #[test]
    fn m2_a_wrong_rule_names_its_key() {
        for (wrong, key) in [
            (rule(), ""),
            (rule().status(399), "status"),
            (rule().status(600), "status"),
            (rule().code(""), "code"),
            (rule().message(" "), "message"),
            (rule().status(404).say("a\nb"), "say"),
            (rule().message("x").message_pattern("x"), "message_pattern"),
            (rule().message_pattern("("), "message_pattern"),
            (rule().content_type("html"), "content_type"),
            (rule().route("api"), "route"),
            (MapRule::to(ErrorCode::foreign("unheard_of").unwrap()).status(404), "to"),
        ] {
            assert_eq!(wrong.clone().compile().unwrap_err().key, key, "{wrong:?}");
        }
    }
}
