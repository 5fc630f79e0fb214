//! A `[[route]]` for each operation.

use crate::drafting::quoted;
use error_envelope_core::openapi::Operation;

use super::openapi;
use crate::openapi::DocumentFile;
use crate::text::one_line;

/// The default limit of a request body, in bytes (G4).
const DEFAULT_LIMIT: u64 = 1024 * 1024;

/// A route, with its comments.
pub(super) struct Block {
    hints: Vec<String>,
    lines: Vec<String>,
    /// Why it is commented out.
    refused: Option<String>,
}

/// The blocks of a document's operations, in its order.
pub(super) fn blocks(document: &DocumentFile) -> Vec<Block> {
    document.operations().iter().map(Block::new).collect()
}

fn hints(operation: &Operation<'_>) -> Vec<String> {
    let schemes = Some(openapi::schemes(operation).join(" or ")).filter(|schemes| !schemes.is_empty());
    let schemes = schemes.map(|schemes| format!("requires credentials: {schemes}"));
    openapi::errors(operation).chain(schemes).collect()
}

fn body_types(types: &[String]) -> Option<String> {
    match types {
        [] => None,
        [only] if only == "application/json" => Some("json = true".to_owned()),
        _ => {
            let list = types.iter().map(|kind| quoted(kind)).collect::<Vec<_>>().join(", ");
            Some(format!("content_types = [{list}]"))
        }
    }
}

impl Block {
    fn new(operation: &Operation<'_>) -> Self {
        let mut lines = vec![format!("match = {}", quoted(&format!("{} {}", operation.method, operation.path)))];
        lines.extend(body_types(&openapi::media_types(operation)));
        if let Some(limit) = openapi::most_bytes(operation).filter(|limit| *limit != DEFAULT_LIMIT) {
            lines.push(format!("body_limit = {limit}   # by maxLength"));
        }
        Self { hints: hints(operation), lines, refused: None }
    }

    /// The route's method and its path without the names of parameters. Two routes that match the same requests have
    /// the same shape.
    pub(super) fn shape(&self) -> String {
        let name = |part: &str| part.split_once('}').map_or_else(|| part.to_owned(), |(_, rest)| format!("}}{rest}"));
        let pattern = self.lines.first().map_or("", String::as_str);
        let mut parts = pattern.split('{');
        let literal = parts.next().unwrap_or_default().to_owned();
        parts.fold(literal, |shape, part| shape + "{" + &name(part))
    }

    /// Whether the route is not commented out.
    pub(super) fn is_active(&self) -> bool {
        self.refused.is_none()
    }

    pub(super) fn refuse(&mut self, why: String) {
        self.refused = Some(one_line(&why));
    }

    pub(super) fn to_text(&self) -> String {
        let mut out = String::new();
        if let Some(why) = &self.refused {
            out += &format!("# Left out: {why}\n");
        }
        let mark = if self.is_active() { "" } else { "# " };
        let table = std::iter::once("[[route]]").chain(self.lines.iter().map(String::as_str));
        table.for_each(|line| out += &format!("{mark}{line}\n"));
        self.hints.iter().for_each(|hint| out += &format!("# {hint}\n"));
        out
    }
}
