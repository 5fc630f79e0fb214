//! Finds the line of a place in a configuration.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::config::{options, proto_name};

/// A configuration with the line of each value. JSON files are parsed as YAML.
pub(super) struct Lines(Spanned<Node>);

enum Node {
    Object(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Other,
}

impl Lines {
    /// Parses the text; `None` if that fails.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_saphyr::from_str_with_options(text.trim_start_matches('\u{feff}'), options()).ok().map(Self)
    }

    /// The line of a place such as `/static_resources/listeners/0`.
    pub(super) fn line(&self, place: &str) -> Option<u64> {
        let at = place.split('/').skip(1).try_fold(&self.0, |at, step| match &at.value {
            Node::Object(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, node)| node),
            Node::List(items) => items.get(step.parse::<usize>().ok()?),
            Node::Other => None,
        })?;
        Some(at.referenced.line()).filter(|line| *line > 0)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

/// Values that are neither objects nor lists contain no further places.
macro_rules! others {
    ($($name:ident: $type:ty),*) => {$(
        fn $name<E>(self, _: $type) -> Result<Node, E> {
            Ok(Node::Other)
        }
    )*};
}

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a configuration")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Node, M::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((proto_name(&key), map.next_value()?));
        }
        Ok(Node::Object(entries))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Node, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::Other)
    }

    others!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }
}
