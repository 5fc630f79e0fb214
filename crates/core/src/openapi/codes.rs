//! The list of codes that every export writes.

use serde_json::Value;

use crate::code::{CodeSet, ErrorCode, codes};
use crate::dialect::custom::CustomShape;
use crate::policy::Policy;

/// The codes of the catalogue in its order, then the policy's own codes by name.
pub struct Codes {
    listed: Vec<Listed>,
    /// The schemas of the shapes in which the policy writes errors, with their names in generated code (R15).
    pub shapes: Vec<(String, Value)>,
}

/// A code and its group.
pub struct Listed {
    /// The code.
    pub code: ErrorCode,
    /// The group in the catalogue, or the group for the policy's own codes.
    pub group: &'static str,
    /// The address of the page about the code, if the code or the policy has one (E10).
    pub docs: Option<String>,
}

/// The group of codes that a policy adds.
const OWN: &str = "own";

impl Codes {
    /// Creates the list for a policy. The list contains the codes of the groups for every service, the codes of these
    /// groups of products, and the codes that the policy adds or names (E2).
    pub fn from_policy(policy: Option<&Policy>, groups: &[String]) -> Self {
        let catalogue = CodeSet::default();
        let codes = policy.map_or(&catalogue, Policy::codes);
        let shapes = policy.map_or(&[][..], Policy::own_shapes).iter();
        let written = |shape: &CustomShape| {
            let mut schema = shape.body_schema()?;
            schema["description"] =
                format!("The body of an error on routes whose dialect is {}.", shape.as_str()).into();
            Some((type_name(shape.as_str()), schema))
        };
        let is_listed = |code: &ErrorCode| {
            let group = code.group().unwrap_or(OWN);
            !codes::GROUPS.iter().any(|(name, _)| *name == group)
                || groups.iter().any(|name| name == group)
                || policy.is_some_and(|policy| policy.names_code(code))
        };
        let listed = |code: ErrorCode| {
            let docs = policy.and_then(|policy| policy.docs_of(&code));
            Listed { docs, ..Listed::from(code) }
        };
        Self {
            listed: codes.iter().filter(|code| is_listed(code)).cloned().map(listed).collect(),
            shapes: shapes.filter_map(written).collect(),
        }
    }

    /// Returns all codes.
    pub fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.listed.iter()
    }

    /// Returns the groups in order, each with its codes.
    pub fn groups(&self) -> impl Iterator<Item = &[Listed]> {
        self.listed.chunk_by(|a, b| a.group == b.group)
    }
}

/// Returns the name of a type, such as JsonApiErrorBody for `json-api`.
fn type_name(shape: &str) -> String {
    let words = shape.split(['-', '_']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect::<String>() + "ErrorBody"
}

impl From<ErrorCode> for Listed {
    fn from(code: ErrorCode) -> Self {
        Self { group: code.group().unwrap_or(OWN), docs: code.docs().map(str::to_owned), code }
    }
}

impl Listed {
    /// Returns the name that clients match on.
    pub fn name(&self) -> &str {
        self.code.as_str()
    }

    /// Returns the status that the layer uses for the code.
    pub fn status(&self) -> u16 {
        self.code.status().as_u16()
    }

    /// Returns the code's advice on trying again.
    pub fn retry(&self) -> &'static str {
        self.code.retry().as_str()
    }

    /// Returns the schema of the code's details, if it has one. The library has parsed this schema before.
    pub fn details(&self) -> Option<Value> {
        serde_json::from_str(self.code.details_schema()?).ok()
    }

    /// Returns the message as one line. In a policy the message may have several lines, which the layer also joins.
    pub fn message(&self) -> String {
        self.code
            .message()
            .split(|c: char| c.is_control())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Returns a summary for readers of a schema or a module.
    pub fn summary(&self) -> String {
        self.summary_with(self.status())
    }

    /// Returns the summary of a code that is sent with another status.
    pub fn summary_with(&self, status: u16) -> String {
        format!("{status}, retry: {}. {}", self.retry(), self.message())
    }
}
