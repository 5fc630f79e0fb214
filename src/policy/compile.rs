//! From what a builder was told to a [`Policy`], or to the first thing that is wrong (rule M2).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::error::{Place, Problem};
use super::in_force::Origin;
use super::matcher::{Clash, Matcher};
use super::route::Route;
use super::settings::{Index, Keys, Said};
use super::{Budget, Policy, PolicyBuilder};
use crate::classify::rule::{MapRule, Rule};
use crate::code::{CodeSet, ErrorCode};
use crate::guard::content_type::MediaTypes;
use crate::guard::header::{HeaderGuard, RequiredHeader};
use crate::guard::pattern::{Pattern, Refused};

impl PolicyBuilder {
    pub(super) fn compile(self) -> Result<Policy, Problem> {
        refuse_budgets(&self.inspect.0, &self.drain.0)?;
        let codes = compile_codes(self.codes)?;
        let rules = compile_rules(self.rules)?;
        let mut lists = Lists { guards: compile_headers(self.headers)?, ..Lists::default() };
        let default_keys = lists.said(&self.keys).map_err(|refused| refused.at(Place::Defaults))?;
        let mut said = Vec::new();
        for (index, route) in self.routes.iter().enumerate() {
            said.push(lists.said(&route.keys).map_err(|refused| refused.at(Place::Route(index)))?);
        }
        let mut defaults = Said::default();
        defaults.inherit(&default_keys);
        Ok(Policy {
            origin: Origin::BuiltInRust,
            ids: self.ids,
            inspect: self.inspect,
            drain: self.drain,
            codes,
            rules,
            defaults: defaults.settled(None),
            default_keys,
            said: said.into(),
            matcher: compile_routes(&self.routes)?,
            header_lists: lists.headers.into_iter().map(|(_, guards)| guards).collect(),
            type_lists: lists.types.into_iter().map(|(_, types)| types).collect(),
        })
    }
}

/// Distinct lists, so that equal ones have one place: routes that ask for the same are told to be alike by it.
#[derive(Default)]
struct Lists {
    guards: HashMap<String, HeaderGuard>,
    headers: Vec<(Vec<String>, Box<[HeaderGuard]>)>,
    types: Vec<(Vec<String>, MediaTypes)>,
}

impl Lists {
    fn said(&mut self, keys: &Keys) -> Result<Said, Refused> {
        let Self { guards, headers, types } = self;
        Said::new(keys, |list| place_types(types, list), |names| place_headers(guards, headers, names))
    }
}

fn place_types(known: &mut Vec<(Vec<String>, MediaTypes)>, list: Vec<String>) -> Result<Option<Index>, Refused> {
    if list.is_empty() {
        return Ok(None);
    }
    if let Some(at) = known.iter().position(|(other, _)| *other == list) {
        return Ok(Index::new(at));
    }
    let types = MediaTypes::new(&list)?;
    known.push((list, types));
    Ok(Index::new(known.len() - 1))
}

fn place_headers(
    guards: &HashMap<String, HeaderGuard>,
    known: &mut Vec<(Vec<String>, Box<[HeaderGuard]>)>,
    names: &[String],
) -> Result<Option<Index>, Refused> {
    if names.is_empty() {
        return Ok(None);
    }
    if let Some(at) = known.iter().position(|(other, _)| other == names) {
        return Ok(Index::new(at));
    }
    let required = names.iter().map(|name| guards.get(name).cloned().ok_or_else(|| unknown_header(name)));
    let required = required.collect::<Result<_, _>>()?;
    known.push((names.to_vec(), required));
    Ok(Index::new(known.len() - 1))
}

fn unknown_header(name: &str) -> Refused {
    let right = format!("add a table [header.{name}], or in Rust .header({name:?}, RequiredHeader::new(..))");
    Refused::new("require_headers", format!("no header is called {name:?}"), right)
}

fn refuse_budgets(inspect: &Budget, drain: &Budget) -> Result<(), Problem> {
    const LARGEST: u64 = 1024 * 1024 * 1024;
    if inspect.max_bytes > LARGEST {
        let refused = Refused::new("max_bytes", "error bodies are held in memory", "set at most 1 GiB");
        return Err(refused.at(Place::Inspect));
    }
    for (budget, place) in [(inspect, Place::Inspect), (drain, Place::Drain)] {
        if budget.timeout.is_zero() || budget.timeout > Duration::from_secs(300) {
            let refused = Refused::new("timeout", "the time is none, or longer than any client waits", TIMEOUT_ADVICE);
            return Err(refused.at(place));
        }
    }
    Ok(())
}

const TIMEOUT_ADVICE: &str = "set more than 0 and at most 5 minutes";

fn compile_headers(headers: Vec<(String, RequiredHeader)>) -> Result<HashMap<String, HeaderGuard>, Problem> {
    let mut guards = HashMap::new();
    for (name, header) in headers {
        let guard = header.compile().map_err(|refused| refused.at(Place::Header(name.clone())))?;
        if guards.insert(name.clone(), guard).is_some() {
            return Err(Refused::new("", "the name is given twice", "rename one of them").at(Place::Header(name)));
        }
    }
    Ok(guards)
}

fn compile_codes(codes: Vec<ErrorCode>) -> Result<CodeSet, Problem> {
    let mut names = HashSet::new();
    for (index, code) in codes.iter().enumerate() {
        refuse_code(code).map_err(|refused| refused.at(Place::Code(index)))?;
        if !names.insert(code.as_str()) {
            let first = codes.iter().position(|other| other == code).unwrap_or_default();
            let refused = Refused::new("code", format!("{:?} is defined twice", code.as_str()), "define it once");
            return Err(refused.beside(Place::Code(index), Place::Code(first)));
        }
    }
    Ok(CodeSet::new(codes))
}

fn refuse_code(code: &ErrorCode) -> Result<(), Refused> {
    let name = code.as_str();
    if ErrorCode::in_catalogue(name).is_some() {
        return Err(Refused::new("code", format!("{name:?} is a code of the catalogue"), "use it without defining it"));
    }
    if code.is_foreign() {
        return Err(Refused::new("code", format!("{name:?} has no status"), "make it with ErrorCode::own"));
    }
    if !(1..=16).contains(&code.grpc()) {
        return Err(Refused::new("grpc", format!("{} is no gRPC error", code.grpc()), "write a number of 1-16"));
    }
    Refused::unless_message("message", code.message())
}

fn compile_rules(rules: Vec<MapRule>) -> Result<Box<[Rule]>, Problem> {
    let compiled = rules.into_iter().enumerate();
    compiled.map(|(index, rule)| rule.compile().map_err(|refused| refused.at(Place::Map(index)))).collect()
}

fn compile_routes(routes: &[Route]) -> Result<Matcher, Problem> {
    let mut patterns = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let pattern = Pattern::parse("match", &route.pattern).map_err(|refused| refused.at(Place::Route(index)))?;
        patterns.push(pattern);
    }
    Matcher::new(patterns).map_err(|Clash { first, second }| {
        let written = |index: usize| routes.get(index).map(|route| route.pattern.as_str()).unwrap_or_default();
        let wrong = format!("{:?} and {:?} are two routes for one path", written(second), written(first));
        let right = "keep one of them, or give them different methods";
        Refused::new("match", wrong, right).beside(Place::Route(second), Place::Route(first))
    })
}
