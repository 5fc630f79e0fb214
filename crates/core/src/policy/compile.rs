//! Compiles the settings of a builder into a [`Policy`], or reports the first mistake (rule M2).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::advice::refuse_docs;
use super::error::{Problem, Problems, TablePath};
use super::faults::PolicyFaults;
use super::inheritance::{around, inherited};
use super::keys::{LinkedTable, RouteTable};
use super::matcher::Matcher;
use super::names::{Named, Names, compile_schemes};
use super::process::{Budget, IdSettings, ProcessTables};
use super::scope::{PolicyPart, Scope, ScopeMatcher, Scopes};
use super::upstream::{UpstreamTimeouts, UpstreamUrl};
use super::{CompiledScope, Origin, Policy, PolicyBuilder, upstreams};
use crate::classify::rule::{MapRule, Rule};
use crate::code::details::{self, SchemaError};
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::custom::CustomShape;
use crate::dialect::rich::DOMAIN;
use crate::fields::is_same_to_cgi;
use crate::guard::header::{HeaderGuard, RequiredHeader};
use crate::guard::pattern::Pattern;
use crate::outward::{Outward, OutwardRule};
use crate::syntax::is_token_byte;
use crate::table::{Kind, Refusals, SettingError};

impl PolicyBuilder {
    /// Returns the policy, or the first mistake.
    pub(crate) fn compile(self) -> Result<Policy, Box<Problem>> {
        let mut problems = Problems::default();
        let policy = self.compile_all(&mut problems);
        match problems.0.into_iter().next() {
            Some(first) => Err(Box::new(first)),
            None => Ok(policy),
        }
    }

    /// Returns the policy, and adds all mistakes to `problems`. If it adds any, the policy must not be used.
    pub(crate) fn compile_all(self, problems: &mut Problems) -> Policy {
        let ProcessTables { request_id, rpc, inspect, observe, drain, advice, cors, proxy } = self.process;
        let inspect = Budget::INSPECT.with(inspect.as_ref());
        let drain = Budget::DRAIN.with(drain.as_ref());
        refuse_budgets(&inspect, &drain, problems);
        let domain = rpc.and_then(|rpc| rpc.domain).unwrap_or(Cow::Borrowed(DOMAIN));
        let rpc_domain =
            problems.make(TablePath::Rpc, |refusals| refusals.keep(compile_domain(domain))).unwrap_or_default();
        let advice = problems.make(TablePath::Advice, |refusals| advice.unwrap_or_default().compile(refusals));
        let cors = cors.and_then(|cors| problems.make(TablePath::Cors, |refusals| cors.compile(refusals)));
        let proxy_name = proxy.and_then(|proxy| proxy.name);
        let proxy_name = proxy_name
            .and_then(|name| problems.make(TablePath::Proxy, |refusals| refusals.keep(compile_proxy_name(&name))));
        let codes = compile_codes(self.codes, problems);
        let (covers, named, timeouts) = compile_scopes(&self.scopes, problems);
        let mut names: Vec<_> =
            std::iter::once(None).chain(self.scopes.iter().map(|scope| Some(scope.name()))).collect();
        let guards = compile_headers(self.headers, problems);
        let schemes = compile_schemes(self.schemes, problems);
        let (forwarded_ids, key_headers) = (schemes.forwarded_ids(), schemes.key_headers());
        problems.keep(refuse_guards_of_forwarded(&guards, &forwarded_ids));
        problems.keep(check_scope_count(self.scopes.len()));
        let custom = schemes.custom();
        let parents = narrowest_parents(&covers);
        let owns: Vec<PolicyPart> =
            std::iter::once(self.part).chain(self.scopes.into_iter().map(|scope| scope.part)).collect();
        let shapes = compile_shapes(&owns, &codes, problems);
        let mut lists = Names::new(guards, schemes.by_name, shapes.clone());
        let mut routes = Vec::new();
        let mut parts: Vec<CompiledScope> = Vec::new();
        for (at, part) in owns.into_iter().enumerate() {
            let scope =
                compile_part(at, part, covers.get(at.wrapping_sub(1)), &codes, &mut lists, &mut routes, problems);
            parts.push(CompiledScope {
                parent: parents[at],
                upstream: named[at].clone(),
                timeouts: timeouts[at],
                name: names[at].take().map(Into::into),
                ..scope
            });
        }
        let parts = inherit_all(parts);
        let depths: Vec<usize> = (0..parts.len()).map(|at| around(&parts, at).count()).collect();
        Policy {
            origin: Origin::BuiltInRust,
            ids: IdSettings::new(request_id.as_ref()),
            rpc_domain,
            inspect,
            drain,
            observes_bodies: observe.and_then(|observe| observe.bodies).unwrap_or_default(),
            advice: advice.unwrap_or_default(),
            cors,
            proxy_name,
            codes,
            routes: routes.into(),
            chains: Box::default(),
            scopes: Scopes::new(&covers, &depths),
            parts,
            shapes: shapes.into_iter().filter_map(|(_, shape)| shape).collect(),
            schemes: lists.auth.values().flat_map(|schemes| schemes.iter().cloned()).collect(),
            forwarded_ids,
            key_headers,
            custom,
            faults: PolicyFaults::new(std::iter::empty(), 0),
            upstreams: upstreams::distinct(&named),
            is_everywhere: false,
            names_methods: false,
            original_reported: Arc::default(),
            needs_request_facts: false,
        }
        .with_chains()
    }
}

