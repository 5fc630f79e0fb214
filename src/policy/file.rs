//! The policy file: TOML that says what the builders say, refused whole where anything in it is wrong (rule M2).
//!
//! Each table names its keys once, where it reads them; an unknown key is refused with the nearest known one. What later
//! versions will know (other modes and dialects, credentials, scopes) is refused, too, never skipped: a key that closes
//! a door must not leave it open. Values that state the default are harmless and pass.
//!
//! Reading checks types and words; all else is refused by the builder, and the refusal is led back to its line here.

mod read;
mod value;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use self::read::{Document, Table};
use super::error::{Place, PolicyError, Problem};
use super::in_force::Origin;
use super::route::Route;
use super::settings::Keys;
use super::{Policy, PolicyBuilder};
use crate::classify::rule::MapRule;
use crate::code::{CodeSet, ErrorCode, Retry};
use crate::guard::header::RequiredHeader;

/// A policy is written by people: a file beyond this is another file.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

impl Policy {
    /// Reads a policy from the text of a file; `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and key.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, PolicyError> {
        let document = Document::parse(name, text)?;
        let builder = read_policy(&document.root())?;
        let policy = builder.compile().map_err(|problem| led_back(&document, problem))?;
        Ok(Self { origin: Origin::File(name.into()), ..policy })
    }

    /// Reads a policy file.
    ///
    /// # Errors
    ///
    /// What [`Policy::from_toml`] refuses, and a file that cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let name = path.as_ref().display().to_string();
        let refused = |wrong: String, right: &str| PolicyError::new(None, wrong, right).in_file(&name, None);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| refused(format!("cannot be read: {error}"), "name a readable file").caused_by(error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(refused("is larger than 4 MiB".to_owned(), "name a policy file"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = read::line_of(error.as_bytes(), error.utf8_error().valid_up_to());
            refused("is not UTF-8".to_owned(), "save it as UTF-8").in_file(&name, Some(line))
        })?;
        Self::from_toml(&name, &text)
    }
}

/// The builder's refusal, with the line and the key of the file.
fn led_back(document: &Document<'_>, Problem { place, refused, beside }: Problem) -> PolicyError {
    let (line, table) = document.locate(&place, refused.key);
    let key = if refused.key.is_empty() { table } else { format!("{table}.{}", refused.key) };
    let wrong = match beside {
        Some(other) => format!("{} (line {})", refused.wrong, document.locate(&other, refused.key).0),
        None => refused.wrong,
    };
    document.refused(line, key, wrong, refused.right)
}

fn read_policy(root: &Table<'_>) -> Result<PolicyBuilder, PolicyError> {
    read_version(root)?;
    for (key, what) in [("auth", "[auth.*]"), ("outward", "[[outward]]"), ("scope", "[scope]")] {
        root.get(key).map_or(Ok(()), |value| Err(value.unsupported(&format!("a table {what}"))))?;
    }
    if let Some(include) = root.get("include") {
        include.must_be_empty("including other files")?;
    }
    let mut builder = Policy::builder();
    if let Some(table) = root.table("request_id")? {
        builder = read_request_id(builder, &table)?;
    }
    if let Some(table) = root.table("defaults")? {
        builder.keys = read_keys(&table, &[])?;
    }
    read_budgets(&mut builder, root)?;
    builder = read_headers(builder, root)?;
    for table in root.tables("code")? {
        builder = builder.code(read_code(&table)?);
    }
    builder = read_rules(builder, root)?;
    for table in root.tables("route")? {
        let pattern = table.required("match")?.text()?;
        builder = builder.route(Route { keys: read_keys(&table, &["match"])?, ..Route::new(pattern) });
    }
    root.only(&[
        "version",
        "include",
        "request_id",
        "defaults",
        "inspect",
        "drain",
        "header",
        "auth",
        "route",
        "code",
        "map",
        "outward",
        "scope",
    ])?;
    Ok(builder)
}

/// Asked first: another version's keys cannot be judged.
fn read_version(root: &Table<'_>) -> Result<(), PolicyError> {
    let version = root.required("version")?;
    match version.integer()? {
        1 => Ok(()),
        other => Err(version.refused(format!("version {other} is not known"), "write version = 1")),
    }
}

fn read_request_id(mut builder: PolicyBuilder, table: &Table<'_>) -> Result<PolicyBuilder, PolicyError> {
    table.only(&["trust", "traceparent"])?;
    if let Some(trust) = table.get("trust") {
        builder = builder.trust(trust.word()?);
    }
    if let Some(traceparent) = table.get("traceparent") {
        builder = builder.traceparent(traceparent.boolean()?);
    }
    Ok(builder)
}

