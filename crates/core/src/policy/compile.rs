//! Compiles the settings of a builder into a [`Policy`], or reports the mistakes (rule M2).

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use super::faults::PolicyFaults;
use super::keys::{LinkedTable, RouteTable};
use super::lookup::{around, inherited};
use super::matcher::Matcher;
use super::names::Names;
use super::process::refuse_docs;
use super::scope::{PolicyPart, RouteRule, Scope, ScopeMatcher, Scopes};
use super::upstream::{UpstreamTimeouts, UpstreamUrl};
use super::{CompiledScope, Origin, Policy, PolicyBuilder};
use crate::code::details::{self, SchemaError};
use crate::code::{CodeSet, ErrorCode};
#[cfg(feature = "foreign")]
use crate::dialect::custom::CustomShape;
use crate::fields::is_same_to_cgi;
use crate::guard::pattern::Pattern;
use crate::table::{Kind, PolicyError, Refusals, SettingError, TablePath};

impl PolicyBuilder {
    /// Returns the policy if it is valid.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, with its key.
    pub fn build(mut self) -> Result<Policy, PolicyError> {
        for code in mem::take(&mut self.listed_codes) {
            if (!code.is_in_catalogue() || code.is_redefined()) && !self.codes.contains(&code) {
                self.codes.push(code);
            }
        }
        self.compile().map_err(|SettingError { place, key, wrong, right, kind, .. }| {
            let table = self.name_of(&place);
            let key = if key.is_empty() { table } else { format!("{table}: {key}") };
            PolicyError::new(Some(key), wrong, right).of_kind(kind)
        })
    }

    /// Returns the policy, or the first mistake.
    pub(crate) fn compile(&self) -> Result<Policy, SettingError> {
        let mut problems = Refusals::default();
        let policy = self.compile_all(&mut problems);
        problems.0.into_iter().next().map_or(Ok(policy), Err)
    }

    /// Returns the policy, and adds all mistakes to `problems`. If this function adds a mistake, the returned policy
    /// must not be used.
    pub(crate) fn compile_all(&self, problems: &mut Refusals) -> Policy {
        let process = self.process.compile(problems);
        let codes = compile_codes(&self.codes, problems);
        let (covers, scopes) = compile_scopes(&self.scopes, problems);
        let mut names = Names::new(&self.headers, &self.schemes, &codes, problems);
        let forwarded_ids = names.headers_of_schemes(|scheme| scheme.forward_id.as_ref());
        refuse_guards_of_forwarded(&names, &forwarded_ids, problems);
        #[cfg(feature = "foreign")]
        (names.shapes = compile_shapes(self.parts(), &codes, problems));
        let mut compiler = PartCompiler { codes: &codes, names, routes: Vec::new(), problems };
        let parts = scopes.into_iter().zip(self.parts()).enumerate();
        let parts: Vec<_> = parts
            .map(|(at, (scope, part))| compiler.compile(at, part, covers.get(at.wrapping_sub(1)), scope))
            .collect();
        let PartCompiler { names, routes, .. } = compiler;
        let mut known = HashSet::new();
        let upstreams = parts.iter().filter_map(|part| part.upstream.clone()).filter(|url| known.insert(url.clone()));
        let upstreams = upstreams.collect();
        let parts = inherit_all(parts);
        let depths: Vec<usize> = (0..parts.len()).map(|at| around(&parts, at).count()).collect();
        let custom = names.schemes.values().flatten().filter(|scheme| scheme.is_custom());
        Policy {
            origin: Origin::BUILT_IN_RUST,
            process,
            codes,
            routes: routes.into(),
            chains: Box::default(),
            scopes: Scopes::new(&covers, &depths),
            parts,
            schemes: names.auth.values().flat_map(|schemes| schemes.iter().cloned()).collect(),
            requires_headers: !names.headers.is_empty(),
            forwarded_ids,
            key_headers: names.headers_of_schemes(|scheme| scheme.key_header()),
            custom: custom.map(|scheme| (*scheme.name).into()).collect(),
            shapes: names.shapes.into_iter().filter_map(|(_, shape)| shape).collect(),
            faults: PolicyFaults::new(std::iter::empty(), 0),
            upstreams,
            is_everywhere: false,
            is_switched_off: false,
            names_methods: false,
            original_reported: Arc::default(),
            needs_request_facts: false,
        }
        .with_chains()
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { origin: Origin::DEFAULTS, ..PolicyBuilder::default().compile_all(&mut Refusals::default()) }
    }
}

