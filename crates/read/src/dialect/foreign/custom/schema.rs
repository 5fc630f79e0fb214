//! The JSON Schema 2020-12 of a shape's bodies, for generated documents and clients (R15).

use super::condition::Expected;
use super::description::Description;
use super::issues::{IssuePlaces, object_of_values};
use super::pointer::Step;
use super::template::{Node, Placeholder};
use crate::code::Retry;
use crate::dialect::json::{Writer, list, quoted};

impl Description {
    /// Returns the schema of the bodies as JSON text, or `None` if the shape has no template.
    pub(super) fn schema(&self) -> Option<String> {
        let schema = self.node_schema(&self.template.as_ref()?.0, &mut Vec::new());
        String::from_utf8(schema).ok()
    }

    fn node_schema(&self, node: &Node, path: &mut Vec<Step>) -> Vec<u8> {
        match node {
            Node::Literal(json) => Writer::new(64).raw("const", json.as_bytes()).close(),
            Node::Value { placeholder, is_optional } => self.value_schema(*placeholder, *is_optional),
            Node::Object(members) => {
                let mut below = |name: &str, node| {
                    path.push(Step::Name(name.into()));
                    let schema = (self.is_sign(path), self.node_schema(node, path));
                    path.pop();
                    schema
                };
                let each: Vec<_> = members.iter().map(|(name, node)| (&**name, below(name, node))).collect();
                let required = each.iter().filter(|(_, (is_sign, _))| *is_sign).map(|(name, _)| quoted(name));
                let required = list(required);
                let properties = each.iter().fold(Writer::new(64), |json, (name, (_, schema))| json.raw(name, schema));
                object(properties.close()).raw("required", required).close()
            }
            Node::Array(nodes) => {
                let each = list(nodes.iter().map(|node| self.node_schema(node, &mut Vec::new())));
                Writer::new(64).text("type", "array").raw("prefixItems", each).close()
            }
        }
    }

    /// Returns true if every body of the shape has a value at this place, because a condition requires the value. A
    /// body from a service may lack other values that the template writes.
    fn is_sign(&self, path: &[Step]) -> bool {
        self.conditions.when.iter().any(|sign| sign.is != Expected::Absent && sign.at.steps().starts_with(path))
    }

    fn value_schema(&self, placeholder: Placeholder, is_optional: bool) -> Vec<u8> {
        let of_type = |name: &str| match is_optional {
            true => Writer::new(64).text("type", name),
            false => Writer::new(64).raw("type", list([quoted(name), quoted("null")])),
        };
        let text = || Writer::new(64).text("type", "string");
        match placeholder {
            Placeholder::Code => text().text("pattern", "^[a-z][a-z0-9_]{0,62}$").close(),
            Placeholder::Name | Placeholder::Message => text().close(),
            Placeholder::RequestId => text().text("pattern", "^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$").close(),
            Placeholder::Timestamp => text().text("format", "date-time").close(),
            Placeholder::Status => {
                Writer::new(64).text("type", "integer").raw("minimum", "400").raw("maximum", "599").close()
            }
            Placeholder::RetryAfter => of_type("integer").close(),
            Placeholder::Retry => {
                let words = [Retry::No, Retry::Backoff, Retry::Refresh].map(|retry| quoted(retry.as_str()));
                let missing = (!is_optional).then(|| b"null".to_vec());
                Writer::new(64).raw("enum", list(words.into_iter().chain(missing))).close()
            }
            Placeholder::Docs => of_type("string").text("format", "uri").close(),
            Placeholder::Details => b"{}".to_vec(),
            Placeholder::Issues => {
                let issue = self.issues.as_ref().map_or_else(|| b"{}".to_vec(), IssuePlaces::schema);
                of_type("array").raw("items", issue).close()
            }
        }
    }
}

impl IssuePlaces {
    fn schema(&self) -> Vec<u8> {
        let text = Writer::new(64).text("type", "string").close();
        let path = if self.notation.is_list() { Writer::new(64).text("type", "array").close() } else { text.clone() };
        let places = [(&self.path, &path), (&self.message, &text), (&self.code, &text)];
        let placed = places.into_iter().filter_map(|(place, schema)| Some((place.as_ref()?.steps(), &schema[..])));
        object_of_values(&placed.collect::<Vec<_>>(), |properties| object(properties).close())
    }
}

fn object(properties: Vec<u8>) -> Writer {
    Writer::new(64).text("type", "object").raw("properties", properties)
}
