//! The operations in an existing document of OpenAPI 3.0 or 3.1.
//!
//! References within the document are followed, and all other references are ignored. References may form a circle
//! without harm.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value};

/// The longest chain of references that is followed.
const DEEPEST: usize = 16;

/// The key of an operation whose input a validator checks. It is written and removed while a document is made.
pub const VALIDATED: &str = "x-error-envelope-validated";

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// A document, as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Document<'d>(pub &'d Value);

/// An operation of a document: one method for one path.
#[derive(Clone, Debug)]
pub struct Operation<'d> {
    /// The method, in capitals.
    pub method: Method,
    /// The path, including the path of the server if all servers share it.
    pub path: String,
    /// The path, spelled as in the document.
    pub key: &'d str,
    document: Document<'d>,
    path_item: &'d Value,
    /// The operation as JSON.
    pub item: &'d Value,
}

/// The parts of a request that an operation reads.
#[derive(Clone, Debug, Default)]
pub struct OperationInput {
    /// True if the path or the query of the operation has parameters.
    pub has_parameters: bool,
    /// True if a validator checks what the operation reads ([`VALIDATED`]).
    pub is_validated: bool,
    /// The media types of the request's body, in lower case and without parameters. The list is empty if the operation
    /// reads no body.
    pub media_types: Vec<String>,
}

impl<'d> Document<'d> {
    /// Returns all operations, in the order of their paths.
    #[must_use]
    pub fn operations(self) -> Vec<Operation<'d>> {
        let base = base_path(self.0.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default());
        let Some(paths) = self.0.get("paths").and_then(Value::as_object) else { return Vec::new() };
        let operations = paths.iter().flat_map(|(key, path_item)| {
            let (path, path_item) = (format!("{base}{key}"), self.followed(path_item));
            METHODS.iter().filter_map(move |method| {
                let item = path_item.get(method).filter(|it| it.is_object())?;
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
                Some(Operation { method, path: path.clone(), key, document: self, path_item, item })
            })
        });
        operations.collect()
    }

    /// Returns the target of a reference within the document, or the value itself if it is not a reference.
    #[must_use]
    pub fn followed(self, value: &'d Value) -> &'d Value {
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

/// Returns the path in the URL of a server, without its final slash. The path of a server comes before each path of the
/// document.
fn base_path(url: &str) -> String {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None => url,
    };
    // A variable in the URL may have any value, so the path is unknown.
    if path.contains('{') {
        return String::new();
    }
    let path = path.trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Decodes `{` and `}`, which may be percent-encoded in a URI fragment.
fn unescaped(pointer: &str) -> String {
    pointer.replace("%7B", "{").replace("%7D", "}").replace("%7b", "{").replace("%7d", "}")
}

impl<'d> Operation<'d> {
    /// Returns a line such as `GET /orders/{id}`, with the path spelled as in the document.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.key)
    }

    /// Returns the media types of the operation's request body, spelled as in the document.
    #[must_use]
    pub fn content(&self) -> Option<&'d Map<String, Value>> {
        let body = self.document.followed(self.item.get("requestBody")?);
        body.get("content")?.as_object()
    }

    /// Returns the operation's responses by status. A status may also be `default` or `4XX`.
    #[must_use]
    pub fn responses(&self) -> BTreeMap<String, &'d Value> {
        let responses = self.item.get("responses").and_then(Value::as_object);
        let each = responses.into_iter().flatten();
        each.map(|(status, response)| (status.clone(), self.document.followed(response))).collect()
    }

    /// Returns the operation's parameters: first the parameters of the path, then its own. If two parameters have the
    /// same name and place, only the operation's own parameter is returned.
    #[must_use]
    pub fn parameters(&self) -> Vec<&'d Value> {
        let lists = [self.path_item, self.item].into_iter().filter_map(|of| of.get("parameters")?.as_array());
        let all = lists.flatten().map(|parameter| self.document.followed(parameter));
        let by_name = all.map(|parameter| ((parameter["in"].as_str(), parameter["name"].as_str()), parameter));
        by_name.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Returns the parts of a request that the operation reads.
    #[must_use]
    pub fn input(&self) -> OperationInput {
        let kind = |written: &String| written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_read = |parameter: &&Value| matches!(parameter["in"].as_str(), Some("path" | "query"));
        OperationInput {
            // aide documents no parameter for `Path<u32>`.
            has_parameters: self.key.contains('{') || self.parameters().iter().any(is_read),
            is_validated: self.item.get(VALIDATED).is_some(),
            media_types: self.content().into_iter().flat_map(Map::keys).map(kind).filter(|it| !it.is_empty()).collect(),
        }
    }
}
