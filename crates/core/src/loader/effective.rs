//! The settings for one request, and which table sets each of them:
//! [`PolicyFile::effective`](crate::loader::PolicyFile::effective).

use std::fmt;

use http::{Method, Request, Uri};

use super::chain::{self, SettingChain};
use super::file::PolicyFile;
use crate::guard::reading::normalised;
use crate::policy::keys::RouteTable;
use crate::policy::{MatchedReading, Unmatched, host};
use crate::table::PolicyError;
use crate::table::TablePath;

/// The settings for one request, key by key, each with the file and line that sets it (rule G0).
///
/// Its `Display` writes lines of at most 80 columns, unless names are longer.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[[route]]\nmatch = \"POST /a/{*rest}\"\nbody_limit = \"64 KiB\"\n";
/// let file = PolicyLoader::new().parse("policy.toml", text)?;
/// let effective = file.effective("POST", "https://api.example.com/a/b")?;
/// let limit = effective.reading().settings().iter().find(|setting| setting.key() == "body_limit").unwrap();
/// assert_eq!((limit.value(), limit.from()), ("\"64 KiB\"", Some("policy.toml:4")));
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Debug)]
pub struct Effective {
    method: Method,
    host: String,
    others: Vec<PathReading>,
    normal: PathReading,
    is_refused: bool,
    upstream: Option<(String, String)>,
    map_rules: Vec<(String, usize)>,
    outward_rules: Vec<(String, usize)>,
}

/// The settings for one way in which a request may be read (rule G0).
#[derive(Debug)]
pub struct PathReading {
    method: Method,
    path: String,
    scope: Option<String>,
    routes: Vec<(String, String)>,
    settings: Vec<Setting>,
}

/// A key, its value, and where it is set.
#[derive(Clone, Debug)]
pub struct Setting {
    key: &'static str,
    value: String,
    from: Option<String>,
}

impl Effective {
    /// The settings for the normalised reading of the path. They decide everything, except that the guards of [other
    /// readings](Self::others) apply as well.
    #[must_use]
    pub const fn reading(&self) -> &PathReading {
        &self.normal
    }

    /// The settings for other readings of the path and the method, if they have different guards; one for each
    /// difference. Their guards apply as well.
    #[must_use]
    pub fn others(&self) -> &[PathReading] {
        &self.others
    }

    /// Whether the layer refuses the request with 400, because its readings match different guards and a route has
    /// `paths = "refuse"`.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.is_refused
    }
}

impl PathReading {
    /// The method of the reading.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the reading. Bytes that are not UTF-8 are shown as U+FFFD.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The patterns of the routes that match, beginning with the most specific, each with its `FILE:LINE`.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.routes.iter().map(|(pattern, from)| (pattern.as_str(), from.as_str()))
    }

    /// All keys of a route, in the order of the manual.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

impl Setting {
    /// The key. It is `content_types` instead of `json` if that was set.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// The value, spelled as in the file.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// `FILE:LINE`; `None` for the default.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// Whether the key is a guard. Only the normalised reading decides how errors are written.
    fn is_guard(&self) -> bool {
        RouteTable::GUARDS.contains(&self.key)
    }
}

