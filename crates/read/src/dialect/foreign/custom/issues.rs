//! Reads and writes the issue list of a shape (R15, E8).

use error_envelope_text::named;
use serde_json::value::RawValue;

use super::pointer::{Pointer, Step};
use super::values::BodyValues;
use crate::dialect::json::{self, Object, Writer, list, quoted};
use crate::dialect::outgoing::is_identifier;
use crate::dialect::place::Place;
use crate::issue_list::List;

/// The place of the list of issues in a body, and the places of the parts of each issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuePlaces {
    pub list: Pointer,
    pub path: Option<Pointer>,
    pub message: Option<Pointer>,
    pub code: Option<Pointer>,
    pub notation: PathNotation,
}

named! {
    "Returns the notation's word in the policy file."
    /// The notation in which a shape writes the path of an issue.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum PathNotation {
        /// `items.1.qty`.
        #[default]
        Dotted = "dotted",
        /// `items[1].qty`. The form `items[1][qty]` is read as well.
        Brackets = "brackets",
        /// `/items/1/qty` (RFC 6901).
        Pointer = "pointer",
        /// `["items",1,"qty"]`.
        List = "list",
    }
}

impl PathNotation {
    fn read(self, value: &RawValue) -> Place {
        let mut path = Place::default();
        if let Some(steps) = json::array(value.get()) {
            for step in steps {
                match json::string(step) {
                    Some(name) => path.name(&name),
                    None if json::is_index(step) => path.step(step.get()),
                    None => {}
                }
            }
        } else if let Some(text) = json::string(value) {
            match self {
                Self::Pointer => path.pointer(&text),
                _ => path.dotted(&text),
            }
        }
        path
    }

    /// Returns the path in this notation, as a JSON value.
    fn write(self, path: &RawValue) -> Vec<u8> {
        if self == Self::List {
            return path.get().as_bytes().to_vec();
        }
        let mut text = String::new();
        for step in json::array(path.get()).unwrap_or_default() {
            let name = json::string(step);
            let step = name.as_deref().unwrap_or(step.get());
            match self {
                Self::Pointer => text.extend(["/", &step.replace('~', "~0").replace('/', "~1")]),
                Self::Brackets if name.is_none() => text.extend(["[", step, "]"]),
                _ if text.is_empty() => text.push_str(step),
                _ => text.extend([".", step]),
            }
        }
        quoted(&text)
    }
}

impl IssuePlaces {
    /// Returns the issues of a body as a JSON array, or `None` if the body has no issues.
    pub(super) fn read(&self, body: &BodyValues<'_, '_>) -> Option<String> {
        let mut list = List::new();
        self.list.each(body, &mut |issue| {
            self.push(&mut list, issue);
            !list.is_full()
        });
        list.into_json()
    }

    fn push(&self, list: &mut List, issue: &RawValue) {
        let at = |place: &Option<Pointer>| place.as_ref().and_then(|place| place.first_value_in(issue));
        let path = at(&self.path).map_or_else(Place::default, |path| self.notation.read(path));
        let code = at(&self.code).and_then(|code| {
            let is_number = json::is_number(code);
            json::string(code).or_else(|| is_number.then(|| code.get().into())).filter(|code| is_identifier(code))
        });
        let message = at(&self.message).and_then(json::string);
        let message = message.as_deref().or(code.as_deref()).unwrap_or_default();
        list.push(&path.json(), message, code.as_deref());
    }

    /// Returns the issues of canonical details in the form of the shape, or `None` if the details have no issues.
    pub(super) fn write(&self, details: &str) -> Option<Vec<u8>> {
        let issues = Object::parse(details)?.raw("issues").and_then(|issues| json::array(issues.get()))?;
        let issues = issues.iter().filter_map(|issue| Object::parse(issue.get()));
        Some(list(issues.map(|issue| self.write_one(&issue))))
    }

    fn write_one(&self, issue: &Object<'_>) -> Vec<u8> {
        let raw = |name: &str| issue.raw(name).map(|value| value.get().as_bytes().to_vec());
        let values = [
            (&self.path, issue.raw("path").map(|path| self.notation.write(path))),
            (&self.message, raw("message")),
            (&self.code, raw("code")),
        ];
        let placed = values.iter().filter_map(|(place, value)| Some((place.as_ref()?.steps(), value.as_deref()?)));
        object_of_values(&placed.collect::<Vec<_>>())
    }
}

