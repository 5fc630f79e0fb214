//! A policy, as some bytes choose it: scopes, routes, and their guards.

use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::policy::{PolicyBuilder, RequiredHeader, Scope};
use tower_error_envelope::{Mode, Policy, PolicyError, RouteRule};

use crate::choices::Choices;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) own: Part,
    pub(crate) scopes: Vec<Area>,
}

/// A scope with its hosts, its prefix, and its content.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) hosts: Vec<&'static str>,
    pub(crate) prefix: Vec<&'static str>,
    pub(crate) part: Part,
}

#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) keys: Keys,
    pub(crate) routes: Vec<Way>,
}

/// A route: the methods and the segments of its pattern.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) methods: Vec<&'static str>,
    pub(crate) path: Vec<&'static str>,
    pub(crate) keys: Keys,
}

/// The keys of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) mode: Option<Mode>,
    pub(crate) headers: Option<Vec<&'static str>>,
    pub(crate) auth: Option<Vec<&'static str>>,
    pub(crate) auth_observe: Option<bool>,
    pub(crate) limit: Option<Option<u64>>,
}

pub(crate) const HOSTS: [&str; 9] =
    ["x.test", "a.x.test", "*.x.test", "*.a.x.test", "b.a.x.test", "*.test", "[::1]", "127.0.0.1", "test"];
const SEGMENTS: [&str; 5] = ["a", "b", "A", "ü", "{p}"];
const MODES: [Option<Mode>; 8] =
    [None, None, None, Some(Mode::Off), Some(Mode::Observe), Some(Mode::Own), Some(Mode::Fill), Some(Mode::Enforce)];

/// The secret of each scheme, which its header must contain.
pub(crate) const SECRET: &str = "open-sesame";

impl World {
    pub(crate) fn chosen(choices: &mut Choices<'_>) -> Self {
        let own = Part::chosen(choices, &[]);
        let scopes = (0..choices.below(4)).map(|_| Area::chosen(choices)).collect();
        Self { own, scopes }
    }

    pub(crate) fn policy(&self) -> Result<Policy, PolicyError> {
        let mut builder = Policy::builder()
            .header("one", RequiredHeader::new("x-one"))
            .header("two", RequiredHeader::new("x-two"))
            .scheme("key-one", AuthScheme::header("x-key-one").key(Key::of_secret("one", SECRET)))
            .scheme("key-two", AuthScheme::header("x-key-two").key(Key::of_secret("two", SECRET)));
        builder = with_keys(builder, &self.own.keys);
        for way in &self.own.routes {
            builder = builder.route(way.route());
        }
        self.scopes.iter().fold(builder, |builder, area| builder.scope(area.scope())).build()
    }
}

impl Area {
    fn chosen(choices: &mut Choices<'_>) -> Self {
        let mut hosts: Vec<&str> = (0..choices.below(4)).map(|_| choices.one_of(&HOSTS)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let mut prefix: Vec<&str> = (0..choices.below(3)).map(|_| choices.one_of(&["a", "b", "ü"])).collect();
        if hosts.is_empty() && prefix.is_empty() {
            prefix.push("a");
        }
        let part = Part::chosen(choices, &prefix);
        Self { hosts, prefix, part }
    }

    fn scope(&self) -> Scope {
        let mut scope = with_keys(Scope::new(), &self.part.keys);
        for host in &self.hosts {
            scope = scope.host(*host);
        }
        if !self.prefix.is_empty() {
            scope = scope.prefix(format!("/{}", self.prefix.join("/")));
        }
        self.part.routes.iter().fold(scope, |scope, way| scope.route(way.route()))
    }
}

impl Part {
    fn chosen(choices: &mut Choices<'_>, prefix: &[&'static str]) -> Self {
        let keys = Keys::chosen(choices);
        let routes = (0..choices.below(5)).map(|_| Way::chosen(choices, prefix)).collect();
        Self { keys, routes }
    }
}

impl Way {
    fn chosen(choices: &mut Choices<'_>, prefix: &[&'static str]) -> Self {
        let methods = choices.one_of(&[vec![], vec!["GET"], vec!["HEAD"], vec!["POST", "GET"], vec!["HEAD", "GET"]]);
        let mut path = prefix.to_vec();
        path.extend((0..choices.below(4)).map(|_| choices.one_of(&SEGMENTS)));
        if choices.below(2) == 1 {
            path.push("{*r}");
        }
        Self { methods, path, keys: Keys::chosen(choices) }
    }

    pub(crate) fn written(&self) -> String {
        let segments = self.path.iter().enumerate().map(|(at, segment)| match *segment {
            "{p}" => format!("{{p{at}}}"),
            other => other.to_owned(),
        });
        let path = format!("/{}", segments.collect::<Vec<_>>().join("/"));
        if self.methods.is_empty() { path } else { format!("{} {path}", self.methods.join("|")) }
    }

    fn route(&self) -> RouteRule {
        with_keys(RouteRule::new(self.written()), &self.keys)
    }
}

impl Keys {
    fn chosen(choices: &mut Choices<'_>) -> Self {
        // Most tables have few keys, because inheritance concerns the missing keys.
        let set = choices.below(256);
        let of = |bit: u32| set >> bit & 1 == 1;
        let (mode, headers, auth, observe, limit) = (of(0), of(1), of(2), of(3) && of(4), of(5));
        Self {
            mode: mode.then(|| choices.one_of(&MODES)).flatten(),
            headers: headers.then(|| choices.one_of(&[vec!["one"], vec![], vec!["two"], vec!["one", "two"]])),
            auth: auth.then(|| choices.one_of(&[vec!["key-one"], vec![], vec!["key-two"], vec!["key-two", "key-one"]])),
            auth_observe: observe.then(|| choices.below(2) == 0),
            limit: limit.then(|| choices.one_of(&[Some(10), None, Some(20), Some(0)])),
        }
    }
}

/// A builder that can have keys.
trait HasKeys: Sized {
    fn with_keys(self, keys: &Keys) -> Self;
}

fn with_keys<T: HasKeys>(table: T, keys: &Keys) -> T {
    table.with_keys(keys)
}

macro_rules! has_keys {
    ($($table:ty)*) => {$(
        impl HasKeys for $table {
            fn with_keys(mut self, keys: &Keys) -> Self {
                if let Some(mode) = keys.mode {
                    self = self.mode(mode);
                }
                if let Some(headers) = &keys.headers {
                    self = self.require_headers(headers.iter().copied());
                }
                if let Some(auth) = &keys.auth {
                    self = self.auth(auth.iter().copied());
                }
                if let Some(observe) = keys.auth_observe {
                    self = self.auth_observe(observe);
                }
                match keys.limit {
                    Some(Some(limit)) => self.body_limit(limit),
                    Some(None) => self.no_body_limit(),
                    None => self,
                }
            }
        }
    )*};
}

has_keys! { PolicyBuilder Scope RouteRule }
