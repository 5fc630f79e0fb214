//! The list of codes that every format is written from.

use serde_json::Value;
use tower_error_envelope::policy::CustomShape;
use tower_error_envelope::{ErrorCode, Policy};

/// The codes of the catalogue in its order, then a policy's own by name.
pub(super) struct Codes {
    listed: Vec<Listed>,
    /// The shapes in which a policy writes errors, by their names in generated code, with their schemas (R15).
    shapes: Vec<(String, Value)>,
}

/// A code and where it belongs.
pub(super) struct Listed {
    pub(super) code: ErrorCode,
    pub(super) group: &'static str,
}

/// A group of the catalogue that an API may have no use for. What clients get does not change: the set of codes is open (E2).
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Group {
    /// Channels, pairing and their life cycle
    Channel,
    /// Plans, rates and capacity
    Quota,
    /// Media and webhooks
    Media,
}

impl Group {
    fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Quota => "quota",
            Self::Media => "media",
        }
    }
}

/// The group of codes that a policy adds.
const OWN: &str = "own";

impl Codes {
    /// Without those of some groups of the catalogue.
    pub(super) fn from_policy(policy: Option<&Policy>, except: &[Group]) -> Self {
        let own = policy.into_iter().flat_map(Policy::own_codes);
        let listed = |code: &ErrorCode| Listed { code: code.clone(), group: code.group().unwrap_or(OWN) };
        let shapes = policy.map_or(&[][..], Policy::own_shapes).iter();
        let written = |shape: &CustomShape| {
            let mut schema: Value = serde_json::from_str(&shape.body_schema()?).ok()?;
            schema["description"] =
                format!("The body of an error on routes whose dialect is {}.", shape.as_str()).into();
            Some((type_name(shape.as_str()), schema))
        };
        let stays = |listed: &Listed| !except.iter().any(|group| group.as_str() == listed.group);
        Self {
            listed: ErrorCode::ALL.iter().chain(own).map(listed).filter(stays).collect(),
            shapes: shapes.filter_map(written).collect(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.listed.iter()
    }

    /// The schemas of the shapes in which the policy writes errors, by name.
    pub(super) fn shapes(&self) -> &[(String, Value)] {
        &self.shapes
    }

    /// The groups in order, each with its codes.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Listed]> {
        self.listed.chunk_by(|a, b| a.group == b.group)
    }
}

/// `json-api` has the type JsonApiErrorBody.
fn type_name(shape: &str) -> String {
    let words = shape.split(['-', '_']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect::<String>() + "ErrorBody"
}

impl Listed {
    pub(super) fn name(&self) -> &str {
        self.code.as_str()
    }

    pub(super) fn status(&self) -> u16 {
        self.code.status().as_u16()
    }

    pub(super) fn retry(&self) -> &'static str {
        self.code.retry().as_str()
    }

    /// What its details are, as a JSON Schema, where somebody says it. The library has read it before.
    pub(super) fn details(&self) -> Option<Value> {
        serde_json::from_str(self.code.details_schema()?).ok()
    }

    /// The message on one line: a policy's text may have several, which the layer joins as well.
    pub(super) fn message(&self) -> String {
        self.code
            .message()
            .split(|c: char| c.is_control())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What a reader of a schema or a module wants to know of it.
    pub(super) fn summary(&self) -> String {
        format!("{}, retry: {}. {}", self.status(), self.retry(), self.message())
    }
}
