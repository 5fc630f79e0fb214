//! An OpenAPI document, as far as a policy asks: operations, their bodies, the errors that they declare.
//!
//! References within the document are followed; others are left alone. Nothing in it can make the reading endless.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::failure::CommandError;
use crate::recorded::unreadable;
use crate::text::{cut, one_line};

/// References that lead to references, at most.
const DEEPEST: usize = 16;

/// No API of people's is described by more.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// A character is at most 4 bytes of UTF-8; in JSON two escapes of 6, and the text has quotes; in a form 4 of 3.
const OF_TEXT: u64 = 4;
const OF_JSON: u64 = 12;
const OF_FORM: u64 = 12;

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

pub(super) struct Document(Value);

/// One method of one path.
pub(super) struct Operation<'d> {
    pub(super) method: String,
    /// With the path of the server that all share.
    pub(super) path: String,
    document: &'d Document,
    item: &'d Value,
}

/// What an operation says of an error.
pub(super) struct Declared {
    pub(super) status: String,
    pub(super) text: String,
}

impl Document {
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let failure = |what: String| CommandError::Io(format!("{}{what}", path.display()));
        let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if size > MOST_BYTES {
            return Err(failure(format!(": the file has {size} bytes; at most 64 MiB are read")));
        }
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        let text =
            String::from_utf8(bytes).map_err(|_| failure(": the file is not UTF-8; save it as UTF-8".to_owned()))?;
        let value = parsed(text.trim_start_matches('\u{feff}')).map_err(failure)?;
        supported(&value).map_err(|why| failure(format!(": {why}")))?;
        Ok(Self(value))
    }

    pub(super) fn title(&self) -> Option<String> {
        let title = self.0.pointer("/info/title")?.as_str()?;
        Some(cut(&one_line(title), 80)).filter(|title| !title.is_empty())
    }

    /// In the order of the paths.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        let base = self.base();
        let Some(paths) = self.0.get("paths").and_then(Value::as_object) else { return Vec::new() };
        let operations = paths.iter().flat_map(|(path, item)| {
            let (path, item) = (format!("{base}{path}"), self.followed(item));
            METHODS.iter().filter_map(move |method| {
                let item = item.get(method).filter(|it| it.is_object())?;
                Some(Operation { method: method.to_uppercase(), path: path.clone(), document: self, item })
            })
        });
        operations.collect()
    }

    /// The path of the first server's URL, without its final slash.
    fn base(&self) -> String {
        let url = self.0.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => url,
        };
        // A variable may stand for anything.
        if path.contains('{') {
            return String::new();
        }
        let path = path.trim_end_matches('/');
        if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
    }

    /// What a reference within the document leads to.
    fn followed<'d>(&'d self, value: &'d Value) -> &'d Value {
        let mut at = value;
        for _ in 0..DEEPEST {
            let Some(reference) = at.get("$ref").and_then(Value::as_str) else { break };
            let Some(found) = reference.strip_prefix('#').and_then(|pointer| self.0.pointer(&unescaped(pointer)))
            else {
                break;
            };
            at = found;
        }
        at
    }
}

/// JSON or YAML; what is wrong begins with its place in the file, where that is known.
fn parsed(text: &str) -> Result<Value, String> {
    if !text.trim_start().starts_with('{') {
        return serde_saphyr::from_str(text).map_err(|error| format!(": not valid YAML: {error}"));
    }
    serde_json::from_str(text).map_err(|error| {
        let (line, column, what) = (error.line(), error.column(), without_place(&error));
        format!(":{line}:{column}: not valid JSON: {what}; correct it, or export it again")
    })
}

/// Whether the document is of a version that is read.
fn supported(document: &Value) -> Result<(), String> {
    match document.get("openapi").map(|version| version.as_str().unwrap_or_default()) {
        Some(version) if version.starts_with("3.0") || version.starts_with("3.1") => Ok(()),
        Some(version) => {
            let version = cut(&one_line(version), 20);
            Err(format!("openapi: version {version:?} is not supported; use 3.0 or 3.1"))
        }
        None if document.get("swagger").is_some() => {
            Err("swagger: version 2.0 is not supported; convert it to OpenAPI 3 first".to_owned())
        }
        None => Err("the key `openapi` is missing: write `openapi: 3.1.0`, or name another file".to_owned()),
    }
}

/// Whether a schema is one of texts, or of nothing.
fn is_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        _ => false,
    }
}

/// In a URI fragment `{` and `}` may be coded.
fn unescaped(pointer: &str) -> String {
    pointer.replace("%7B", "{").replace("%7D", "}").replace("%7b", "{").replace("%7d", "}")
}

/// serde's text ends with the place, which is told before it.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

impl<'d> Operation<'d> {
    /// The media types of its request body, in lower case and without parameters; those with a `*` are left out, and then
    /// it takes anything.
    pub(super) fn media_types(&self) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        for kind in self.content().into_iter().flat_map(Map::keys) {
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            if kind.contains('*') {
                return Vec::new();
            }
            if !kind.is_empty() && !types.contains(&kind) {
                types.push(kind);
            }
        }
        types
    }

    /// The most bytes that a body may have by the `maxLength` of its schemas; none where one of them does not say it.
    pub(super) fn most_bytes(&self) -> Option<u64> {
        let content = self.content().filter(|content| !content.is_empty())?;
        let each = content.iter().map(|(kind, media)| self.most_of(kind, media.get("schema")?));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn most_of(&self, kind: &str, schema: &Value) -> Option<u64> {
        let schema = self.document.followed(schema);
        // Anything else has a length of its own, whatever `maxLength` says.
        if !is_text(schema) {
            return None;
        }
        let length = schema.get("maxLength")?.as_u64()?;
        let is_binary = schema.get("format").is_some_and(|format| format == "binary")
            || schema.get("contentMediaType").is_some() && schema.get("contentEncoding").is_none();
        match kind {
            _ if kind.contains("json") => length.checked_mul(OF_JSON)?.checked_add(2),
            "application/x-www-form-urlencoded" => length.checked_mul(OF_FORM),
            _ if is_binary => Some(length),
            _ => length.checked_mul(OF_TEXT),
        }
    }

    fn content(&self) -> Option<&'d Map<String, Value>> {
        let body = self.document.followed(self.item.get("requestBody")?);
        body.get("content")?.as_object()
    }

    /// The errors that it declares, by status.
    pub(super) fn errors(&self) -> Vec<Declared> {
        let Some(responses) = self.item.get("responses").and_then(Value::as_object) else { return Vec::new() };
        let is_error = |status: &str| status.starts_with(['4', '5']) || status == "default";
        let errors = responses.iter().filter(|(status, _)| is_error(status));
        let declared = errors.map(|(status, response)| {
            let text = self.document.followed(response).get("description").and_then(Value::as_str).unwrap_or_default();
            Declared { status: cut(&one_line(status), 8), text: cut(&one_line(text), 80) }
        });
        declared.collect()
    }

    /// The security schemes that it asks for, any one of them; those of the document where it does not say.
    pub(super) fn schemes(&self) -> Vec<String> {
        let asked = self.item.get("security").or_else(|| self.document.0.get("security")).and_then(Value::as_array);
        let names = asked.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::keys);
        let mut all: Vec<String> = Vec::new();
        for name in names.map(|name| cut(&one_line(name), 40)) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }
}
