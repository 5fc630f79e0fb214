//! The lints that were found, and where they are.

use std::fmt;
use std::ops::Range;

use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::policy::keys::RouteTable;
use crate::table::PolicyError;
use crate::table::TablePath;

/// A valid setting in a policy file that an operator should check.
///
/// A warning is probably a mistake. A note concerns a setting that is probably intended, and states what follows from
/// it.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[[route]]\nmatch = \"POTS /a\"\nmode = \"own\"\n";
/// let lints = PolicyLoader::new().parse("policy.toml", text)?.lints();
/// assert_eq!((lints[0].name(), lints[0].is_note()), ("method-unregistered", false));
/// assert_eq!((lints[0].file(), lints[0].line(), lints[0].key()), ("policy.toml", 3, "route[0].match"));
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Debug)]
pub struct Lint {
    name: &'static str,
    note: bool,
    finding: PolicyError,
}

impl Lint {
    /// The kind of lint, such as `routes-cross`. These names are stable.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the setting is probably intended.
    #[must_use]
    pub const fn is_note(&self) -> bool {
        self.note
    }

    /// The name of the file, as it was passed.
    #[must_use]
    pub fn file(&self) -> &str {
        self.finding.file().unwrap_or_default()
    }

    /// The line in the file, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.finding.line().unwrap_or(1)
    }

    /// The range of bytes in the file.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.finding.span().unwrap_or_default()
    }

    /// The key, as in [`PolicyError::key`].
    #[must_use]
    pub fn key(&self) -> &str {
        self.finding.key().unwrap_or_default()
    }

    /// What is wrong.
    #[must_use]
    pub fn wrong(&self) -> &str {
        self.finding.wrong()
    }

    /// The advice for the operator.
    #[must_use]
    pub fn advice(&self) -> &str {
        self.finding.advice()
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)
    }
}

/// The lints so far, and the policy in which they are found.
pub(super) struct Report<'a> {
    pub(super) loaded: &'a PolicyFile,
    pub(super) lints: Vec<Lint>,
}

impl Report<'_> {
    /// Adds a warning, for a setting that is probably a mistake.
    pub(super) fn warn(&mut self, name: &'static str, (place, key): (&TablePath, &str), wrong: String, advice: &str) {
        self.push(name, false, (place, key), wrong, advice);
    }

    /// Adds a note, for a setting that may be intended.
    pub(super) fn note(&mut self, name: &'static str, (place, key): (&TablePath, &str), wrong: String, advice: &str) {
        self.push(name, true, (place, key), wrong, advice);
    }

    fn push(&mut self, name: &'static str, note: bool, (place, key): (&TablePath, &str), wrong: String, advice: &str) {
        if let Some(at) = self.loaded.span_of(place, key) {
            self.lints.push(Lint { name, note, finding: at.error(wrong, advice) });
        }
    }

    /// Calls a lint for the `[defaults]` of each part, and for each of its routes.
    pub(super) fn for_each_settings(&mut self, lint: impl Fn(&mut Self, &TablePath, &RouteTable)) {
        let loaded = self.loaded;
        for (part, own) in loaded.builder.parts().enumerate() {
            lint(self, &TablePath::Defaults(part), &own.keys);
            let routes = own.routes.iter().enumerate();
            routes.for_each(|(index, route)| lint(self, &TablePath::Route(part, index), &route.keys));
        }
    }

    /// Calls a lint for the pattern of each route, and of each `[[map]]` rule that has one.
    pub(super) fn for_each_pattern(&mut self, lint: impl Fn(&mut Self, (&TablePath, &str), &Pattern)) {
        let loaded = self.loaded;
        for (part, patterns) in loaded.patterns().iter().enumerate() {
            for (index, pattern) in patterns.iter().enumerate() {
                lint(self, (&TablePath::Route(part, index), "match"), pattern);
            }
            for (index, rule) in loaded.policy.parts[part].own_rules().iter().enumerate() {
                if let Some(pattern) = rule.route() {
                    lint(self, (&TablePath::Map(part, index), "route"), pattern);
                }
            }
        }
    }

    /// Where another table is, for a reader of the first one: `line 3`, or `shared.toml:3`.
    pub(super) fn location(&self, first: &TablePath, (place, key): (&TablePath, &str)) -> String {
        match (self.loaded.span_of(first, ""), self.loaded.span_of(place, key)) {
            (Some(first), Some(other)) if first.file == other.file => format!("line {}", other.line),
            (_, Some(other)) => format!("{}:{}", other.file, other.line),
            (_, None) => "the default".to_owned(),
        }
    }
}
