//! Checks whether an operation declares a response: its status, and its code if the document lists the codes.

use std::collections::BTreeSet;

use error_envelope_core::openapi::{Document, Operation};
use http::StatusCode;
use serde_json::Value;

use super::super::finding::Finding;
use super::RULE;

/// The most schemas to search for codes, and the deepest nesting: references may form circles, or lead to more and more
/// references.
const MOST_SCHEMAS: usize = 10_000;
const DEEPEST: usize = 32;

/// The parts of a response that the operation does not declare.
pub(in super::super) fn undeclared(
    operation: &Operation<'_>,
    status: StatusCode,
    code: Option<&str>,
) -> Option<Finding> {
    let responses = operation.responses();
    let range = format!("{}XX", status.as_str().chars().next().unwrap_or_default());
    let of_range = || responses.iter().find_map(|(key, it)| key.eq_ignore_ascii_case(&range).then_some(it));
    let Some(response) = responses.get(status.as_str()).or_else(of_range).or_else(|| responses.get("default")) else {
        let declared: Vec<_> = responses.keys().map(String::as_str).collect();
        let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
        let status = status.as_u16();
        return Some(Finding::new(RULE, format!("the status {status} is not declared; declared: {declared}")));
    };
    let (code, codes) = (code?, codes(operation.document(), response)?);
    Finding::unless(codes.contains(code), RULE, || {
        let codes: Vec<_> = codes.iter().copied().collect();
        format!("the code {code:?} is not declared for {}; declared: {}", status.as_u16(), codes.join(", "))
    })
}

/// The codes of a response; `None` if its schemas leave them open.
fn codes<'d>(document: Document<'d>, response: &'d Value) -> Option<BTreeSet<&'d str>> {
    let mut search = Search { document, left: MOST_SCHEMAS, deeper: DEEPEST };
    let content = response.get("content")?.as_object()?;
    let mut codes = BTreeSet::new();
    for media in content.values() {
        codes.append(&mut search.values(media.get("schema")?, &["error", "code"])?);
    }
    Some(codes).filter(|codes| !codes.is_empty())
}

struct Search<'d> {
    document: Document<'d>,
    left: usize,
    deeper: usize,
}

impl<'d> Search<'d> {
    /// The allowed texts of a field; `None` if any text is allowed.
    fn values(&mut self, schema: &'d Value, path: &[&str]) -> Option<BTreeSet<&'d str>> {
        (self.left, self.deeper) = (self.left.checked_sub(1)?, self.deeper.checked_sub(1)?);
        let found = self.find_values(schema, path);
        self.deeper += 1;
        found
    }

    fn find_values(&mut self, schema: &'d Value, path: &[&str]) -> Option<BTreeSet<&'d str>> {
        let schema = self.document.followed(schema);
        let found = match path {
            [member, rest @ ..] => {
                schema.get("properties").and_then(|members| members.get(member)).and_then(|it| self.values(it, rest))
            }
            [] => texts(schema),
        };
        found.or_else(|| self.values_of_any(schema, path)).or_else(|| self.values_of_all(schema, path))
    }

    fn values_of_any(&mut self, schema: &'d Value, path: &[&str]) -> Option<BTreeSet<&'d str>> {
        let forms = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(key)?.as_array())?;
        let mut all = BTreeSet::new();
        for form in forms {
            all.append(&mut self.values(form, path)?);
        }
        Some(all)
    }

    fn values_of_all(&mut self, schema: &'d Value, path: &[&str]) -> Option<BTreeSet<&'d str>> {
        schema.get("allOf")?.as_array()?.iter().find_map(|form| self.values(form, path))
    }
}

fn texts(schema: &Value) -> Option<BTreeSet<&str>> {
    let listed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
    let values = listed.or_else(|| schema.get("const").map(std::slice::from_ref))?;
    values.iter().map(Value::as_str).collect()
}