impl PolicyFile {
    /// The settings for a request, key by key, and the line that sets each of them. `url` is a path, or a URL with a
    /// host.
    ///
    /// # Errors
    ///
    /// If the method or the URL is invalid.
    pub fn effective(&self, method: &str, url: &str) -> Result<Effective, PolicyError> {
        let refused = |what: &str, wrong: &str, right: &str| {
            PolicyError::new(None, format!("{wrong:?} is not a valid {what}"), right.to_owned())
        };
        let method: Method = method.parse().map_err(|_| refused("method", method, "write one such as GET"))?;
        let uri = url.parse::<Uri>().ok().filter(|uri| uri.path().starts_with('/'));
        let uri = uri.ok_or_else(|| refused("URL", url, "write a path, or one such as https://api.example.com/a"))?;
        let head = Request::builder().method(method.clone()).uri(uri).body(()).map(|request| request.into_parts().0);
        let head = head.map_err(|_| refused("URL", url, "write a path"))?;
        // The layer refuses such a request whatever its path.
        let hosts = host::hosts(&head.uri, &head.headers)
            .ok_or_else(|| refused("URL", url, "write a host, and a port in digits"))?;
        let host = hosts.first.into_owned();
        let path = head.uri.path();
        let normal = normalised(path).unwrap_or_else(|| path.into());
        let matched = self.policy.matched(&head).map_err(|unmatched| match unmatched {
            Unmatched::NoHost => refused("URL", url, "write a host, and a port in digits"),
            // The request has no header, and its method is one that the query cannot replace by an unclear one.
            Unmatched::UnclearMethod(name) => refused(name, url, "leave it out"),
            Unmatched::TooManyReadings => {
                let wrong = format!("{url:?} has more than 256 readings, or more than 64 KiB of readings");
                PolicyError::new(None, wrong, "the layer answers such a request with 400".to_owned())
            }
        })?;
        let chain = self.chain(&method, &host, &normal);
        let counted = |count: &dyn Fn(usize) -> usize| {
            self.around(chain.part).map(|at| (self.scope_name(at), count(at))).filter(|(_, count)| *count > 0).collect()
        };
        Ok(Effective {
            others: matched.others.iter().map(|reading| self.other_reading(reading, &host)).collect(),
            is_refused: matched.is_refused,
            upstream: self.upstream(chain.part),
            map_rules: counted(&|at| self.part(at).rules.len()),
            outward_rules: counted(&|at| self.part(at).outward.len()),
            normal: self.reading(&method, &normal, &chain),
            method,
            host,
        })
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
        let settings = chain::keys().map(|key| {
            let decided = chain.resolved(key);
            let from = decided.place.as_ref().map(|place| self.place(place, decided.key));
            Setting { key: decided.key, value: decided.value, from }
        });
        PathReading {
            method: method.clone(),
            path: String::from_utf8_lossy(path).into_owned(),
            scope: (chain.part > 0).then(|| self.scope_name(chain.part)),
            routes: routes.collect(),
            settings: settings.collect(),
        }
    }

    /// The service of a part, and where the policy names it.
    fn upstream(&self, part: usize) -> Option<(String, String)> {
        let names = |at: &usize| self.builder.scopes.get(at.checked_sub(1)?)?.table.upstream.as_ref();
        let named = self.around(part).find(|at| names(at).is_some())?;
        let url = self.policy.parts.get(part)?.upstream.as_ref()?;
        Some((url.to_string(), self.place(&TablePath::Scope(named), "upstream")))
    }

    /// `FILE:LINE`; empty for a table that was built in Rust.
    pub(super) fn place(&self, place: &TablePath, key: &str) -> String {
        self.span_of(place, key).map(|at| format!("{}:{}", at.file, at.line)).unwrap_or_default()
    }

    pub(super) fn scope_name(&self, part: usize) -> String {
        let Some(scope) = part.checked_sub(1).and_then(|at| self.builder.scopes.get(at)) else {
            return "the policy itself".to_owned();
        };
        let covers = format!("{}{}", scope.hosts().join(","), scope.path_prefix().unwrap_or_default());
        match self.place(&TablePath::Scope(part), "") {
            place if place.is_empty() => format!("scope {covers}"),
            place => format!("scope {covers} ({place})"),
        }
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}{}", self.method, self.host, self.normal.path)?;
        if let Some(scope) = &self.normal.scope {
            writeln!(f, "  in {scope}")?;
        }
        if let Some((url, from)) = &self.upstream {
            writeln!(f, "  for the service {url} ({from})")?;
        }
        self.normal.write_routes(f)?;
        for (what, rules) in [("map", &self.map_rules), ("outward", &self.outward_rules)] {
            for (scope, count) in rules {
                writeln!(f, "  {count} {what} rule{} of {scope}", if *count == 1 { "" } else { "s" })?;
            }
        }
        writeln!(f)?;
        self.normal.settings.iter().try_for_each(|setting| setting.write(f))?;
        if self.is_refused {
            writeln!(f, "\nthe layer answers 400: readings of the path match different guards (paths = \"refuse\")")?;
        }
        for other in &self.others {
            writeln!(f, "\nthe guards of this reading apply, too: {} {}", other.method, other.path)?;
            other.write_routes(f)?;
            writeln!(f)?;
            other.settings.iter().filter(|setting| setting.is_guard()).try_for_each(|setting| setting.write(f))?;
        }
        Ok(())
    }
}

impl PathReading {
    fn write_routes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (pattern, from) in &self.routes {
            writeln!(f, "  matches {pattern} ({from})")?;
        }
        match self.routes.is_empty() {
            true => writeln!(f, "  matches no route"),
            false => Ok(()),
        }
    }
}

impl Setting {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.from.as_deref().unwrap_or("default");
        match self.value.len() {
            ..24 => writeln!(f, "{:<17}{:<24}{from}", self.key, self.value),
            _ => writeln!(f, "{:<17}{}\n{:<41}{from}", self.key, self.value, ""),
        }
    }
}

#[cfg(test)]
mod tests;