/// Compiles each part of a policy without the parts around it.
struct PartCompiler<'a> {
    codes: &'a CodeSet,
    names: Names,
    routes: Vec<LinkedTable>,
    problems: &'a mut Refusals,
}

impl PartCompiler<'_> {
    fn compile(
        &mut self,
        at: usize,
        part: &PolicyPart,
        cover: Option<&ScopeMatcher>,
        scope: CompiledScope,
    ) -> CompiledScope {
        let keys = self.link(TablePath::Defaults(at), &part.keys);
        let matcher = self.matcher(at, &part.routes, cover).unwrap_or_default();
        for (index, route) in part.routes.iter().enumerate() {
            let linked = self.link(TablePath::Route(at, index), &route.keys);
            self.routes.push(linked);
        }
        let (codes, problems) = (self.codes, &mut *self.problems);
        let rules = part.rules.iter().enumerate().filter_map(|(index, rule)| {
            problems.make(TablePath::Map(at, index), |refusals| {
                let rule = rule.clone().compile(codes, refusals)?;
                if rule.route.as_ref().zip(cover).is_some_and(|(route, cover)| !cover.may_match(route)) {
                    refusals.add(outside_scope("route"));
                }
                Some(Arc::new(rule))
            })
        });
        let rules: Box<[_]> = rules.collect();
        let outward = part.outward.iter().enumerate().filter_map(|(index, rule)| {
            let compile = |refusals: &mut Refusals| rule.clone().compile(codes, refusals).map(Arc::new);
            problems.make(TablePath::Outward(at, index), compile)
        });
        let outward = outward.collect();
        #[cfg(feature = "foreign")]
        let shapes = part.shapes.iter().filter_map(|shape| self.names.shape(&shape.name)).collect();
        #[cfg(not(feature = "foreign"))]
        let shapes = Box::default();
        CompiledScope { keys, matcher, own_rules: rules.len(), rules, outward, shapes, ..scope }
    }

    fn link(&mut self, place: TablePath, keys: &RouteTable) -> LinkedTable {
        #[cfg(feature = "redact")]
        if keys.redact == Some(true) {
            crate::redact::prepare();
        }
        self.problems.read(&place, |refusals| LinkedTable::new(keys, &mut self.names, refusals))
    }

    fn matcher(&mut self, at: usize, routes: &[RouteRule], cover: Option<&ScopeMatcher>) -> Option<Matcher> {
        let (mut places, mut patterns) = (Vec::new(), Vec::new());
        for (index, route) in routes.iter().enumerate() {
            let place = TablePath::Route(at, index);
            let parsed = |refusals: &mut Refusals| refusals.keep(Pattern::parse("match", &route.pattern));
            let Some(pattern) = self.problems.make(place.clone(), parsed) else { continue };
            if cover.is_some_and(|cover| !cover.may_match(&pattern)) {
                self.problems.add(outside_scope("match").in_table(place));
            }
            places.push(index);
            patterns.push(pattern);
        }
        let is_whole = patterns.len() == routes.len();
        let clashes = match Matcher::new(self.routes.len(), patterns) {
            Ok(matcher) => return is_whole.then_some(matcher),
            Err(clashes) => clashes,
        };
        for (first, second) in clashes.into_iter().map(|(first, second)| (places[first], places[second])) {
            let (one, other) = (&routes[second].pattern, &routes[first].pattern);
            let wrong = format!("the patterns {one:?} and {other:?} match the same paths");
            let refused = SettingError::new("match", wrong, "keep one of them, or give them different methods");
            let refused = refused.of_kind(Kind::DefinedTwice);
            self.problems.add(refused.in_tables(TablePath::Route(at, second), TablePath::Route(at, first)));
        }
        None
    }
}