/// The keys that `[defaults]` and a route share.
fn read_keys(table: &Table<'_>, more: &[&'static str]) -> Result<Keys, PolicyError> {
    const SHARED: &[&str] = &[
        "mode",
        "dialect",
        "negotiate",
        "unknown_codes",
        "body_limit",
        "json",
        "content_types",
        "auth",
        "auth_observe",
        "require_headers",
        "no_transform",
        "protocols",
        "preflight",
        "expose_headers",
    ];
    table.only(&[SHARED, more].concat())?;
    read_later_keys(table)?;
    Ok(Keys {
        mode: table.get("mode").map(|value| value.mode()).transpose()?,
        body_limit: table.get("body_limit").map(|value| value.limit()).transpose()?,
        json: table.get("json").map(|value| value.boolean()).transpose()?,
        content_types: table.get("content_types").map(|value| value.texts()).transpose()?,
        require_headers: table.get("require_headers").map(|value| value.texts()).transpose()?,
        unknown_codes: table.get("unknown_codes").map(|value| value.word()).transpose()?,
        no_transform: table.get("no_transform").map(|value| value.word()).transpose()?,
        protocols: table.get("protocols").map(|value| value.word()).transpose()?,
        preflight: table.get("preflight").map(|value| value.word()).transpose()?,
        expose_headers: table.get("expose_headers").map(|value| value.boolean()).transpose()?,
        negotiate: table.get("negotiate").map(|value| value.boolean()).transpose()?,
    })
}

/// Keys whose other values this version cannot honour.
fn read_later_keys(table: &Table<'_>) -> Result<(), PolicyError> {
    if let Some(dialect) = table.get("dialect") {
        dialect.dialect()?;
    }
    if let Some(auth) = table.get("auth") {
        auth.must_be_empty("checking credentials")?;
    }
    match table.get("auth_observe") {
        Some(observe) if observe.boolean()? => Err(observe.unsupported("auth_observe = true")),
        _ => Ok(()),
    }
}

fn read_budgets(builder: &mut PolicyBuilder, root: &Table<'_>) -> Result<(), PolicyError> {
    for (key, budget) in [("inspect", &mut builder.inspect.0), ("drain", &mut builder.drain.0)] {
        let Some(table) = root.table(key)? else { continue };
        table.only(&["max_bytes", "timeout"])?;
        if let Some(max_bytes) = table.get("max_bytes") {
            budget.max_bytes = max_bytes.size()?;
        }
        if let Some(timeout) = table.get("timeout") {
            budget.timeout = timeout.duration()?;
        }
    }
    Ok(())
}

fn read_headers(mut builder: PolicyBuilder, root: &Table<'_>) -> Result<PolicyBuilder, PolicyError> {
    let Some(headers) = root.table("header")? else { return Ok(builder) };
    for (name, table) in headers.children()? {
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
        builder = builder.header(name, header);
    }
    Ok(builder)
}

fn read_code(table: &Table<'_>) -> Result<ErrorCode, PolicyError> {
    table.only(&["code", "status", "grpc", "retry", "message"])?;
    let name = table.required("code")?;
    let status = table.required("status")?;
    let number = status.error_status()?;
    let mut code = ErrorCode::try_own(name.text()?, number)
        .map_err(|wrong| name.refused(format!("{:?} cannot be defined", name.text().unwrap_or_default()), wrong))?;
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

fn read_rules(mut builder: PolicyBuilder, root: &Table<'_>) -> Result<PolicyBuilder, PolicyError> {
    let known = CodeSet::new(builder.codes.clone());
    for table in root.tables("map")? {
        table.only(&["status", "code", "message", "content_type", "route", "message_pattern", "to", "say"])?;
        let mut rule = MapRule::to(table.required("to")?.known_code(&known, &builder.codes)?);
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
        builder = builder.map(rule);
    }
    Ok(builder)
}

impl Place {
    /// The name of the table in the file, and which one of several.
    fn steps(&self) -> (&'static str, Option<Step<'_>>) {
        match self {
            Self::Defaults => ("defaults", None),
            Self::Inspect => ("inspect", None),
            Self::Drain => ("drain", None),
            Self::Header(name) => ("header", Some(Step::Name(name))),
            Self::Code(index) => ("code", Some(Step::Index(*index))),
            Self::Map(index) => ("map", Some(Step::Index(*index))),
            Self::Route(index) => ("route", Some(Step::Index(*index))),
        }
    }
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

#[cfg(test)]
mod tests;
