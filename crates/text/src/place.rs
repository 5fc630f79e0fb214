//! The place of an error in a request: the path of a field, parsed from any notation (R13).
//!
//! Clients may choose some of the names, so the number of steps and the length of each are limited.

use crate::field_names::{is_leading_part, is_no_place, is_part, is_whole_name};
use crate::issue_list::{MAX_STEPS, is_index};
use crate::json::{list_with, push_string};

/// The most characters of a name. No real field has a longer name.
const MAX_NAME_CHARS: usize = 128;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    steps: Vec<Step>,
    begins: Beginning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(String),
}

/// The kind of the first step of a place, which may be a part of the request, such as `body`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beginning {
    /// The first step may be a part of the request, or a field with the same name.
    #[default]
    Unclear,
    /// The place is a JSON pointer, in which even a single step may be a part of the request, as in `/body`.
    Pointer,
    /// The first step is a field, because the part of the request is already known.
    Field,
}

impl Place {
    /// Parses names with dots and brackets: `b[0].c`, `items[1][qty]`, `items.0.name`, `items[0]["a.b"]`.
    pub fn of_dotted(text: &str) -> Self {
        let mut place = Self::default();
        place.dotted(text);
        place
    }

    /// Parses a place in any known notation.
    pub fn parse(text: &str) -> Self {
        let mut place = Self::default();
        if text.contains(" -> ") {
            // FastAPI handlers join the steps of pydantic's place in this way.
            text.split(" -> ").filter(|step| !step.is_empty()).for_each(|step| place.step(step));
        } else if text.starts_with(['/', '#']) || text.contains('/') && !text.contains(['.', '[', ' ']) {
            place.begins = Beginning::Pointer;
            place.pointer(text);
        } else {
            place.dotted(text);
        }
        place
    }

    /// Returns the field that the name of a parameter means, without the part of the request. Returns `None` if the
    /// name does not mean a field.
    pub fn of_parameter(name: &str) -> Option<Self> {
        if is_no_place(name) || is_whole_name(name) {
            return None;
        }
        let mut place = Self::parse(name);
        if place.begins_with_part(true) {
            place.without_part();
        }
        Some(place).filter(Self::has_name)
    }

    pub fn dotted(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() && self.steps.len() < MAX_STEPS {
            let (step, others) = dotted_step(rest);
            // A type parameter (`tags[0].<list element>`) and a part without a name (`a.?`) are not steps. The names
            // that validators use for the whole value are not steps either.
            let is_type = step.starts_with('<') && step.ends_with('>');
            if !matches!(step, "" | "$" | "$input") && !is_type {
                self.step(step);
            }
            rest = others;
        }
    }

    /// Adds a name from a map. The name is split at dots, and a part of the request at its beginning is removed (R13).
    /// A name with very many dots becomes one step (E8).
    pub fn key(&mut self, name: &str) {
        if name.split('.').nth(MAX_STEPS).is_some() {
            return self.push(Step::Name(name.to_owned()));
        }
        let in_part = name.split_once('.').filter(|(part, _)| is_leading_part(part));
        self.dotted(in_part.map_or(name, |(_, inside)| inside));
    }

    /// Adds the steps of a JSON Pointer (RFC 6901), of its fragment form, or of a text in the same notation.
    pub fn pointer(&mut self, text: &str) {
        for step in text.trim_start_matches(['#', '/']).split('/').filter(|step| !step.is_empty()).take(MAX_STEPS) {
            match step {
                _ if step.contains('~') => self.step(&step.replace("~1", "/").replace("~0", "~")),
                // ASP.NET and others put an index into brackets: `/lines[0]/qty`, `#/Invoice[0].Lines[1]`.
                _ if step.contains('[') && step.contains(']') => self.dotted(step),
                _ => self.step(step),
            }
        }
    }

    /// Adds a name, or an index in digits.
    pub fn step(&mut self, step: &str) {
        // tsoa puts a `$` before an index.
        let step = step.strip_prefix('$').filter(|digits| is_index(digits)).unwrap_or(step);
        if is_index(step) { self.push(Step::Index(step.to_owned())) } else { self.name(step) }
    }

    pub fn name(&mut self, name: &str) {
        // Pydantic uses this name for a model as a whole.
        if name == "__root__" {
            return;
        }
        self.push(Step::Name(match name.char_indices().nth(MAX_NAME_CHARS) {
            Some((end, _)) => format!("{}…", &name[..end]),
            None => name.to_owned(),
        }));
    }