/// Lets each part inherit from the parts around it. A part inherits the rules of the parts around it, which come after
/// its own rules. It also inherits the settings that no route sets.
fn inherit_all(mut parts: Vec<CompiledScope>) -> Box<[CompiledScope]> {
    let settled = |at: usize| {
        let chain = || around(&parts, at).map(|part| &parts[part]);
        let rules: Box<[Arc<_>]> = chain().flat_map(|part| part.rules.iter().cloned()).collect();
        let outward = chain().flat_map(|part| part.outward.iter().cloned()).collect();
        let shapes = chain().flat_map(|part| part.shapes.iter().copied()).collect();
        let timeout = |limit: fn(&UpstreamTimeouts) -> _| chain().find_map(|part| limit(&part.timeouts));
        let timeouts = UpstreamTimeouts { head: timeout(|it| it.head), stall: timeout(|it| it.stall) };
        let service = (chain().find_map(|part| part.upstream.clone()), timeouts);
        (inherited(&parts, &[], at, &[]), rules, outward, shapes, service)
    };
    let settled: Vec<_> = (0..parts.len()).map(settled).collect();
    for (part, (defaults, rules, outward, shapes, service)) in parts.iter_mut().zip(settled) {
        part.rules_use_path = rules.iter().any(|rule| rule.uses_path());
        (part.defaults, part.rules, part.outward, part.shapes) = (defaults, rules, outward, shapes);
        (part.upstream, part.timeouts) = service;
    }
    parts.into()
}

/// Returns the matchers of the scopes. For each part, also returns its name, its parent and its own service. A scope
/// with a mistake is treated as if it covered every request, so that all scopes inside the scope are still checked.
fn compile_scopes(scopes: &[Scope], problems: &mut Refusals) -> (Vec<ScopeMatcher>, Vec<CompiledScope>) {
    let (mut covers, mut parts) = (Vec::<ScopeMatcher>::new(), vec![CompiledScope::default()]);
    for (at, scope) in (1..).zip(scopes) {
        let mut part = CompiledScope { name: Some(scope.name().into()), ..CompiledScope::default() };
        let cover = problems.make(TablePath::Scope(at), |refusals| {
            part.timeouts = UpstreamTimeouts::new(&scope.table, refusals);
            part.upstream = refusals.keep_some(scope.table.upstream.as_deref(), UpstreamUrl::parse).flatten();
            scope.cover(refusals)
        });
        let crosses = |cover: &ScopeMatcher, other: &ScopeMatcher| {
            cover.overlaps(other) && !cover.is_narrower_than(other) && !other.is_narrower_than(cover)
        };
        if let Some(other) = cover.as_ref().and_then(|cover| covers.iter().position(|other| crosses(cover, other))) {
            let wrong = "the scope overlaps another scope, and neither contains the other";
            let right =
                "narrow one of them by hosts or prefix until it is inside the other, or shares no request with it";
            let refused = SettingError::new("", wrong, right).of_kind(Kind::Conflict);
            problems.add(refused.in_tables(TablePath::Scope(at), TablePath::Scope(other + 1)));
        }
        covers.push(cover.unwrap_or_default());
        parts.push(part);
    }
    for (part, cover) in parts[1..].iter_mut().zip(&covers) {
        let around = (1..).zip(&covers).filter(|(_, other)| cover.is_narrower_than(other));
        let narrowest = around.reduce(|one, other| if other.1.is_narrower_than(one.1) { other } else { one });
        part.parent = Some(narrowest.map_or(0, |(at, _)| at));
    }
    // Each request stores the index of its scope as a `u16`.
    let max = usize::from(u16::MAX);
    if scopes.len() > max {
        let wrong = format!("there are more than {max} scopes");
        let refused = SettingError::new("", wrong, "let services share a scope");
        problems.add(refused.in_table(TablePath::Scope(scopes.len())));
    }
    (covers, parts)
}

