//! The settings for one request, and the table that sets each of them, for
//! [`PolicyFile::effective`](crate::loader::PolicyFile::effective).

use std::fmt;

use http::{Method, Request, Uri};

use super::file::PolicyFile;
use super::keys::{PlacedValue, SettingChain};
use crate::guard::reading::normalised;
use crate::policy::keys::RouteTable;
use crate::policy::scope::PolicyPart;
use crate::policy::{MatchedReading, RefusedPath, RouteOrigin, Unmatched, host};
use crate::table::{PolicyError, TablePath};

/// The settings for one request, key by key, each with the file and line that sets the value (rule G0).
///
/// [`Display`](fmt::Display) writes lines of at most 80 columns, unless names are longer.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[[route]]\nmatch = \"POST /a/{*rest}\"\nbody_limit = \"64 KiB\"\n";
/// let file = PolicyLoader::new().parse("policy.toml", text)?;
/// let effective = file.effective("POST", "https://api.example.com/a/b")?;
/// let (_, limit) = effective.reading.settings.iter().find(|(key, _)| *key == "body_limit").unwrap();
/// assert_eq!((&*limit.value, limit.from.as_deref()), ("\"64 KiB\"", Some("policy.toml:4")));
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Effective {
    /// The settings for the normalised reading of the path. These settings decide everything, but the guards of
    /// `others` apply as well.
    pub reading: PathReading,
    /// The settings for other readings of the path and the method that have different guards. The list has one reading
    /// for each difference, and the guards of this reading apply as well.
    pub others: Vec<PathReading>,
    /// The reason why the layer refuses the request with 400, if a route's `paths` requires the refusal.
    pub refused: Option<&'static str>,
    host: String,
    upstream: Option<(String, String)>,
    /// The numbers of rules, by their tables and scopes.
    rules: Vec<(&'static str, String, usize)>,
}

/// The settings for one way in which a request may be read (rule G0).
#[derive(Debug)]
#[non_exhaustive]
pub struct PathReading {
    /// The method of the reading.
    pub method: Method,
    /// The path of the reading. Bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// The patterns of the routes that match, beginning with the most specific, each with its `FILE:LINE`.
    pub routes: Vec<(String, String)>,
    /// All keys of a route, in the order of the manual, each with its value. If the policy sets `content_types` instead
    /// of `json`, `content_types` is listed.
    pub settings: Vec<(&'static str, PlacedValue)>,
    scope: Option<String>,
}

impl PolicyFile {
    /// Returns the settings for a request, key by key, and the line that sets each of them. `url` is a path, or a URL
    /// with a host.
    ///
    /// # Errors
    ///
    /// Returns an error if the method or the URL is invalid.
    pub fn effective(&self, method: &str, url: &str) -> Result<Effective, PolicyError> {
        let refused = |what: &str, wrong: &str, right: &str| {
            PolicyError::new(None, format!("{wrong:?} is not a valid {what}"), right.to_owned())
        };
        let method: Method = method.parse().map_err(|_| refused("method", method, "write one such as GET"))?;
        let uri = url.parse::<Uri>().ok().filter(|uri| uri.path().starts_with('/'));
        let uri = uri.ok_or_else(|| refused("URL", url, "write a path, or one such as https://api.example.com/a"))?;
        let head = Request::builder().method(method.clone()).uri(uri).body(()).map(|request| request.into_parts().0);
        let head = head.map_err(|_| refused("URL", url, "write a path"))?;
        // The layer refuses such a request on every path.
        let hosts = host::hosts(&head.uri, &head.headers)
            .ok_or_else(|| refused("URL", url, "write a host, and a port in digits"))?;
        let host = hosts.first.into_owned();
        let path = head.uri.path();
        let normal = normalised(path).unwrap_or_else(|| path.into());
        let matched = self.policy.matched(&head).map_err(|unmatched| match unmatched {
            Unmatched::NoHost => refused("URL", url, "write a host, and a port in digits"),
            // The request has no headers, so a field of the query names the unclear method.
            Unmatched::UnclearMethod(name) => refused(name, url, "leave it out"),
            Unmatched::TooManyReadings => {
                let wrong = format!("{url:?} has more than 256 readings, or more than 64 KiB of readings");
                PolicyError::new(None, wrong, "the layer answers such a request with 400".to_owned())
            }
        })?;
        let chain = self.chain(&method, &host, &normal);
        let counted = |what, count: fn(&PolicyPart) -> usize| {
            let counted = self.around(chain.part).map(move |at| (what, self.scope_name(at), count(self.part(at))));
            counted.filter(|(.., count)| *count > 0)
        };
        let rules = counted("map", |part| part.rules.len()).chain(counted("outward", |part| part.outward.len()));
        Ok(Effective {
            others: matched.others.iter().map(|reading| self.other_reading(reading, &host)).collect(),
            refused: matched.refused.map(RefusedPath::reason),
            upstream: self.upstream(chain.part),
            rules: rules.collect(),
            reading: self.reading(&method, &normal, &chain),
            host,
        })
    }

    /// Notes in the policy the line that sets each mode.
    pub(super) fn with_places(mut self) -> Self {
        let mode = |part, routes: &[usize]| {
            let (_, mode) = self.placed(&self.deciding_tables(part, routes), "mode");
            mode.from.map(String::into_boxed_str)
        };
        let parts = self.policy.parts.iter().enumerate();
        let routes = parts.flat_map(|(at, part)| (0..part.matcher.patterns.len()).map(move |index| (at, index)));
        let routes = routes.zip(self.policy.chains()).map(|((at, index), (part, met))| RouteOrigin {
            pattern: self.place(&TablePath::Route(at, index), "match").into(),
            mode: mode(part, &met),
        });
        let (mode, routes) = (mode(0, &[]), routes.collect());
        (self.policy.origin.mode, self.policy.origin.routes) = (mode, routes);
        self
    }

    fn other_reading(&self, reading: &MatchedReading, host: &str) -> PathReading {
        let routes = self.policy.routes_of_reading(reading, host);
        let chain = self.deciding_tables(reading.settings.part() as usize, &routes);
        self.reading(&reading.method, &reading.path, &chain)
    }

    fn reading(&self, method: &Method, path: &[u8], chain: &SettingChain<'_>) -> PathReading {
        let routes = chain.tables.iter().filter_map(|(place, _)| match place {
            TablePath::Route(part, index) => {
                Some((self.part(*part).routes[*index].pattern.clone(), self.place(place, "match")))
            }
            _ => None,
        });
        let settings = RouteTable::settings().map(|key| self.placed(chain, key));
        PathReading {
            method: method.clone(),
            path: String::from_utf8_lossy(path).into_owned(),
            scope: (chain.part > 0).then(|| self.scope_name(chain.part)),
            routes: routes.collect(),
            settings: settings.collect(),
        }
    }

    /// Returns the value that applies to a key, which must be one of [`RouteTable::settings`], and the key that sets
    /// it.
    pub(super) fn placed(&self, chain: &SettingChain<'_>, key: &'static str) -> (&'static str, PlacedValue) {
        let decided = chain.resolved(key);
        let from = decided.place.as_ref().map(|place| self.place(place, decided.key));
        (decided.key, PlacedValue { value: decided.value, from })
    }

    /// Returns the service of a part, and the place where the policy names it.
    fn upstream(&self, part: usize) -> Option<(String, String)> {
        let names = |at: &usize| self.builder.scope_of(*at)?.table.upstream.as_ref();
        let named = self.around(part).find(|at| names(at).is_some())?;
        let url = self.policy.parts.get(part)?.upstream.as_ref()?;
        Some((url.to_string(), self.place(&TablePath::Scope(named), "upstream")))
    }

    /// Returns `FILE:LINE`, or an empty text for a table that was built in Rust.
    pub(super) fn place(&self, place: &TablePath, key: &str) -> String {
        self.sources.locate(place, key).map(|at| format!("{}:{}", at.file, at.line)).unwrap_or_default()
    }

    pub(super) fn scope_name(&self, part: usize) -> String {
        let Some(scope) = self.builder.scope_of(part) else { return "the policy itself".to_owned() };
        format!("scope {} ({})", scope.covers(), self.place(&TablePath::Scope(part), ""))
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}{}", self.reading.method, self.host, self.reading.path)?;
        if let Some(scope) = &self.reading.scope {
            writeln!(f, "  in {scope}")?;
        }
        if let Some((url, from)) = &self.upstream {
            writeln!(f, "  for the service {url} ({from})")?;
        }
        self.reading.write_routes(f)?;
        for (what, scope, count) in &self.rules {
            writeln!(f, "  {count} {what} rule{} of {scope}", if *count == 1 { "" } else { "s" })?;
        }
        writeln!(f)?;
        self.reading.write_settings(f, |_| true)?;
        if let Some(why) = self.refused {
            writeln!(f, "\nthe layer answers 400: {why}")?;
        }
        for other in &self.others {
            writeln!(f, "\nthe guards of this reading apply, too: {} {}", other.method, other.path)?;
            other.write_routes(f)?;
            writeln!(f)?;
            // Only the normalised reading decides how errors are written.
            other.write_settings(f, |key| RouteTable::GUARDS.contains(&key))?;
        }
        Ok(())
    }
}

impl PathReading {
    fn write_routes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (pattern, from) in &self.routes {
            writeln!(f, "  matches {pattern} ({from})")?;
        }
        if self.routes.is_empty() { writeln!(f, "  matches no route") } else { Ok(()) }
    }

    fn write_settings(&self, f: &mut fmt::Formatter<'_>, is_shown: fn(&str) -> bool) -> fmt::Result {
        for (key, PlacedValue { value, from }) in self.settings.iter().filter(|(key, _)| is_shown(key)) {
            let from = from.as_deref().unwrap_or("default");
            match value.len() {
                ..24 => writeln!(f, "{key:<17}{value:<24}{from}")?,
                _ => writeln!(f, "{key:<17}{value}\n{:<41}{from}", "")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
