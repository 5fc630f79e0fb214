//! Reads the tables of one file.

use super::env::NamedFiles;
use super::gather::Parent;
use super::read::Table;
use super::value::{Codes, Value};
use crate::classify::rule::MapRule;
use crate::code::{ErrorCode, Retry};
use crate::guard::header::RequiredHeader;
use crate::guard::mistake::Kind;
use crate::outward::OutwardRule;
use crate::policy::error::{PolicyError, TablePath};
use crate::policy::keys::TableSettings;
use crate::policy::suggestion::advice_for_unknown;
use crate::policy::{Budget, PolicyBuilder, Route, Scope, Trust, cors, scope};

/// Refuses tables that no policy has.
pub(super) fn check_root(root: &Table<'_>) {
    root.refuse_all_except(&[
        "version",
        "include",
        "base",
        "locked",
        "request_id",
        "rpc",
        "defaults",
        "inspect",
        "drain",
        "observe",
        "advice",
        "cors",
        "proxy",
        "header",
        "auth",
        "route",
        "code",
        "map",
        "outward",
        "shape",
        "scope",
    ]);
}

/// Reads the version. This is done first, because the keys of another version cannot be judged. Returns whether the
/// version is supported.
pub(super) fn read_version(root: &Table<'_>) -> bool {
    let is_known = root.read_required("version", |version| match version.integer()? {
        1 => Ok(()),
        other => {
            Err(version.error(format!("version {other} is not supported"), "write version = 1").of_kind(Kind::Version))
        }
    });
    // If it is not a number, no other version was meant.
    is_known.is_some() || !root.get("version").is_some_and(|version| version.value.is_integer())
}

/// A key of `[defaults]` that a file locks.
#[derive(Debug)]
pub(in crate::loader) struct Lock {
    pub(in crate::loader) key: &'static str,
    pub(in crate::loader) file: usize,
    /// Where it is locked, as `FILE:LINE`.
    pub(in crate::loader) location: String,
}

/// Reads which settings a file locks.
pub(super) fn read_locked(root: &Table<'_>, file: usize) -> Vec<Lock> {
    if root.get("locked").is_some() && root.get("scope").is_some() {
        let right = "list the settings in the file that includes this one, or in its base";
        root.refuse_key("locked", "a file with a [scope] cannot lock settings", right);
        return Vec::new();
    }
    let names = root.read("locked", Value::elements).unwrap_or_default();
    let lock = |name: &Value<'_>| {
        let text = name.text()?;
        let known = TableSettings::NAMES.iter().find(|key| **key == text);
        let key = *known.ok_or_else(|| {
            name.error(
                format!("{text:?} is not a setting that can be locked"),
                advice_for_unknown(text, TableSettings::NAMES.iter().copied()),
            )
            .of_kind(Kind::UnknownWord)
        })?;
        Ok(Lock { key, file, location: name.location() })
    };
    names.iter().filter_map(|name| root.keep(lock(name))).collect()
}

/// Refuses an included file without a scope, because its settings would apply to the requests of others. Refuses a
/// scope in a base, or together with one.
pub(super) fn check_scope(root: &Table<'_>, parent: Option<&Parent>) {
    let has_scope = root.get("scope").is_some();
    match parent {
        Some(Parent { is_base: false, location, .. }) if !has_scope => {
            let right = format!("add [scope], or name the file in `base` instead of `include` ({location})");
            root.refuse_key("scope", "an included file needs a [scope]", right);
        }
        Some(Parent { is_base: true, location, .. }) if has_scope => {
            let right = format!("remove [scope], or name the file in `include` instead of `base` ({location})");
            root.refuse_key("scope", "a base cannot have a [scope]", right);
        }
        _ if has_scope && root.get("base").is_some() => {
            root.refuse_key(
                "base",
                "a file with a [scope] cannot have a base",
                "name the base in the file that includes this one",
            );
        }
        _ => {}
    }
}

pub(super) fn read_scope(table: &Table<'_>) -> Scope {
    table.refuse_all_except(&["hosts", "prefix", "upstream", "upstream_timeout", "stall_timeout"]);
    let mut scope = Scope::new();
    let host = |host: &Value<'_>| host.checked(scope::check_host);
    scope.hosts = table.read("hosts", |hosts| hosts.each(host)).unwrap_or_default();
    scope.prefix = table.read("prefix", Value::owned);
    scope.upstream = table.read("upstream", Value::owned);
    scope.timeouts.head = table.read("upstream_timeout", Value::duration);
    scope.timeouts.stall = table.read("stall_timeout", Value::duration);
    scope
}

