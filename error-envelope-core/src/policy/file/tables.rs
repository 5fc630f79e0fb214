//! The tables of one file.

use super::read::Table;
use super::value::Value;
use crate::classify::rule::MapRule;
use crate::code::{CodeSet, ErrorCode, Retry};
use crate::guard::header::RequiredHeader;
use crate::outward::OutwardRule;
use crate::policy::error::PolicyError;
use crate::policy::keys::TableSettings;
use crate::policy::{Budget, PolicyBuilder, Route, Scope};

/// Refuses tables that there are not.
pub(super) fn check_root(root: &Table<'_>) -> Result<(), PolicyError> {
    root.only(&[
        "version",
        "include",
        "request_id",
        "rpc",
        "defaults",
        "inspect",
        "drain",
        "observe",
        "header",
        "auth",
        "route",
        "code",
        "map",
        "outward",
        "scope",
    ])
}

/// Asked first: another version's keys cannot be judged.
pub(super) fn read_version(root: &Table<'_>) -> Result<(), PolicyError> {
    let version = root.required("version")?;
    match version.integer()? {
        1 => Ok(()),
        other => Err(version.error(format!("version {other} is not known"), "write version = 1")),
    }
}

pub(super) fn read_scope(table: &Table<'_>) -> Result<Scope, PolicyError> {
    table.only(&["hosts", "prefix"])?;
    let mut scope = Scope::new();
    for host in table.get("hosts").map_or(Ok(Vec::new()), |value| value.texts())? {
        scope = scope.host(host);
    }
    if let Some(prefix) = table.get("prefix") {
        scope = scope.prefix(prefix.text()?);
    }
    Ok(scope)
}