/// Returns an object with each value at its place. A value whose place is empty is returned unchanged.
fn object_of_values(values: &[(&[Step], &[u8])]) -> Vec<u8> {
    if let [([], value)] = values {
        return value.to_vec();
    }
    let mut json = Writer::new(64);
    for (at, (steps, _)) in values.iter().enumerate() {
        let Some(name) = steps.first().and_then(Step::name) else { continue };
        let is_same = |(steps, _): &&(&[Step], &[u8])| steps.first().and_then(Step::name) == Some(name);
        if values[..at].iter().any(|value| is_same(&value)) {
            continue;
        }
        let inside: Vec<_> = values.iter().filter(is_same).map(|(steps, value)| (&steps[1..], *value)).collect();
        json = json.raw(name, object_of_values(&inside));
    }
    json.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUES: &str =
        r#"{"issues":[{"path":["items",1,"a/b"],"message":"is odd","code":"type"},{"path":[],"message":"no"}]}"#;

    fn places(path: &str, message: &str, code: Option<&str>, notation: PathNotation) -> IssuePlaces {
        IssuePlaces {
            list: Pointer::parse("/errors/*").unwrap(),
            path: Pointer::parse(path),
            message: Pointer::parse(message),
            code: code.and_then(Pointer::parse),
            notation,
        }
    }

    #[test]
    fn r15_issues_are_written_in_the_shapes_own_form_and_read_again() {
        for (places, list) in [
            (
                places("/field", "/reason", Some("/rule"), PathNotation::Dotted),
                r#"[{"field":"items.1.a/b","reason":"is odd","rule":"type"},{"field":"","reason":"no"}]"#,
            ),
            (
                places("/at/field", "/at/text", Some("/code"), PathNotation::Brackets),
                r#"[{"at":{"field":"items[1].a/b","text":"is odd"},"code":"type"},{"at":{"field":"","text":"no"}}]"#,
            ),
            (
                places("/source/pointer", "/detail", None, PathNotation::Pointer),
                r#"[{"source":{"pointer":"/items/1/a~1b"},"detail":"is odd"},{"source":{"pointer":""},"detail":"no"}]"#,
            ),
            (
                places("/path", "/message", Some("/code"), PathNotation::List),
                r#"[{"path":["items",1,"a/b"],"message":"is odd","code":"type"},{"path":[],"message":"no"}]"#,
            ),
        ] {
            let written = String::from_utf8(places.write(ISSUES).unwrap()).unwrap();
            assert_eq!(written, list);
            let body = format!("{{\"errors\":{list}}}");
            let expected = match places.code {
                Some(_) => ISSUES.to_owned(),
                None => ISSUES.replace(r#","code":"type""#, ""),
            };
            let read = places.read(&BodyValues::new(&Object::parse(&body).unwrap())).unwrap();
            assert_eq!(format!("{{\"issues\":{read}}}"), expected);
        }
    }

    #[test]
    fn r15_an_issue_may_be_a_text_or_a_code_alone() {
        let texts = places("/none", "", None, PathNotation::Dotted);
        let read = |places: &IssuePlaces, body: &str| places.read(&BodyValues::new(&Object::parse(body).unwrap()));
        assert_eq!(read(&texts, r#"{"errors":["odd"]}"#).as_deref(), Some(r#"[{"path":[],"message":"odd"}]"#));
        let codes = places("/field", "/none", Some("/code"), PathNotation::Dotted);
        let issue = r#"[{"path":["title"],"message":"missing_field","code":"missing_field"}]"#;
        let body = r#"{"errors":[{"resource":"Issue","field":"title","code":"missing_field"}]}"#;
        assert_eq!(read(&codes, body).as_deref(), Some(issue));
        assert_eq!(read(&codes, r#"{"errors":[]}"#), None);
        assert_eq!(read(&codes, r#"{"errors":{}}"#), None);
    }
}
