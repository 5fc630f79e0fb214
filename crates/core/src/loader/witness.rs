//! Sample requests for the lints, one for each table: the table applies to it, and as few other tables as possible do.
//!
//! For a parameter of the pattern, the request has a segment that no pattern of the policy names. For `{*rest}`, it has
//! more segments than any pattern. So the tables that apply to the sample are those that apply to nearly all requests
//! of its table.

use http::Method;

use crate::guard::pattern::{Pattern, Segment};
use crate::loader::chain::SettingChain;
use crate::loader::file::PolicyFile;
use std::sync::Arc;

use crate::policy::RouteSettings;
use crate::table::TablePath;

/// A sample request of a table, with its settings.
pub(super) struct Witness<'a> {
    pub(super) place: TablePath,
    pub(super) chain: SettingChain<'a>,
    pub(super) settings: Arc<RouteSettings>,
}

/// A segment that no pattern has, and a label that no host has.
const FRESH: &str = "lint-witness";

/// A method that no pattern has.
const ANY_METHOD: &[u8] = b"LINT-WITNESS";

impl PolicyFile {
    /// A witness for each method of each route; and for each part, one for a request that no route matches.
    pub(super) fn witnesses(&self) -> Vec<Witness<'_>> {
        let mut witnesses = Vec::new();
        let patterns = self.patterns();
        let deepest = patterns.iter().copied().flatten().map(|pattern| pattern.segments().len()).max().unwrap_or(0);
        for (part, patterns) in patterns.iter().enumerate() {
            let mut sample = |place: TablePath, method: Method, segments: &[Segment], rest: bool| {
                let path = self.path_of(part, segments, if rest { deepest + 1 } else { 0 });
                witnesses.extend(self.witness(place, &method, &self.host_of(part), &path));
            };
            sample(TablePath::Defaults(part), any_method(), &[], true);
            for (index, pattern) in patterns.iter().enumerate() {
                let methods =
                    if pattern.methods().is_empty() { vec![any_method()] } else { pattern.methods().to_vec() };
                for method in methods {
                    sample(TablePath::Route(part, index), method, pattern.segments(), pattern.has_rest());
                }
            }
        }
        witnesses
    }

    /// The patterns of the routes in each part.
    pub(super) fn patterns(&self) -> Vec<&[Pattern]> {
        self.policy.parts.iter().map(|part| part.matcher.patterns()).collect()
    }

    /// The settings of those requests of a part that a pattern matches, one for each table that may apply to some of
    /// them. `None` if they are not clear, because the host of the sample belongs to another part.
    pub(super) fn settings_of_each(
        &self,
        part: usize,
        route: &Pattern,
        patterns: &[&[Pattern]],
    ) -> Option<Vec<Arc<RouteSettings>>> {
        let deepest = patterns.iter().copied().flatten().map(|pattern| pattern.segments().len()).max().unwrap_or(0);
        let method = route.methods().first().cloned().unwrap_or_else(any_method);
        let is_around = |narrow: usize, wide: usize| self.around(narrow).any(|it| it == wide);
        let mut settings = Vec::new();
        for (at, patterns) in patterns.iter().enumerate().filter(|(at, _)| is_around(*at, part) || is_around(part, *at))
        {
            let home = if is_around(at, part) { at } else { part };
            let host = self.host_of(home);
            let fits =
                |method: &Method, path: &str| self.is_inside(home, path) && route.matches(method, path.as_bytes());
            let fresh = self.path_of(home, route.segments(), if route.has_rest() { deepest + 1 } else { 0 });
            if fits(&method, &fresh) && self.chain(&method, &host, fresh.as_bytes()).part != home {
                return None;
            }
            let met = patterns.iter().filter_map(|other| route.common_request(other));
            let fitting = met.chain([(method.clone(), fresh)]).filter(|(method, path)| fits(method, path));
            settings.extend(fitting.map(|(method, path)| self.policy.normalised(&method, &host, &path)));
        }
        Some(settings)
    }

    /// The witness for a table; `None` if the table does not apply to the request after all.
    fn witness(&self, place: TablePath, method: &Method, host: &str, path: &str) -> Option<Witness<'_>> {
        let chain = self.chain(method, host, path.as_bytes());
        chain.distance(&place)?;
        Some(Witness { place, chain, settings: self.policy.normalised(method, host, path) })
    }

    fn host_of(&self, part: usize) -> String {
        let host = part.checked_sub(1).and_then(|at| self.builder.scopes.get(at)?.hosts().first());
        host.map(|host| host.to_ascii_lowercase().replace('*', FRESH)).unwrap_or_default()
    }

    /// Whether a path is below the prefix of the part's scope.
    pub(super) fn is_inside(&self, part: usize, path: &str) -> bool {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        self.prefix_of(part).into_iter().all(|prefix| segments.next().is_some_and(|it| it.eq_ignore_ascii_case(prefix)))
    }

    pub(super) fn prefix_of(&self, part: usize) -> Vec<&str> {
        let scope = part.checked_sub(1).and_then(|at| self.builder.scopes.get(at));
        let prefix = scope.and_then(|scope| scope.path_prefix()).unwrap_or_default();
        prefix.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// A path that matches the pattern and is inside the part's prefix, with `more` segments at its end.
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