/// Which file said what holds for the process.
#[derive(Default)]
pub(super) struct Budgets(Vec<(&'static str, usize)>);

impl Budgets {
    /// Reads `[request_id]`, `[rpc]`, `[inspect]`, `[observe]` or `[drain]`, or names the file that said it before.
    pub(super) fn read(
        &mut self,
        key: &'static str,
        table: &Table<'_>,
        file: usize,
        builder: &mut PolicyBuilder,
    ) -> Result<Option<usize>, PolicyError> {
        if let Some((_, other)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(Some(*other));
        }
        self.0.push((key, file));
        match key {
            "request_id" => read_request_id(builder, table)?,
            "rpc" => read_rpc(builder, table)?,
            "inspect" => read_budget(&mut builder.inspect.0, table)?,
            "observe" => read_observe(builder, table)?,
            _ => read_budget(&mut builder.drain.0, table)?,
        }
        Ok(None)
    }
}

fn read_request_id(builder: &mut PolicyBuilder, table: &Table<'_>) -> Result<(), PolicyError> {
    table.only(&["trust", "traceparent"])?;
    if let Some(trust) = table.get("trust") {
        builder.ids.trust_valid = trust.word::<crate::policy::Trust>()? == crate::policy::Trust::Valid;
    }
    if let Some(traceparent) = table.get("traceparent") {
        builder.ids.traceparent = traceparent.boolean()?;
    }
    Ok(())
}

fn read_rpc(builder: &mut PolicyBuilder, table: &Table<'_>) -> Result<(), PolicyError> {
    table.only(&["domain"])?;
    if let Some(domain) = table.get("domain") {
        builder.rpc_domain = Some(domain.text()?.to_owned().into());
    }
    Ok(())
}

fn read_observe(builder: &mut PolicyBuilder, table: &Table<'_>) -> Result<(), PolicyError> {
    table.only(&["bodies"])?;
    if let Some(bodies) = table.get("bodies") {
        builder.observes_bodies = bodies.boolean()?;
    }
    Ok(())
}

fn read_budget(budget: &mut Budget, table: &Table<'_>) -> Result<(), PolicyError> {
    table.only(&["max_bytes", "timeout"])?;
    if let Some(max_bytes) = table.get("max_bytes") {
        budget.max_bytes = max_bytes.size()?;
    }
    if let Some(timeout) = table.get("timeout") {
        budget.timeout = timeout.duration()?;
    }
    Ok(())
}

pub(super) fn read_route(table: &Table<'_>) -> Result<Route, PolicyError> {
    let pattern = table.required("match")?.text()?;
    Ok(Route { keys: read_keys(table, &["match"])?, ..Route::new(pattern) })
}

/// The keys that `[defaults]` and a route share.
pub(super) fn read_keys(table: &Table<'_>, more: &[&'static str]) -> Result<TableSettings, PolicyError> {
    table.only(&[TableSettings::NAMES, more].concat())?;
    TableSettings::read(|key| table.get(key))
}

pub(super) fn read_header(table: &Table<'_>) -> Result<RequiredHeader, PolicyError> {
    table.only(&["name", "pattern", "missing", "invalid"])?;
    let mut header = RequiredHeader::new(table.required("name")?.text()?);
    if let Some(pattern) = table.get("pattern") {
        header = header.pattern(pattern.text()?);
    }
    if let Some(missing) = table.get("missing") {
        header = header.missing(missing.text()?.to_owned());
    }
    if let Some(invalid) = table.get("invalid") {
        header = header.invalid(invalid.text()?.to_owned());
    }
    Ok(header)
}

pub(super) fn read_code(table: &Table<'_>) -> Result<ErrorCode, PolicyError> {
    table.only(&["code", "status", "grpc", "retry", "message", "details"])?;
    let name = table.required("code")?;
    let status = table.required("status")?;
    let number = status.error_status()?;
    let mut code = ErrorCode::try_own(name.text()?, number)
        .map_err(|wrong| name.error(format!("{:?} cannot be defined", name.text().unwrap_or_default()), wrong))?;
    if let Some(grpc) = table.get("grpc") {
        code = code.with_grpc(grpc.within("gRPC error", 1, 16)?);
    }
    if let Some(retry) = table.get("retry") {
        code = code.with_retry(retry.word::<Retry>()?);
    }
    if let Some(message) = table.get("message") {
        code = code.with_message(message.text()?.to_owned());
    }
    Ok(code)
}

type SetText = fn(MapRule, String) -> MapRule;

pub(super) fn read_rule(table: &Table<'_>, known: &CodeSet, own: &[ErrorCode]) -> Result<MapRule, PolicyError> {
    table.only(&["status", "code", "message", "content_type", "route", "message_pattern", "to", "say"])?;
    let mut rule = MapRule::to(table.required("to")?.known_code(known, own)?);
    if let Some(status) = table.get("status") {
        rule = rule.status(status.error_status()?);
    }
    let texts: [(&str, SetText); 6] = [
        ("code", MapRule::code),
        ("message", MapRule::message),
        ("message_pattern", MapRule::message_pattern),
        ("content_type", MapRule::content_type),
        ("route", MapRule::route),
        ("say", MapRule::say),
    ];
    for (key, set) in texts {
        if let Some(text) = table.get(key) {
            rule = set(rule, text.text()?.to_owned());
        }
    }
    Ok(rule)
}

pub(super) fn read_outward(table: &Table<'_>, known: &CodeSet, own: &[ErrorCode]) -> Result<OutwardRule, PolicyError> {
    table.only(&["codes", "name", "message", "status"])?;
    let codes = table.required("codes")?.elements()?;
    let codes = codes.iter().map(|code: &Value<'_>| code.known_code(known, own)).collect::<Result<Vec<_>, _>>()?;
    let mut rule = OutwardRule::new(codes);
    if let Some(name) = table.get("name") {
        rule = rule.name(name.text()?.to_owned());
    }
    if let Some(message) = table.get("message") {
        rule = rule.message(message.text()?.to_owned());
    }
    if let Some(status) = table.get("status") {
        rule = rule.status(status.error_status()?);
    }
    Ok(rule)
}
