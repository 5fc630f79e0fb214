//! A JSON body that is parsed once. The tree stores the name of every value, and its bytes as received.
//!
//! The text is already known to be valid JSON, so no error can occur. Values that are nested more deeply than in any
//! real error are not parsed, so they need no stack.

use std::borrow::Cow;

use crate::field_ranks::Ranks;
use crate::json;
use crate::message::has_byte;

/// The deepest level of nesting at which values are parsed.
pub const MAX_DEPTH: usize = 64;

pub struct Tree<'a> {
    values: Vec<Value<'a>>,
    texts: usize,
}

struct Value<'a> {
    /// The name of a field. The name is empty for an element of an array.
    name: Cow<'a, str>,
    raw: &'a str,
    /// The ranks of the name in the lists of names of texts and codes.
    ranks: Ranks,
    /// The index of the next value that is not inside this one.
    next: usize,
    /// The number of strings before this value in the body. Names of fields are not counted.
    texts_before: usize,
    /// The [bits](bit_of) of the names of an object's fields. The bits speed up look-ups of names that the object does
    /// not have, which are most look-ups.
    names: u64,
}

/// A value of a tree.
#[derive(Clone, Copy)]
pub struct Node<'t, 'a> {
    tree: &'t Tree<'a>,
    at: usize,
}

/// Returns one of 64 bits for each name, in any letter case. Two names may have the same bit.
#[inline]
const fn bit_of(name: &str) -> u64 {
    let first = if name.is_empty() { 0 } else { name.as_bytes()[0].to_ascii_lowercase() as usize };
    1 << ((first + 7 * name.len()) % 64)
}

impl<'a> Tree<'a> {
    /// Parses a text, which must be valid JSON.
    pub fn parse(text: &'a str) -> Self {
        let mut parser = Parser {
            text,
            at: 0,
            tree: Self { values: Vec::with_capacity(1 + text.len() / 6), texts: 0 },
            open: [0; MAX_DEPTH],
            depth: 0,
            name: None,
        };
        while parser.step() {}
        parser.tree
    }

    #[inline]
    pub fn root(&self) -> Option<Node<'_, 'a>> {
        (!self.values.is_empty()).then_some(Node { tree: self, at: 0 })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    tree: Tree<'a>,
    /// The indices of the values that have not ended yet. The innermost value is the last.
    open: [usize; MAX_DEPTH],
    depth: usize,
    name: Option<Cow<'a, str>>,
}

impl<'a> Parser<'a> {
    fn step(&mut self) -> bool {
        let Some(byte) = self.text.as_bytes().get(self.at) else { return false };
        match byte {
            b'{' | b'[' if self.depth < MAX_DEPTH => {
                let place = self.tree.values.len();
                self.push(self.at, self.at + 1);
                self.open[self.depth] = place;
                self.depth += 1;
            }
            b'}' | b']' => self.close(),
            b'"' => self.string(),
            b'{' | b'[' | b'-' | b'0'..=b'9' | b'a'..=b'z' => self.push(self.at, end_of(self.text, self.at)),
            _ => self.at += 1,
        }
        true
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize) {
        let name = self.name.take().unwrap_or_default();
        if self.depth > 0 {
            self.tree.values[self.open[self.depth - 1]].names |= bit_of(&name);
        }
        let next = self.tree.values.len() + 1;
        let ranks = if name.is_empty() { Ranks::NONE } else { Ranks::new(&name) };
        self.tree.values.push(Value {
            name,
            ranks,
            raw: &self.text[start..end],
            next,
            texts_before: self.tree.texts,
            names: 0,
        });
        self.at = end;
    }

    #[inline]
    fn close(&mut self) {
        self.at += 1;
        let Some(depth) = self.depth.checked_sub(1) else { return };
        self.depth = depth;
        let open = self.open[depth];
        let next = self.tree.values.len();
        let value = &mut self.tree.values[open];
        let start = value.raw.as_ptr() as usize - self.text.as_ptr() as usize;
        value.raw = &self.text[start..self.at];
        value.next = next;
    }