    /// Adds a name from a sentence, unless the place already ends with that name.
    pub fn end_with(&mut self, name: &str) {
        if !matches!(self.steps.last(), Some(Step::Name(last)) if last == name) {
            self.name(name);
        }
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(step);
        }
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns true if the place names a field. A place that consists of numbers names no field.
    pub fn has_name(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Name(_)))
    }

    /// Records that the part of the request is already known, so that the first step is a field.
    pub fn in_known_part(mut self) -> Self {
        self.begins = Beginning::Field;
        self
    }

    /// Returns true if the place begins with a part of the request. If `surely` is true, the first step must not also
    /// be a possible name of a field.
    pub fn begins_with_part(&self, surely: bool) -> bool {
        let is_part = matches!(self.steps.first(), Some(Step::Name(first)) if is_part(first));
        match self.begins {
            Beginning::Field => false,
            Beginning::Pointer => is_part,
            Beginning::Unclear => is_part && (self.steps.len() > 1 || !surely),
        }
    }

    /// Removes the parts of the request from the beginning: `request/body/name` becomes `name`.
    pub fn without_part(&mut self) {
        let is_outer =
            self.begins_with_part(false) && matches!(&self.steps[0], Step::Name(it) if it.starts_with("req"));
        if self.begins_with_part(false) {
            self.steps.remove(0);
        }
        if is_outer && self.begins_with_part(true) {
            self.steps.remove(0);
        }
    }

    /// Removes the name of a method and of its parameter from the beginning, as Bean Validation writes them:
    /// `admit.arg0.ward` becomes `ward`.
    pub fn without_argument(&mut self) {
        let is_argument = |step: &Step| match step {
            Step::Name(name) => name.strip_prefix("arg").is_some_and(is_index),
            Step::Index(_) => false,
        };
        if let Some(at) = self.steps.iter().take(2).position(is_argument) {
            self.steps.drain(..=at);
        }
    }

    /// Removes the name of a method from the beginning, and the name of its parameter if a field of the parameter
    /// follows: `admit.patient.ward` becomes `ward`.
    pub fn without_method(&mut self) {
        let before = self.steps.len().saturating_sub(1).min(2);
        self.steps.drain(..before);
    }

    /// Returns the place as a JSON array of its steps.
    pub fn json(&self) -> Vec<u8> {
        list_with(&self.steps, |json, step| match step {
            Step::Name(name) => push_string(json, name),
            Step::Index(digits) => json.extend_from_slice(digits.as_bytes()),
        })
    }
}

/// Returns true if a text may be a place, because it only has names, dots and brackets.
pub fn is_dotted(text: &str) -> bool {
    let of_place =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '[' | ']' | '$');
    text.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '_' | '$' | '['))
        && text.chars().all(of_place)
        && !text.ends_with('.')
}

/// Returns the first step, and the text behind it.
fn dotted_step(text: &str) -> (&str, &str) {
    for (open, close) in [("[\"", "\"]"), ("['", "']"), ("[", "]")] {
        if let Some((step, rest)) = text.strip_prefix(open).and_then(|inside| inside.split_once(close)) {
            return (step, rest.trim_start_matches(['.', '/']));
        }
    }
    match text.find(['.', '[']) {
        Some(0) => ("", &text[1..]),
        Some(end) if text.as_bytes()[end] == b'.' => (&text[..end], &text[end + 1..]),
        Some(end) => (&text[..end], &text[end..]),
        None => (text, ""),
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    fn json(place: &Place) -> String {
        String::from_utf8(place.json()).unwrap()
    }

    #[test]
    fn r13_a_place_is_taken_apart() {
        for (text, path) in [
            ("b[0].c", r#"["b",0,"c"]"#),
            ("items.0.name", r#"["items",0,"name"]"#),
            ("items[1][qty]", r#"["items",1,"qty"]"#),
            ("[items][1][qty]", r#"["items",1,"qty"]"#),
            ("[0].a", r#"[0,"a"]"#),
            ("[0][1]", "[0,1]"),
            ("", "[]"),
            (r#"a["b.c"].d"#, r#"["a","b.c","d"]"#),
            ("a['b.c']", r#"["a","b.c"]"#),
            ("$.a[2]", r#"["a",2]"#),
            ("tags[0].<list element>", r#"["tags",0]"#),
            ("__proto__.x", r#"["__proto__","x"]"#),
            ("a[99999999999999999999]", r#"["a","99999999999999999999"]"#),
            ("a[", r#"["a"]"#),
            ("a]b", r#"["a]b"]"#),
            ("...", "[]"),
            ("имя.0", r#"["имя",0]"#),
            ("items/0", r#"["items",0]"#),
            ("#/items/0/a~1b~0", r#"["items",0,"a/b~"]"#),
            ("#/Invoice[0].Lines[1]", r#"["Invoice",0,"Lines",1]"#),
            ("/lines[0]/qty", r#"["lines",0,"qty"]"#),
            ("lines[0]/qty", r#"["lines",0,"qty"]"#),
        ] {
            assert_eq!(json(&Place::parse(text)), path, "{text}");
        }
    }

    #[test]
    fn r13_a_part_of_the_request_is_no_field() {
        for (text, surely, path) in [
            ("body/items/0", true, r#"["items",0]"#),
            ("/body", true, "[]"),
            ("request/query/page", true, r#"["page"]"#),
            ("body.a", true, r#"["a"]"#),
            ("body", false, "[]"),
            ("bodyguard.a", false, r#"["bodyguard","a"]"#),
        ] {
            let mut place = Place::parse(text);
            assert_eq!(place.begins_with_part(true), surely, "{text}");
            place.without_part();
            assert_eq!(json(&place), path, "{text}");
        }
        assert!(!Place::parse("body.a").in_known_part().begins_with_part(false));
    }

    #[test]
    fn r13_a_place_is_bounded() {
        for text in ["a.".repeat(10_000), "/a".repeat(10_000)] {
            assert_eq!(json(&Place::parse(&text)).matches("\"a\"").count(), MAX_STEPS);
        }
        assert!(json(&Place::parse(&"é".repeat(10_000))).chars().count() <= MAX_NAME_CHARS + 5);
        let mut place = Place::of_dotted("a.b");
        place.end_with("b");
        place.end_with("c");
        assert_eq!(json(&place), r#"["a","b","c"]"#);
    }
}