/// Compiles one part, without those around it.
fn compile_part(
    at: usize,
    part: PolicyPart,
    cover: Option<&ScopeMatcher>,
    codes: &CodeSet,
    lists: &mut Names,
    routes: &mut Vec<LinkedTable>,
    problems: &mut Problems,
) -> CompiledScope {
    let mut settings = |keys: &RouteTable, place: TablePath, problems: &mut Problems| {
        #[cfg(feature = "redact")]
        if keys.redact == Some(true) {
            crate::redact::prepare();
        }
        LinkedTable::new(keys, lists, &mut |refused| {
            problems.add(refused.at_path(place.clone()));
        })
    };
    let keys = settings(&part.keys, TablePath::Defaults(at), problems);
    let matcher = compile_routes(at, &part, cover, routes.len(), problems).unwrap_or_default();
    for (index, route) in part.routes.iter().enumerate() {
        routes.push(settings(&route.keys, TablePath::Route(at, index), problems));
    }
    let rules = compile_rules(at, part.rules, cover, codes, problems);
    let outward = compile_outward(at, part.outward, codes, problems);
    let shapes = part.shapes.iter().filter_map(|shape| lists.shape(&shape.name)).collect();
    CompiledScope { keys, matcher, own_rules: rules.len(), rules, outward, shapes, ..CompiledScope::default() }
}

