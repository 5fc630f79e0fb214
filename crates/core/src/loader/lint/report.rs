//! The tools for lints: a report of the findings, and sample requests, one for each table. The table applies to its
//! sample, together with as few other tables as possible.
//!
//! For a parameter of the pattern, a sample has a segment that no pattern of the policy names. For `{*rest}`, a sample
//! has more segments than any pattern. So the same tables apply to the sample and to nearly all other requests of its
//! table.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use http::Method;

use crate::guard::pattern::{Pattern, Segment};
use crate::loader::file::PolicyFile;
use crate::loader::keys::SettingChain;
use crate::policy::RouteSettings;
use crate::policy::keys::RouteTable;
use crate::table::{PolicyError, TablePath};

/// A valid setting in a policy file that an operator should check.
///
/// A warning reports a probable mistake. A note concerns a setting that is probably intended, and states the
/// consequences.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[[route]]\nmatch = \"POTS /a\"\nmode = \"own\"\n";
/// let lints = PolicyLoader::new().parse("policy.toml", text)?.lints();
/// assert_eq!((lints[0].name, lints[0].is_note), ("method-unregistered", false));
/// let finding = &lints[0].finding;
/// assert_eq!((finding.line(), finding.key()), (Some(3), Some("route[0].match")));
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Lint {
    /// The kind of lint, such as `routes-cross`. These names are stable.
    pub name: &'static str,
    /// True if the setting is probably intended.
    pub is_note: bool,
    /// The setting's place, the mistake, and advice.
    pub finding: PolicyError,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)
    }
}

/// The lints that were found so far, and the policy in which they were found.
pub(super) struct Report<'a> {
    pub(super) loaded: &'a PolicyFile,
    pub(super) lints: Vec<Lint>,
    seen: HashSet<(&'static str, String)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(loaded: &'a PolicyFile) -> Self {
        Self { loaded, lints: Vec::new(), seen: HashSet::new() }
    }

    /// Adds a warning, for a setting that is probably a mistake.
    pub(super) fn warn(&mut self, name: &'static str, at: (&TablePath, &str), wrong: impl Into<String>, advice: &str) {
        self.push(name, false, at, wrong.into(), advice);
    }

    /// Adds a note, for a setting that may be intended.
    pub(super) fn note(&mut self, name: &'static str, at: (&TablePath, &str), wrong: impl Into<String>, advice: &str) {
        self.push(name, true, at, wrong.into(), advice);
    }

    fn push(
        &mut self,
        name: &'static str,
        is_note: bool,
        (place, key): (&TablePath, &str),
        wrong: String,
        advice: &str,
    ) {
        let Some(finding) = self.loaded.sources.locate(place, key).map(|at| at.error(wrong, advice)) else { return };
        // Many routes may inherit the setting that causes a lint.
        if self.seen.insert((name, finding.to_string())) {
            self.lints.push(Lint { name, is_note, finding });
        }
    }

    /// Calls a lint for the pattern of each route, and of each `[[map]]` rule that has one.
    pub(super) fn for_each_pattern(&mut self, lint: impl Fn(&mut Self, (&TablePath, &str), &Pattern)) {
        let loaded = self.loaded;
        for (part, own) in loaded.policy.parts.iter().enumerate() {
            for (index, pattern) in own.matcher.patterns.iter().enumerate() {
                lint(self, (&TablePath::Route(part, index), "match"), pattern);
            }
            for (index, rule) in own.own_rules().iter().enumerate() {
                if let Some(pattern) = &rule.route {
                    lint(self, (&TablePath::Map(part, index), "route"), pattern);
                }
            }
        }
    }

    /// Returns the place of another table, for a reader of the first table: `line 3`, or `shared.toml:3`.
    pub(super) fn location(&self, first: &TablePath, (place, key): (&TablePath, &str)) -> String {
        match (self.loaded.sources.locate(first, ""), self.loaded.sources.locate(place, key)) {
            (Some(first), Some(other)) if first.file == other.file => format!("line {}", other.line),
            (_, Some(other)) => format!("{}:{}", other.file, other.line),
            (_, None) => "the default".to_owned(),
        }
    }
}

/// A sample request of a table, with its settings.
pub(super) struct Witness<'a> {
    pub(super) place: TablePath,
    pub(super) chain: SettingChain<'a>,
    pub(super) settings: Arc<RouteSettings>,
}

/// A text that no pattern has as a segment, and no host has as a label.
const FRESH: &str = "lint-witness";

/// A method that no pattern names.
const ANY_METHOD: &[u8] = b"LINT-WITNESS";