/// The tables that apply to the whole process, in whichever file of the policy itself they are.
pub(super) const PROCESS_WIDE: [(&str, TablePath); 8] = [
    ("request_id", TablePath::RequestId),
    ("rpc", TablePath::Rpc),
    ("inspect", TablePath::Inspect),
    ("observe", TablePath::Observe),
    ("drain", TablePath::Drain),
    ("advice", TablePath::Advice),
    ("cors", TablePath::Cors),
    ("proxy", TablePath::Proxy),
];

/// A table of a file that may be a base: a key counts only if no file of higher precedence sets it.
pub(super) struct BaseTable<'t, 'a> {
    pub(super) table: &'t Table<'a>,
    pub(super) overridden: &'t [String],
}

impl<'a> BaseTable<'_, 'a> {
    fn set_unless_overridden<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, PolicyError>,
        place: &mut T,
    ) {
        if let Some(value) = self.table.read(key, read).filter(|_| !self.overridden.iter().any(|it| it == key)) {
            *place = value;
        }
    }
}

/// Reads one of the tables in [`PROCESS_WIDE`].
pub(super) fn read_process_wide(place: &TablePath, table: &BaseTable<'_, '_>, builder: &mut PolicyBuilder) {
    match place {
        TablePath::RequestId => {
            table.table.refuse_all_except(&["trust", "traceparent", "upstream"]);
            table.set_unless_overridden(
                "trust",
                |trust| Ok(trust.word::<Trust>()? == Trust::Valid),
                &mut builder.ids.trust_valid,
            );
            table.set_unless_overridden("traceparent", Value::boolean, &mut builder.ids.traceparent);
            table.set_unless_overridden("upstream", Value::boolean, &mut builder.ids.upstream);
        }
        TablePath::Rpc => {
            table.table.refuse_all_except(&["domain"]);
            table.set_unless_overridden("domain", |domain| Ok(Some(domain.owned()?.into())), &mut builder.rpc_domain);
        }
        TablePath::Observe => {
            table.table.refuse_all_except(&["bodies"]);
            table.set_unless_overridden("bodies", Value::boolean, &mut builder.observes_bodies);
        }
        TablePath::Advice => {
            table.table.refuse_all_except(&["retry", "docs"]);
            table.set_unless_overridden("retry", Value::boolean, &mut builder.advice.retry);
            table.set_unless_overridden("docs", |docs| Ok(Some(docs.owned()?.into())), &mut builder.advice.docs);
        }
        TablePath::Cors => {
            table.table.refuse_all_except(&["origins", "credentials"]);
            let cors = builder.cors.get_or_insert_default();
            table.set_unless_overridden("origins", read_origins, &mut cors.origins);
            table.set_unless_overridden("credentials", Value::boolean, &mut cors.credentials);
        }
        TablePath::Proxy => {
            table.table.refuse_all_except(&["name"]);
            let name = table.table.read_required("name", Value::owned);
            builder.proxy_name = builder.proxy_name.take().or(name);
        }
        TablePath::Inspect => read_budget(&mut builder.inspect.0, table),
        _ => read_budget(&mut builder.drain.0, table),
    }
}

/// Reads origins. A wrong one is replaced by another, so that the other keys of the table are checked as well.
fn read_origins(origins: &Value<'_>) -> Result<Vec<String>, PolicyError> {
    const UNKNOWN_ORIGIN: &str = "https://unknown.invalid";

    let mut right = origins.each(|origin| origin.checked(cors::check_origin))?;
    if right.len() < origins.elements()?.len() {
        right.push(UNKNOWN_ORIGIN.to_owned());
    }
    Ok(right)
}

fn read_budget(budget: &mut Budget, table: &BaseTable<'_, '_>) {
    table.table.refuse_all_except(&["max_bytes", "timeout"]);
    table.set_unless_overridden("max_bytes", Value::size, &mut budget.max_bytes);
    table.set_unless_overridden("timeout", Value::duration, &mut budget.timeout);
}