    #[inline]
    fn string(&mut self) {
        let end = end_of(self.text, self.at);
        let in_object = self.depth > 0 && self.tree.values[self.open[self.depth - 1]].raw.starts_with('{');
        if in_object && self.name.is_none() {
            let raw = &self.text[self.at..end];
            let plain = raw.get(1..raw.len() - 1).filter(|text| !has_byte(text.as_bytes(), b'\\')).map(Cow::Borrowed);
            self.name = Some(plain.or_else(|| json::text(raw)).unwrap_or_default());
            self.at = end;
        } else {
            self.push(self.at, end);
            self.tree.texts += 1;
        }
    }
}

/// Returns the position at which the value that begins at `start` ends.
fn end_of(text: &str, start: usize) -> usize {
    json::end_of_value(&text.as_bytes()[start..]).map_or(text.len(), |length| start + length)
}

impl<'t, 'a> Node<'t, 'a> {
    #[inline]
    fn value(self) -> &'t Value<'a> {
        &self.tree.values[self.at]
    }

    /// Returns the name of the value in the object around it. The name of an array's element is empty.
    #[inline]
    pub fn name(self) -> &'t str {
        &self.value().name
    }

    /// Returns the JSON text of the value, as received.
    #[inline]
    pub fn raw(self) -> &'a str {
        self.value().raw
    }

    #[inline]
    pub fn is_object(self) -> bool {
        self.raw().starts_with('{')
    }

    #[inline]
    pub fn is_array(self) -> bool {
        self.raw().starts_with('[')
    }

    #[inline]
    pub fn is_text(self) -> bool {
        self.raw().starts_with('"')
    }

    #[inline]
    pub fn is_null(self) -> bool {
        self.raw() == "null"
    }

    /// Returns the number of JSON strings in the value, at any depth. For a value that is itself a string, the number
    /// is 1.
    #[inline]
    pub fn count_texts(self) -> usize {
        let behind = self.tree.values.get(self.value().next).map_or(self.tree.texts, |value| value.texts_before);
        behind - self.value().texts_before
    }

    /// Returns the fields of an object or the elements of an array, in order.
    pub fn children(self) -> Children<'t, 'a> {
        Children { end: self.value().next, at: self.at + 1, of: self }
    }

    /// Returns the elements, if the value is an array.
    #[inline]
    pub fn elements(self) -> Option<Children<'t, 'a>> {
        self.is_array().then(|| self.children())
    }

    /// Returns the only element of an array, or `None` if the array has another length.
    #[inline]
    pub fn only(self) -> Option<Node<'t, 'a>> {
        let mut elements = self.elements()?;
        elements.next().filter(|_| elements.next().is_none())
    }

    /// Returns the fields whose names have a rank below 64, with the lowest rank first. If several fields have the same
    /// rank, only the last is returned.
    pub fn ranked(self, rank_of: &dyn Fn(Ranks) -> Option<u8>) -> impl Iterator<Item = Node<'t, 'a>> + use<'t, 'a> {
        let fields = || self.children().filter(move |_| self.is_object());
        let mut ranked: Vec<(u8, Node<'t, 'a>)> = Vec::new();
        for field in fields() {
            let Some(rank) = rank_of(field.value().ranks) else { continue };
            match ranked.binary_search_by_key(&rank, |it| it.0) {
                Ok(at) => ranked[at].1 = field,
                Err(at) => ranked.insert(at, (rank, field)),
            }
        }
        ranked.into_iter().map(|(_, field)| field)
    }

    /// Returns the last field with this name.
    #[inline]
    pub fn field(self, name: &str) -> Option<Node<'t, 'a>> {
        self.fields(name, |have| have == name)
    }

    /// Returns the last field with this name, in any letter case.
    #[inline]
    pub fn field_in_any_case(self, name: &str) -> Option<Node<'t, 'a>> {
        self.fields(name, |have| have.eq_ignore_ascii_case(name))
    }

    #[inline]
    fn fields(self, name: &str, is: impl Fn(&str) -> bool) -> Option<Node<'t, 'a>> {
        if self.value().names & bit_of(name) != 0 && self.is_object() { self.last(name, is) } else { None }
    }

    #[inline(never)]
    fn last(self, name: &str, is: impl Fn(&str) -> bool) -> Option<Node<'t, 'a>> {
        let (values, end) = (&self.tree.values, self.value().next);
        let (mut at, mut last) = (self.at + 1, None);
        while at < end {
            let field = &values[at];
            if field.name.len() == name.len() && is(&field.name) {
                last = Some(Node { at, ..self });
            }
            at = field.next;
        }
        last
    }

    #[inline]
    pub fn has(self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Returns the text of a JSON string.
    #[inline]
    pub fn text(self) -> Option<Cow<'a, str>> {
        if self.is_text() { json::text(self.raw()) } else { None }
    }

    /// Returns the text of a JSON string that is not blank.
    #[inline]
    pub fn words(self) -> Option<Cow<'a, str>> {
        self.text().filter(|text| !text.trim().is_empty())
    }

    /// Returns the digits of a JSON number.
    #[inline]
    pub fn digits(self) -> Option<&'a str> {
        let is_number = self.raw().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        is_number.then(|| self.raw())
    }

    /// Returns the text of a JSON string that is not blank, or the digits of a number, because some services use
    /// numbers as codes.
    #[inline]
    pub fn word_or_digits(self) -> Option<Cow<'a, str>> {
        self.words().or_else(|| self.digits().map(Cow::Borrowed))
    }

    /// Returns the text of this field, if it is a JSON string.
    #[inline]
    pub fn string(self, name: &str) -> Option<Cow<'a, str>> {
        self.field(name)?.text()
    }
}

