//! The JSON Schema 2020-12 of a shape's bodies, for generated documents and clients (R15).

use serde_json::{Map, Value, json};

use super::condition::Expected;
use super::description::Description;
use super::issues::{IssuePlaces, PathNotation};
use super::pointer::Step;
use super::template::{Node, Placeholder};
use crate::code::Retry;

impl Description {
    /// Returns the schema of the bodies, or `None` if the shape has no template.
    pub(super) fn schema(&self) -> Option<Value> {
        Some(self.node_schema(&self.template.as_ref()?.0, &mut Vec::new()))
    }

    fn node_schema(&self, node: &Node, path: &mut Vec<Step>) -> Value {
        match node {
            Node::Literal(json) => json!({ "const": serde_json::from_str::<Value>(json).unwrap_or_default() }),
            Node::Value { placeholder, is_optional } => self.value_schema(*placeholder, *is_optional),
            Node::Object(members) => {
                let (mut properties, mut required) = (Map::new(), Vec::new());
                for (name, node) in members {
                    path.push(Step::Name(name.clone()));
                    required.extend(self.is_sign(path).then_some(name));
                    properties.insert(name.to_string(), self.node_schema(node, path));
                    path.pop();
                }
                json!({ "type": "object", "properties": properties, "required": required })
            }
            Node::Array(nodes) => {
                let each: Vec<_> = nodes.iter().map(|node| self.node_schema(node, &mut Vec::new())).collect();
                json!({ "type": "array", "prefixItems": each })
            }
        }
    }

    /// Returns true if every body of the shape has a value at this place, because a condition requires the value. A
    /// body from a service may lack other values that the template writes.
    fn is_sign(&self, path: &[Step]) -> bool {
        self.conditions.when.iter().any(|sign| sign.is != Expected::Absent && sign.at.steps().starts_with(path))
    }

    fn value_schema(&self, placeholder: Placeholder, is_optional: bool) -> Value {
        let or_null = |name: &str| if is_optional { json!(name) } else { json!([name, "null"]) };
        match placeholder {
            Placeholder::Code => json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$" }),
            Placeholder::Name | Placeholder::Message => json!({ "type": "string" }),
            Placeholder::RequestId => json!({ "type": "string", "pattern": "^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$" }),
            Placeholder::Timestamp => json!({ "type": "string", "format": "date-time" }),
            Placeholder::Status => json!({ "type": "integer", "minimum": 400, "maximum": 599 }),
            Placeholder::RetryAfter => json!({ "type": or_null("integer") }),
            Placeholder::Retry => {
                let words = Retry::VALUES.iter().map(|retry| Some(retry.as_str()));
                let missing = (!is_optional).then_some(None);
                json!({ "enum": words.chain(missing).collect::<Vec<_>>() })
            }
            Placeholder::Docs => json!({ "type": or_null("string"), "format": "uri" }),
            Placeholder::Details => json!({}),
            Placeholder::Issues => {
                let issue = self.issues.as_ref().map_or_else(|| json!({}), IssuePlaces::schema);
                json!({ "type": or_null("array"), "items": issue })
            }
        }
    }
}

impl IssuePlaces {
    fn schema(&self) -> Value {
        let path = if self.notation == PathNotation::List { "array" } else { "string" };
        let mut schema = json!({ "type": "object", "properties": {} });
        for (place, name) in [(&self.path, path), (&self.message, "string"), (&self.code, "string")] {
            let mut at = &mut schema;
            for step in place.iter().flat_map(|place| place.steps()).filter_map(Step::name) {
                at["type"] = json!("object");
                at = &mut at["properties"][step];
            }
            if place.is_some() {
                *at = json!({ "type": name });
            }
        }
        schema
    }
}