impl Witness<'_> {
    /// Returns the table of the sample, and the wider tables that apply to it.
    pub(super) fn own_and_wider(&self) -> (&TablePath, &RouteTable, &[(TablePath, &RouteTable)]) {
        let at = self.chain.distance(&self.place).unwrap_or_default();
        (&self.place, self.chain.tables[at].1, &self.chain.tables[at + 1..])
    }
}

impl PolicyFile {
    /// Returns a witness for each method of each route. For each part, also returns one for a request that no route
    /// matches.
    pub(super) fn witnesses(&self) -> Vec<Witness<'_>> {
        let mut witnesses = Vec::new();
        let deepest = self.deepest();
        for (part, own) in self.policy.parts.iter().enumerate() {
            let mut sample = |place: TablePath, method: Method, segments: &[Segment], rest: bool| {
                let path = self.path_of(part, segments, if rest { deepest + 1 } else { 0 });
                let host = self.host_of(part);
                let chain = self.chain(&method, &host, path.as_bytes());
                // The table may still not apply to the request.
                if chain.distance(&place).is_some() {
                    witnesses.push(Witness { place, chain, settings: self.policy.normalised(&method, &host, &path) });
                }
            };
            sample(TablePath::Defaults(part), any_method(), &[], true);
            for (index, pattern) in own.matcher.patterns.iter().enumerate() {
                let any = pattern.methods.is_empty().then(any_method);
                for method in pattern.methods.iter().cloned().chain(any) {
                    sample(TablePath::Route(part, index), method, &pattern.segments, pattern.rest);
                }
            }
        }
        witnesses
    }

    /// Returns the number of segments of the longest pattern.
    fn deepest(&self) -> usize {
        let patterns = self.policy.parts.iter().flat_map(|part| &part.matcher.patterns);
        patterns.map(|pattern| pattern.segments.len()).max().unwrap_or(0)
    }

    /// Returns the possible settings of the requests of a part that a pattern matches. There is one item for each table
    /// that may apply to some of these requests. Returns `None` if the settings are not clear, because the host of the
    /// sample belongs to another part.
    pub(super) fn settings_of_each(&self, part: usize, route: &Pattern) -> Option<Vec<Arc<RouteSettings>>> {
        let more = if route.rest { self.deepest() + 1 } else { 0 };
        let method = route.methods.first().cloned().unwrap_or_else(any_method);
        let is_around = |narrow: usize, wide: usize| self.around(narrow).any(|it| it == wide);
        let mut settings = Vec::new();
        for at in (0..self.policy.parts.len()).filter(|at| is_around(*at, part) || is_around(part, *at)) {
            let home = if is_around(at, part) { at } else { part };
            let host = self.host_of(home);
            let fits =
                |method: &Method, path: &str| self.is_inside(home, path) && route.matches(method, path.as_bytes());
            let fresh = self.path_of(home, &route.segments, more);
            if fits(&method, &fresh) && self.chain(&method, &host, fresh.as_bytes()).part != home {
                return None;
            }
            let met = self.policy.parts[at].matcher.patterns.iter().filter_map(|other| route.common_request(other));
            let fitting = met.chain([(method.clone(), fresh)]).filter(|(method, path)| fits(method, path));
            settings.extend(fitting.map(|(method, path)| self.policy.normalised(&method, &host, &path)));
        }
        Some(settings)
    }

    fn host_of(&self, part: usize) -> String {
        let host = self.builder.scope_of(part).and_then(|scope| scope.hosts().first());
        host.map(|host| host.to_ascii_lowercase().replace('*', FRESH)).unwrap_or_default()
    }

    /// Returns true if a path is below the prefix of the part's scope.
    pub(super) fn is_inside(&self, part: usize, path: &str) -> bool {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        self.prefix_of(part).into_iter().all(|prefix| segments.next().is_some_and(|it| it.eq_ignore_ascii_case(prefix)))
    }

    pub(in crate::loader) fn prefix_of(&self, part: usize) -> Vec<&str> {
        self.builder.scope_of(part).map_or_else(Vec::new, |scope| scope.prefix_segments().collect())
    }

    /// Returns a path that matches the pattern and is inside the part's prefix, with `more` segments at its end.
    fn path_of(&self, part: usize, segments: &[Segment], more: usize) -> String {
        let prefix = self.prefix_of(part);
        let fixed = (0..segments.len().max(prefix.len())).map(|at| match (segments.get(at), prefix.get(at)) {
            (Some(Segment::Literal(literal)), _) => &**literal,
            (_, Some(prefix)) => prefix,
            (_, None) => FRESH,
        });
        let path: String = fixed.chain(std::iter::repeat_n(FRESH, more)).map(|segment| format!("/{segment}")).collect();
        if path.is_empty() { "/".to_owned() } else { path }
    }
}

fn any_method() -> Method {
    Method::from_bytes(ANY_METHOD).unwrap_or(Method::TRACE)
}
