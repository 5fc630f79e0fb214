//! A random table of routes, its policy, and the routes that it closes. The test checks every route, without readings.

use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::policy::Scope;
use tower_error_envelope::{Policy, PolicyError, RouteRule};

use super::stacks::Segments;
use crate::choices::Choices;

const LITERALS: [&str; 9] = ["a", "admin", "Pub", "x.y", ".b", "c;d", "a-b", "ü", "9"];

#[derive(Debug)]
pub(crate) struct Table {
    /// The literals of its patterns. They are few, so that paths of the same literals match them.
    pub(crate) literals: [&'static str; 3],
    own: Part,
    scope: Option<(Vec<&'static str>, Part)>,
}

#[derive(Debug)]
struct Part {
    /// True if its defaults close it.
    closes: Option<bool>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    methods: Vec<&'static str>,
    path: Vec<&'static str>,
    closes: Option<bool>,
}

impl Table {
    pub(crate) fn chosen(choices: &mut Choices<'_>) -> Self {
        let literals = [(); 3].map(|()| choices.one_of(&LITERALS));
        let own = Part::chosen(choices, &literals, &[]);
        let scope = (choices.below(3) == 1).then(|| {
            let prefix: Vec<_> = (0..=choices.below(2)).map(|_| choices.one_of(&literals)).collect();
            let part = Part::chosen(choices, &literals, &prefix);
            (prefix, part)
        });
        Self { literals, own, scope }
    }

    /// Makes the policy. Two rows for the same requests are an error.
    pub(crate) fn policy(&self) -> Result<Policy, PolicyError> {
        let mut builder =
            Policy::builder().scheme("key", AuthScheme::bearer().key(Key::of_secret("one", "open-sesame")));
        if let Some(closes) = self.own.closes {
            builder = builder.auth(schemes(closes));
        }
        builder = self.own.rows.iter().fold(builder, |builder, row| builder.route(row.route()));
        if let Some((prefix, part)) = &self.scope {
            let mut scope = Scope::new().prefix(format!("/{}", prefix.join("/")));
            if let Some(closes) = part.closes {
                scope = scope.auth(schemes(closes));
            }
            builder = builder.scope(part.rows.iter().fold(scope, |scope, row| scope.route(row.route())));
        }
        builder.build()
    }

    /// Returns true if a service with the routes of this table finds a closed one: key by key, and the most specific
    /// first.
    pub(crate) fn closes(&self, method: &str, path: &Segments, folds: bool) -> bool {
        self.parts(path, folds).find_map(|part| part.closes(method, path, folds)).unwrap_or(false)
    }

    /// Returns the methods that the rows of a path name.
    pub(crate) fn methods(&self, path: &Segments, folds: bool) -> Vec<String> {
        let rows = self.parts(path, folds).flat_map(|part| &part.rows);
        let methods = rows.filter(|row| fits(&row.path, path, folds)).flat_map(|row| &row.methods);
        methods.map(ToString::to_string).collect()
    }

    fn parts(&self, path: &Segments, folds: bool) -> impl Iterator<Item = &Part> {
        let is_within = move |prefix: &[&str]| {
            path.len() >= prefix.len() && prefix.iter().zip(path).all(|(one, other)| same(one, other, folds))
        };
        let scope = self.scope.iter().filter(move |(prefix, _)| is_within(prefix)).map(|(_, part)| part);
        scope.chain([&self.own])
    }
}

impl Part {
    fn chosen(choices: &mut Choices<'_>, literals: &[&'static str], prefix: &[&'static str]) -> Self {
        let closes = choices.one_of(&[None, None, Some(true), Some(false)]);
        let rows = (0..=choices.below(4)).map(|_| Row::chosen(choices, literals, prefix)).collect();
        Self { closes, rows }
    }

    fn closes(&self, method: &str, path: &Segments, folds: bool) -> Option<bool> {
        let fitting = || self.rows.iter().filter(|row| row.rank(method).is_some() && fits(&row.path, path, folds));
        let place = |row: &Row| (specificity(&row.path), row.rank(method));
        let telling = || fitting().filter(|row| row.closes.is_some());
        // Rows that differ only in letter case are equal, and a service may find either.
        let nearest = telling().map(place).min();
        let equals = telling().filter(|row| Some(place(row)) == nearest);
        equals.filter_map(|row| row.closes).max().or(self.closes)
    }
}

impl Row {
    fn chosen(choices: &mut Choices<'_>, literals: &[&'static str], prefix: &[&'static str]) -> Self {
        let methods = choices.one_of(&[vec![], vec![], vec!["GET"], vec!["POST"], vec!["HEAD", "DELETE"]]);
        let mut path = prefix.to_vec();
        path.extend(
            (0..choices.below(4)).map(|_| if choices.below(4) == 3 { "{p}" } else { choices.one_of(literals) }),
        );
        if choices.below(2) == 1 || path.is_empty() {
            path.push("{*rest}");
        }
        Self { methods, path, closes: choices.one_of(&[Some(true), Some(true), Some(false), Some(false), None]) }
    }

    fn route(&self) -> RouteRule {
        let named =
            |(at, segment): (usize, &&str)| if *segment == "{p}" { format!("{{p{at}}}") } else { segment.to_string() };
        let path: Vec<String> = self.path.iter().enumerate().map(named).collect();
        let methods = self.methods.join("|");
        let route = RouteRule::new(format!("{methods} /{}", path.join("/")).trim_start());
        match self.closes {
            Some(closes) => route.auth(schemes(closes)),
            None => route,
        }
    }

    /// Ranks a method before none, and a written HEAD before GET's.
    fn rank(&self, method: &str) -> Option<u8> {
        match method {
            _ if self.methods.contains(&method) => Some(0),
            "HEAD" if self.methods.contains(&"GET") => Some(1),
            _ => self.methods.is_empty().then_some(2),
        }
    }
}

fn schemes(closes: bool) -> Vec<&'static str> {
    if closes { vec!["key"] } else { vec![] }
}

fn same(literal: &str, segment: &[u8], folds: bool) -> bool {
    if folds { literal.as_bytes().eq_ignore_ascii_case(segment) } else { literal.as_bytes() == segment }
}

fn fits(pattern: &[&str], path: &[Vec<u8>], folds: bool) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) | (Some((&"{*rest}", _)), _) => true,
        (Some((&"{p}", pattern)), Some((segment, path))) => !segment.is_empty() && fits(pattern, path, folds),
        (Some((literal, pattern)), Some((segment, path))) => {
            same(literal, segment, folds) && fits(pattern, path, folds)
        }
        _ => false,
    }
}

/// Ranks a literal before `{p}`, that before the pattern's end, and that before `{*rest}`, from the left.
fn specificity(path: &[&str]) -> Vec<u8> {
    let kind = |segment: &&str| match *segment {
        "{p}" => 1,
        "{*rest}" => 3,
        _ => 0,
    };
    path.iter().map(kind).chain([2]).collect()
}