/// Refuses to require a header that is removed from every request, because no request could then pass.
fn refuse_guards_of_forwarded(names: &Names, ids: &[http::HeaderName], problems: &mut Refusals) {
    let is_removed = |name: &http::HeaderName| ids.iter().any(|id| is_same_to_cgi(name.as_str(), id.as_str()));
    let mut guards = names.guards.iter().filter_map(|(name, guard)| Some((name, guard.as_ref()?)));
    if let Some((name, guard)) = guards.find(|(_, guard)| is_removed(&guard.name)) {
        let wrong = format!("{} is set by forward_id, so the client's own value is removed", guard.name);
        let right = "require another header, or forward ids in another header";
        let refused = SettingError::new("name", wrong, right).of_kind(Kind::Conflict);
        problems.add(refused.in_table(TablePath::Header(name.clone())));
    }
}

fn compile_codes(codes: &[ErrorCode], problems: &mut Refusals) -> CodeSet {
    let mut names = HashSet::new();
    for (index, code) in codes.iter().enumerate() {
        let made = problems.make(TablePath::Code(index), |refusals| refuse_code(code, refusals));
        if !names.insert(code.as_str()) && made.is_some() {
            let first = codes.iter().position(|other| other == code).unwrap_or_default();
            let refused = SettingError::new("code", format!("{:?} is defined twice", code.as_str()), "define it once")
                .of_kind(Kind::DefinedTwice);
            problems.add(refused.in_tables(TablePath::Code(index), TablePath::Code(first)));
        }
    }
    CodeSet::new(codes.to_vec())
}

fn refuse_code(code: &ErrorCode, refusals: &mut Refusals) -> Option<()> {
    let name = code.as_str();
    if code.is_in_catalogue() && !code.is_redefined() {
        let wrong = format!("{name:?} is a code of the catalogue");
        let right = "use it without defining it, or add details, docs or retry";
        refusals.0.push(SettingError::new("code", wrong, right).of_kind(Kind::DefinedTwice));
        return None;
    }
    if code.is_foreign() {
        let wrong = format!("{name:?} has no status");
        refusals.0.push(SettingError::new("code", wrong, "create it with ErrorCode::custom"));
    }
    if !(1..=16).contains(&code.grpc()) {
        let wrong = format!("{} is not a gRPC error status", code.grpc());
        refusals.0.push(SettingError::new("grpc", wrong, "write a number from 1 to 16").of_kind(Kind::OutOfRange));
    }
    refusals.keep(SettingError::check_message("message", code.message()));
    code.docs().map(|docs| refusals.keep(refuse_docs(docs)));
    let details = code.details_schema().map_or(Ok(()), |schema| {
        details::check_text(schema).map_err(|SchemaError { path, wrong, right, .. }| {
            let place: String = path.iter().map(|key| format!("{key}: ")).collect();
            SettingError::new("details", format!("{place}{wrong}"), right)
        })
    });
    refusals.keep(details)
}

/// Returns the shapes of all parts, by name, or `None` for a shape with a mistake.
#[cfg(feature = "foreign")]
fn compile_shapes<'p>(
    parts: impl Iterator<Item = &'p PolicyPart>,
    codes: &CodeSet,
    problems: &mut Refusals,
) -> Vec<(String, Option<CustomShape>)> {
    let mut compiled: Vec<(String, Option<CustomShape>)> = Vec::new();
    for shape in parts.flat_map(|part| &part.shapes) {
        let place = TablePath::Shape(shape.name.clone());
        if compiled.iter().any(|(known, _)| *known == shape.name) {
            problems.add(SettingError::used_twice(place));
            continue;
        }
        let made = problems.make(place, |refusals| shape.clone().compile(codes, refusals));
        compiled.push((shape.name.clone(), made));
    }
    compiled
}

fn outside_scope(key: &'static str) -> SettingError {
    SettingError::new(key, "the path is outside the scope's prefix", "write the full path, including the prefix")
        .of_kind(Kind::Conflict)
}