pub(super) fn read_route(table: &Table<'_>, files: &mut NamedFiles<'_>) -> Route {
    let pattern = table.read_required("match", Value::text);
    Route { keys: read_keys(table, &["match"], files), ..Route::new(pattern.unwrap_or_default()) }
}

/// Reads the keys that both `[defaults]` and a route may have.
pub(super) fn read_keys(table: &Table<'_>, more: &[&'static str], files: &mut NamedFiles<'_>) -> TableSettings {
    table.refuse_all_except(&[TableSettings::NAMES, more].concat());
    TableSettings::read(table, files)
}

/// Takes the place of an invalid name, so that the other mistakes in the table are found as well.
pub(super) const UNKNOWN_HEADER: &str = "x-unknown";
const UNKNOWN_CODE: ErrorCode = ErrorCode::custom("stands_for_a_code_whose_name_is_wrong", 500);

pub(super) fn read_header(table: &Table<'_>) -> RequiredHeader {
    table.refuse_all_except(&["name", "pattern", "missing", "invalid"]);
    let header = RequiredHeader::new(table.read_required("name", Value::text).unwrap_or(UNKNOWN_HEADER));
    let header = table.set(header, "pattern", Value::text, RequiredHeader::pattern);
    let header = table.set(header, "missing", Value::owned, RequiredHeader::missing);
    table.set(header, "invalid", Value::owned, RequiredHeader::invalid)
}

pub(super) fn read_code(table: &Table<'_>) -> ErrorCode {
    table.refuse_all_except(&["code", "status", "grpc", "jsonrpc", "retry", "message", "docs", "details"]);
    let name = table.required("code");
    let status = table.read_required("status", Value::error_status);
    let own = |name: &Value<'_>| {
        let text = name.text()?;
        // If the status is wrong, any other one is enough to find a mistake in the name.
        ErrorCode::try_own(text, status.unwrap_or(500))
            .map_err(|wrong| name.error(format!("{text:?} cannot be defined"), wrong))
    };
    let code = name.and_then(|name| table.keep(own(&name))).unwrap_or(UNKNOWN_CODE);
    let code = table.set(code, "grpc", |grpc| grpc.within("a gRPC error status", 1, 16), ErrorCode::with_grpc);
    let number = |number: &Value<'_>| number.within("a JSON-RPC error number", i32::MIN.into(), i32::MAX.into());
    let code = table.set(code, "jsonrpc", number, ErrorCode::with_jsonrpc);
    let code = table.set(code, "docs", Value::owned, ErrorCode::with_docs);
    let code = table.set(code, "retry", Value::word::<Retry>, ErrorCode::with_retry);
    table.set(code, "message", Value::owned, ErrorCode::with_message)
}

pub(super) fn read_rule(table: &Table<'_>, codes: &Codes) -> MapRule {
    table.refuse_all_except(&[
        "status",
        "code",
        "message",
        "content_type",
        "route",
        "message_pattern",
        "to",
        "to_status",
        "say",
    ]);
    let to = table.read_required("to", |to| to.known_code(codes));
    let rule = MapRule::to(to.unwrap_or(ErrorCode::OTHER));
    let rule = table.set(rule, "status", Value::error_status, MapRule::status);
    let rule = table.set(rule, "code", Value::owned, MapRule::code);
    let rule = table.set(rule, "message", Value::owned, MapRule::message);
    let rule = table.set(rule, "message_pattern", Value::owned, MapRule::message_pattern);
    let rule = table.set(rule, "content_type", Value::owned, MapRule::content_type);
    let rule = table.set(rule, "route", Value::owned, MapRule::route);
    let rule = table.set(rule, "to_status", Value::error_status, MapRule::to_status);
    table.set(rule, "say", Value::owned, MapRule::say)
}

pub(super) fn read_outward(table: &Table<'_>, codes: &Codes) -> OutwardRule {
    table.refuse_all_except(&["codes", "name", "message", "status"]);
    let elements = table.read_required("codes", Value::elements).unwrap_or_default();
    let rule = OutwardRule::new(elements.iter().filter_map(|code| table.keep(code.known_code(codes))));
    let rule = table.set(rule, "name", Value::owned, OutwardRule::name);
    let rule = table.set(rule, "message", Value::owned, OutwardRule::message);
    table.set(rule, "status", Value::error_status, OutwardRule::status)
}
