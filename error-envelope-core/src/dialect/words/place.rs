//! Where something is wrong: a path in a framework's notation, taken apart (rule R13).
//!
//! Names come from the client where it chooses them: a path says no more than so many steps, and so much of each.

use crate::dialect::issues::list::{MAX_STEPS, Path, is_index};

/// Longer than any member's name.
const MAX_NAME_CHARS: usize = 128;

/// Where in a request a path begins, in the words of frameworks: the path itself begins behind it.
const LOCATIONS: [&str; 16] = [
    "body",
    "query",
    "querystring",
    "params",
    "path",
    "header",
    "headers",
    "cookie",
    "cookies",
    "json",
    "form",
    "files",
    "payload",
    "json_or_form",
    "view_args",
    "query_and_form",
];

pub(in crate::dialect) struct FieldPath {
    path: Path,
    steps: usize,
}

/// Where a place was, to come back to.
#[derive(Clone, Copy)]
pub(super) struct PathMark(usize, usize);

impl FieldPath {
    pub(in crate::dialect) fn new() -> Self {
        Self { path: Path::new(), steps: 0 }
    }

    /// `b[0].c`, `items.0.name`, `items[0]["a.b"]`.
    pub(super) fn of_dotted(text: &str) -> Self {
        let mut place = Self::new();
        place.dotted(text);
        place
    }

    pub(in crate::dialect) fn dotted(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() && self.steps < MAX_STEPS {
            let (step, others) = dotted_step(rest);
            // A type's parameter (`tags[0].<list element>`) and what has no name (`a.?`) are no steps.
            if !step.is_empty() && step != "$" && !(step.starts_with('<') && step.ends_with('>')) {
                self.step(step);
            }
            rest = others;
        }
    }

    /// A JSON Pointer (RFC 6901), or its fragment.
    pub(in crate::dialect) fn pointer(&mut self, text: &str) {
        for step in text.trim_start_matches(['#', '/']).split('/').filter(|step| !step.is_empty()) {
            if step.contains('~') { self.step(&step.replace("~1", "/").replace("~0", "~")) } else { self.step(step) }
        }
    }

    /// A name, or the digits of an index.
    pub(super) fn step(&mut self, step: &str) {
        if is_index(step) { self.index(step) } else { self.name(step) }
    }

    pub(in crate::dialect) fn name(&mut self, name: &str) {
        if self.counts() {
            match name.char_indices().nth(MAX_NAME_CHARS) {
                Some((end, _)) => self.path.name(&format!("{}…", &name[..end])),
                None => self.path.name(name),
            }
        }
    }

    pub(in crate::dialect) fn index(&mut self, digits: &str) {
        if self.counts() {
            self.path.raw(digits);
        }
    }

    pub(super) fn mark(&self) -> PathMark {
        PathMark(self.path.end(), self.steps)
    }

    pub(super) fn back_to(&mut self, PathMark(end, steps): PathMark) {
        self.path.back_to(end);
        self.steps = steps;
    }

    /// The path so far as a JSON array.
    pub(in crate::dialect) fn json(&self) -> Vec<u8> {
        self.path.closed()
    }

    fn counts(&mut self) -> bool {
        self.steps += 1;
        self.steps <= MAX_STEPS
    }
}

pub(super) fn is_number(text: &str) -> bool {
    is_index(text)
}

pub(super) fn is_location(name: &str) -> bool {
    LOCATIONS.contains(&name)
}

/// A path without where in the request it begins.
pub(super) fn without_location(dotted: &str) -> &str {
    match dotted.split_once('.') {
        Some((first, rest)) if is_location(first) && !rest.is_empty() => rest,
        _ => dotted,
    }
}

/// Whether a text may be a path: names, dots and brackets alone.
pub(super) fn is_dotted(text: &str) -> bool {
    let of_path =
        |character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-' | '[' | ']' | '$');
    text.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '_' | '$' | '['))
        && text.chars().all(of_path)
        && !text.ends_with('.')
}

/// The first step, and what is behind it.
fn dotted_step(text: &str) -> (&str, &str) {
    for quote in ["[\"", "['"] {
        let closed = || text.strip_prefix(quote)?.split_once(if quote == "[\"" { "\"]" } else { "']" });
        if let Some((step, rest)) = closed() {
            return (step, rest.trim_start_matches('.'));
        }
    }
    if let Some((step, rest)) = text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        return (step, rest.trim_start_matches('.'));
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

    fn dotted(text: &str) -> String {
        String::from_utf8(FieldPath::of_dotted(text).json()).unwrap()
    }

    #[test]
    fn r13_a_path_is_taken_apart() {
        for (text, path) in [
            ("b[0].c", r#"["b",0,"c"]"#),
            ("items.0.name", r#"["items",0,"name"]"#),
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
        ] {
            assert_eq!(dotted(text), path, "{text}");
        }
        let mut place = FieldPath::new();
        place.pointer("#/items/0/a~1b~0");
        assert_eq!(String::from_utf8(place.json()).unwrap(), r#"["items",0,"a/b~"]"#);
    }

    #[test]
    fn r13_a_path_is_bounded() {
        assert_eq!(dotted(&"a.".repeat(10_000)).matches("\"a\"").count(), MAX_STEPS);
        let mut place = FieldPath::new();
        place.pointer(&"/a".repeat(10_000));
        assert_eq!(String::from_utf8(place.json()).unwrap().matches("\"a\"").count(), MAX_STEPS);
        assert!(dotted(&"é".repeat(10_000)).chars().count() <= MAX_NAME_CHARS + 5);
        let mark = place.mark();
        place.name("b");
        place.back_to(mark);
        assert!(!String::from_utf8(place.json()).unwrap().contains('b'));
    }
}