/// Lets each part inherit from those around it: their rules, after its own, and the settings that no route sets.
fn inherit_all(mut parts: Vec<CompiledScope>) -> Box<[CompiledScope]> {
    let settled = |at: usize| {
        let chain = || around(&parts, at).map(|part| &parts[part]);
        let rules: Box<[Arc<Rule>]> = chain().flat_map(|part| part.rules.iter().cloned()).collect();
        let outward = chain().flat_map(|part| part.outward.iter().cloned()).collect();
        let shapes = chain().flat_map(|part| part.shapes.iter().copied()).collect();
        let service = (upstreams::inherited_upstream(chain()), upstreams::inherited_timeouts(chain()));
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

type CompiledScopes = (Vec<ScopeMatcher>, Vec<Option<UpstreamUrl>>, Vec<UpstreamTimeouts>);

/// The matchers of the scopes; and for each part, the service and the time limits that it sets itself. A scope with a
/// mistake counts as covering everything, so that all scopes inside it are still checked.
fn compile_scopes(scopes: &[Scope], problems: &mut Problems) -> CompiledScopes {
    let (mut covers, mut named, mut timeouts) = (Vec::new(), vec![None], vec![UpstreamTimeouts::default()]);
    for (at, scope) in (1..).zip(scopes) {
        let cover = problems.make(TablePath::Scope(at), |refusals| {
            timeouts.push(UpstreamTimeouts::new(&scope.table, refusals));
            named.push(refusals.keep_some(scope.table.upstream.as_deref(), UpstreamUrl::parse).flatten());
            scope.cover(refusals)
        });
        let Some(cover) = cover else {
            covers.push(ScopeMatcher::default());
            continue;
        };
        let crosses = |other: &ScopeMatcher| {
            cover.overlaps(other) && !cover.is_narrower_than(other) && !other.is_narrower_than(&cover)
        };
        if let Some(other) = covers.iter().position(crosses) {
            let wrong = "the scope overlaps another scope, and neither contains the other";
            let right =
                "narrow one of them by hosts or prefix until it is inside the other, or shares no request with it";
            let refused = SettingError::new("", wrong, right).of_kind(Kind::Conflict);
            problems.add(refused.with_location(TablePath::Scope(at), TablePath::Scope(other + 1)));
        }
        covers.push(cover);
    }
    (covers, named, timeouts)
}

/// For each part, the narrowest part around it.
fn narrowest_parents(covers: &[ScopeMatcher]) -> Vec<Option<usize>> {
    let parent = |cover: &ScopeMatcher| {
        let around = (1..).zip(covers).filter(|(_, other)| cover.is_narrower_than(other));
        let narrowest = around.reduce(|one, other| if other.1.is_narrower_than(one.1) { other } else { one });
        Some(narrowest.map_or(0, |(at, _)| at))
    };
    std::iter::once(None).chain(covers.iter().map(parent)).collect()
}

/// Refuses more scopes than an index has room for: each request stores the index of its scope as a `u16`.
fn check_scope_count(scopes: usize) -> Result<(), Box<Problem>> {
    let max = usize::from(u16::MAX);
    if scopes <= max {
        return Ok(());
    }
    let wrong = format!("there are more than {max} scopes");
    Err(SettingError::new("", wrong, "let services share a scope").at_path(TablePath::Scope(scopes)))
}

fn refuse_budgets(inspect: &Budget, drain: &Budget, problems: &mut Problems) {
    const LARGEST: u64 = 1024 * 1024 * 1024;
    if inspect.max_bytes > LARGEST {
        let wrong = "the size is too large: error bodies are held in memory";
        problems.add(
            SettingError::new("max_bytes", wrong, "set at most 1 GiB")
                .of_kind(Kind::OutOfRange)
                .at_path(TablePath::Inspect),
        );
    }
    for (budget, place) in [(inspect, TablePath::Inspect), (drain, TablePath::Drain)] {
        if budget.timeout.is_zero() || budget.timeout > Duration::from_secs(300) {
            let refused =
                SettingError::new("timeout", "the timeout is out of range", TIMEOUT_ADVICE).of_kind(Kind::OutOfRange);
            problems.add(refused.at_path(place));
        }
    }
}

/// Checks a domain. AIP-193 requires a DNS name, and every RPC error contains it.
fn compile_domain(domain: Cow<'static, str>) -> Result<Cow<'static, str>, SettingError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=253).contains(&domain.len()) && domain.bytes().all(is_name) {
        return Ok(domain);
    }
    let right = "write a name such as \"orders.example.com\"";
    Err(SettingError::new("domain", "the domain is not a valid host name", right))
}

/// The name as RFC 9209 §2 writes it: a token, or a string in quotes.
fn compile_proxy_name(name: &str) -> Result<Box<str>, SettingError> {
    if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let right = "write 1 to 64 printable ASCII characters, such as \"edge\"";
        return Err(SettingError::new("name", "the name cannot be sent in a header", right));
    }
    let is_token_byte = |byte: u8| is_token_byte(byte) || matches!(byte, b':' | b'/');
    if name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*') && name.bytes().all(is_token_byte) {
        return Ok(name.into());
    }
    Ok(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")).into())
}

const TIMEOUT_ADVICE: &str = "set more than 0 and at most 5 minutes";

fn compile_headers(headers: Vec<(String, RequiredHeader)>, problems: &mut Problems) -> Named<HeaderGuard> {
    let mut guards = Named::new();
    for (name, header) in headers {
        let place = || TablePath::Header(name.clone());
        let guard = problems.make(place(), |refusals| header.compile(refusals));
        if guards.insert(name.clone(), guard).is_some() {
            problems.add(
                SettingError::new("", "the name is used twice", "rename one of them")
                    .of_kind(Kind::DefinedTwice)
                    .at_path(place()),
            );
        }
    }
    guards
}

/// Refuses to require a header that is removed from every request, because no request could then pass.
fn refuse_guards_of_forwarded(guards: &Named<HeaderGuard>, ids: &[HeaderName]) -> Result<(), Box<Problem>> {
    let guards = guards.iter().filter_map(|(name, guard)| Some((name, guard.as_ref()?)));
    let mut removed: Vec<_> =
        guards.filter(|(_, it)| ids.iter().any(|id| is_same_to_cgi(it.name().as_str(), id.as_str()))).collect();
    removed.sort_by_key(|(name, _)| *name);
    let Some((name, guard)) = removed.first() else { return Ok(()) };
    let wrong = format!("{} is set by forward_id, so the client's own value is removed", guard.name());
    let right = "require another header, or forward ids in another header";
    Err(SettingError::new("name", wrong, right).of_kind(Kind::Conflict).at_path(TablePath::Header((*name).clone())))
}

fn compile_codes(codes: Vec<ErrorCode>, problems: &mut Problems) -> CodeSet {
    let mut names = HashSet::new();
    for (index, code) in codes.iter().enumerate() {
        let made = problems.make(TablePath::Code(index), |refusals| refuse_code(code, refusals));
        if !names.insert(code.as_str()) && made.is_some() {
            let first = codes.iter().position(|other| other == code).unwrap_or_default();
            let refused = SettingError::new("code", format!("{:?} is defined twice", code.as_str()), "define it once")
                .of_kind(Kind::DefinedTwice);
            problems.add(refused.with_location(TablePath::Code(index), TablePath::Code(first)));
        }
    }
    CodeSet::new(codes)
}