/// The fields of an object, or the elements of an array.
#[derive(Clone)]
pub struct Children<'t, 'a> {
    of: Node<'t, 'a>,
    at: usize,
    end: usize,
}

impl<'t, 'a> Iterator for Children<'t, 'a> {
    type Item = Node<'t, 'a>;

    #[inline(never)]
    fn next(&mut self) -> Option<Node<'t, 'a>> {
        let node = (self.at < self.end).then_some(Node { at: self.at, ..self.of })?;
        self.at = node.value().next;
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(node: Node<'_, '_>, out: &mut String) {
        let parts: Vec<String> = node
            .children()
            .map(|child| {
                let mut inside = String::new();
                if node.is_object() {
                    inside = serde_json::to_string(child.name()).unwrap() + ":";
                }
                written(child, &mut inside);
                inside
            })
            .collect();
        match node.raw().as_bytes()[0] {
            b'{' => out.push_str(&format!("{{{}}}", parts.join(","))),
            b'[' => out.push_str(&format!("[{}]", parts.join(","))),
            _ => out.push_str(node.raw()),
        }
    }

    #[test]
    fn values_keep_their_bytes_and_names_their_order() {
        let text = " {\"a\" : [1.10, \"x\\\"]\" , {}, []], \"b\\u0041\":null, \"c\":{\"d\":true,\"D\":-1e5}} ";
        let tree = Tree::parse(text);
        let root = tree.root().unwrap();
        let mut out = String::new();
        written(root, &mut out);
        assert_eq!(out, "{\"a\":[1.10,\"x\\\"]\",{},[]],\"bA\":null,\"c\":{\"d\":true,\"D\":-1e5}}");
        assert_eq!(root.raw(), text.trim());
        assert!(root.has("bA") && root.field("ba").is_none());
        assert_eq!(root.field_in_any_case("BA").unwrap().raw(), "null");
        assert_eq!(root.field("c").unwrap().field_in_any_case("d").unwrap().raw(), "-1e5");
        assert_eq!(root.field("a").unwrap().children().nth(1).unwrap().text().as_deref(), Some("x\"]"));
    }

    #[test]
    fn deep_values_cost_no_stack() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let text = format!("{}1{}", open.repeat(30_000), close.repeat(30_000));
            let tree = Tree::parse(&text);
            assert_eq!(tree.root().unwrap().raw(), text);
            assert_eq!(tree.values.len(), MAX_DEPTH + 1);
        }
        let wide = format!("[{}[\"]\",{{\"a\":[1]}}]{},2]", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
        assert_eq!(Tree::parse(&wide).root().unwrap().children().last().unwrap().raw(), "2");
    }

    proptest::proptest! {
        #[test]
        fn the_tree_is_the_value_that_serde_reads(value in crate::tree::tests::json()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let tree = Tree::parse(&text);
            let mut out = String::new();
            written(tree.root().unwrap(), &mut out);
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), value);
        }
    }

    pub(super) fn json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "\\PC{0,8}|[\"\\\\{}\\[\\],:]{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 6, |inside| {
            prop_oneof![
                prop::collection::vec(inside.clone(), 0..6).prop_map(serde_json::Value::from),
                prop::collection::vec(("[a-z\"\\\\]{0,4}", inside), 0..6)
                    .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
            ]
        })
    }
}
