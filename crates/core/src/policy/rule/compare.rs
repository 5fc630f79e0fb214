//! Compares two rules, for the lints of a policy. This module decides no errors.

use super::{Rule, Text};

impl Rule {
    /// Returns true if this rule certainly matches every error that `other` matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let route = match (&self.route, &other.route) {
            (None, _) => true,
            (Some(wide), Some(narrow)) => wide.covers(narrow),
            (Some(_), None) => false,
        };
        route
            && (self.status.is_none() || self.status == other.status)
            && (self.code.is_none() || self.code == other.code)
            && (self.content_type.is_none() || self.media_type() == other.media_type())
            && self.text.as_ref().is_none_or(|wide| other.text.as_ref().is_some_and(|narrow| wide.covers(narrow)))
    }

    fn media_type(&self) -> Option<String> {
        self.content_type.as_deref().map(str::to_ascii_lowercase)
    }
}

impl Text {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(text), Self::Exact(other)) => text == other,
            (Self::Pattern(pattern), Self::Pattern(other)) => pattern == other,
            (Self::Pattern(pattern), Self::Exact(text)) => pattern.is_in(text),
            (Self::Exact(_), Self::Pattern(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MapRule;
    use crate::code::ErrorCode;

    fn covers(wide: MapRule, narrow: MapRule) -> bool {
        let compile = |rule: MapRule| rule.compiled().unwrap();
        compile(wide).covers(&compile(narrow))
    }

    fn rule() -> MapRule {
        MapRule::to(ErrorCode::GONE)
    }

    #[test]
    fn r1_a_rule_covers_another_that_asks_for_all_that_it_does() {
        for (wide, narrow) in [
            (rule().status(404), rule().status(404).code("X")),
            (rule().code("X"), rule().code("X").message("m")),
            (rule().message("m"), rule().message("m").route("/a")),
            (rule().message_pattern("^No "), rule().message("No room")),
            (rule().message_pattern("x"), rule().message_pattern("x").status(404)),
            (rule().content_type("text/html"), rule().content_type("Text/HTML")),
            (rule().route("/a/{*rest}"), rule().route("GET /a/b")),
        ] {
            assert!(covers(wide.clone(), narrow.clone()), "{wide:?} {narrow:?}");
            assert!(!covers(narrow.clone(), wide.clone()) || covers(wide, narrow));
        }
        for (one, other) in [
            (rule().status(404), rule().code("X")),
            (rule().code("X"), rule().code("x")),
            (rule().message("No room"), rule().message_pattern("^No ")),
            (rule().message_pattern("^no "), rule().message("No room")),
            (rule().content_type("text/html"), rule().status(404)),
            (rule().route("GET /a"), rule().route("/a")),
            (rule().route("/a"), rule().status(404)),
        ] {
            assert!(!covers(one.clone(), other.clone()), "{one:?} {other:?}");
        }
    }
}