fn refuse_code(code: &ErrorCode, refusals: &mut Refusals) -> Option<()> {
    let name = code.as_str();
    let has_own_details =
        || ErrorCode::in_catalogue(name).is_some_and(|it| it.details_schema() != code.details_schema());
    if code.is_in_catalogue() && !has_own_details() {
        let wrong = format!("{name:?} is a code of the catalogue");
        refusals.0.push(SettingError::new("code", wrong, "use it without defining it").of_kind(Kind::DefinedTwice));
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

fn compile_rules(
    at: usize,
    rules: Vec<MapRule>,
    cover: Option<&ScopeMatcher>,
    codes: &CodeSet,
    problems: &mut Problems,
) -> Box<[Arc<Rule>]> {
    let compile = |rule: MapRule, refusals: &mut Refusals| {
        let rule = rule.compile(codes, refusals)?;
        if let (Some(route), Some(cover)) = (rule.route(), cover)
            && !cover.may_match(route)
        {
            refusals.0.push(outside_scope("route"));
        }
        Some(Arc::new(rule))
    };
    let rules = rules.into_iter().enumerate();
    rules
        .filter_map(|(index, rule)| problems.make(TablePath::Map(at, index), |refusals| compile(rule, refusals)))
        .collect()
}

fn compile_outward(
    at: usize,
    rules: Vec<OutwardRule>,
    codes: &CodeSet,
    problems: &mut Problems,
) -> Box<[Arc<Outward>]> {
    let rules = rules.into_iter().enumerate();
    let compiled = rules.filter_map(|(index, rule)| {
        problems.make(TablePath::Outward(at, index), |refusals| rule.compile(codes, refusals))
    });
    compiled.map(Arc::new).collect()
}

/// The shapes of all parts, by name; `None` for a shape with a mistake.
fn compile_shapes(
    parts: &[PolicyPart],
    codes: &CodeSet,
    problems: &mut Problems,
) -> Vec<(String, Option<CustomShape>)> {
    let mut compiled: Vec<(String, Option<CustomShape>)> = Vec::new();
    for shape in parts.iter().flat_map(|part| &part.shapes) {
        let (name, place) = (shape.name.clone(), TablePath::Shape(shape.name.clone()));
        if compiled.iter().any(|(known, _)| *known == name) {
            problems.add(
                SettingError::new("", "the name is used twice", "rename one of them")
                    .of_kind(Kind::DefinedTwice)
                    .at_path(place),
            );
            continue;
        }
        let shape = problems.make(place, |refusals| shape.clone().compile(codes, refusals));
        compiled.push((name, shape));
    }
    compiled
}

fn compile_routes(
    at: usize,
    part: &PolicyPart,
    cover: Option<&ScopeMatcher>,
    base: usize,
    problems: &mut Problems,
) -> Option<Matcher> {
    let mut patterns = Vec::new();
    for (index, route) in part.routes.iter().enumerate() {
        let place = || TablePath::Route(at, index);
        let pattern = problems.make(place(), |refusals| refusals.keep(Pattern::parse("match", &route.pattern)));
        let Some(pattern) = pattern else { continue };
        if cover.is_some_and(|cover| !cover.may_match(&pattern)) {
            problems.add(outside_scope("match").at_path(place()));
        }
        patterns.push((index, pattern));
    }
    let is_whole = patterns.len() == part.routes.len();
    let (places, patterns): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
    match Matcher::new(base, patterns) {
        Ok(matcher) => is_whole.then_some(matcher),
        Err(clashes) => {
            clashes
                .iter()
                .for_each(|it| problems.add(same_paths_error(at, part, (places[it.first], places[it.second]))));
            None
        }
    }
}

fn same_paths_error(at: usize, part: &PolicyPart, (first, second): (usize, usize)) -> Box<Problem> {
    let wrong = format!(
        "the patterns {:?} and {:?} match the same paths",
        part.routes[second].pattern, part.routes[first].pattern
    );
    let right = "keep one of them, or give them different methods";
    SettingError::new("match", wrong, right)
        .of_kind(Kind::DefinedTwice)
        .with_location(TablePath::Route(at, second), TablePath::Route(at, first))
}

fn outside_scope(key: &'static str) -> SettingError {
    SettingError::new(key, "the path is outside the scope's prefix", "write the full path, including the prefix")
        .of_kind(Kind::Conflict)
}
