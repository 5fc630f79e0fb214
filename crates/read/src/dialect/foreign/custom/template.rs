//! The template of a shape's bodies. A template is JSON with placeholders for whole values (R15).

use error_envelope_text::named;

use super::pointer::{Pointer, Step};
use crate::dialect::json::{self, Object, push_string};
use crate::json::end_of_quoted;

/// The maximum depth of nested values. No real body is so deep, and the stack suffices for this depth.
const MAX_DEPTH: usize = 32;

named! {
    "Returns the name of the placeholder."
    /// A placeholder of a template, which a value of the error replaces.
    pub enum Placeholder {
        Code = "code",
        Name = "name",
        Status = "status",
        Message = "message",
        Details = "details",
        Issues = "issues",
        RequestId = "request_id",
        Timestamp = "timestamp",
        RetryAfter = "retry_after",
        Retry = "retry",
        Docs = "docs",
    }
}

/// A valid template, which makes valid JSON from any values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub(super) Node);

/// A mistake in a template, and how to correct the mistake.
pub(crate) type TemplateError = (String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Literal(Box<str>),
    Value { placeholder: Placeholder, is_optional: bool },
    Object(Box<[(Box<str>, Node)]>),
    Array(Box<[Node]>),
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut found = Vec::new();
        let json = with_numbered_strings(text, &mut found)?;
        let root = Node::parse(json.trim(), &found, MAX_DEPTH)?;
        match root {
            Node::Object(_) => Ok(Self(root)),
            _ => Err(("the template is not a JSON object".to_owned(), "write {…} around it".to_owned())),
        }
    }

    /// Returns the first place at which the template has this placeholder.
    pub fn place_of(&self, placeholder: Placeholder) -> Option<Pointer> {
        self.0.steps_to(placeholder).map(|steps| Pointer::from_steps(&steps))
    }

    pub fn has(&self, placeholder: Placeholder) -> bool {
        self.place_of(placeholder).is_some()
    }

    /// Writes the body of an error. `push` writes the value of a placeholder as JSON, or returns `false` if the error
    /// has no such value.
    pub(super) fn write(&self, push: &impl Fn(Placeholder, &mut Vec<u8>) -> bool, size: usize) -> Vec<u8> {
        let mut json = Vec::with_capacity(size);
        self.0.write(push, &mut json);
        json
    }
}

impl Node {
    fn parse(json: &str, found: &[(Placeholder, bool)], depth: usize) -> Result<Self, TemplateError> {
        if depth == 0 {
            let right = "write a template with fewer levels".to_owned();
            return Err((format!("the template is more than {MAX_DEPTH} levels deep"), right));
        }
        let at = json.strip_prefix("\"{{").and_then(|rest| rest.strip_suffix("}}\""));
        if let Some((placeholder, is_optional)) = at.and_then(|at| found.get(at.parse::<usize>().ok()?)) {
            return Ok(Self::Value { placeholder: *placeholder, is_optional: *is_optional });
        }
        if let Some(object) = Object::parse(json) {
            let members = object.members().enumerate().map(|(at, (name, value))| {
                refuse_name(name, object.members().take(at).any(|(before, _)| before == name))?;
                Ok((name.into(), Self::parse(value.get(), found, depth - 1)?))
            });
            return members.collect::<Result<_, _>>().map(Self::Object);
        }
        if let Some(elements) = json::array(json) {
            let elements = elements.iter().map(|element| match Self::parse(element.get(), found, depth - 1)? {
                Self::Value { is_optional: true, .. } => {
                    Err(("an optional placeholder (with ?) is in a list".to_owned(), "remove the ?".to_owned()))
                }
                node => Ok(node),
            });
            return elements.collect::<Result<_, _>>().map(Self::Array);
        }
        match serde_json::from_str::<serde::de::IgnoredAny>(json) {
            Ok(_) => Ok(Self::Literal(json.into())),
            Err(error) => {
                let right = "write JSON, with placeholders such as {{code}} in place of whole values";
                Err((format!("the template is not JSON: {error}"), right.to_owned()))
            }
        }
    }

    /// Returns the steps to the first place of this placeholder.
    fn steps_to(&self, wanted: Placeholder) -> Option<Vec<Step>> {
        let below = |name: Box<str>, node: &Self| Some([vec![Step::Name(name)], node.steps_to(wanted)?].concat());
        match self {
            Self::Literal(_) => None,
            Self::Value { placeholder, .. } => (*placeholder == wanted).then(Vec::new),
            Self::Object(members) => members.iter().find_map(|(name, node)| below(name.clone(), node)),
            Self::Array(nodes) => nodes.iter().enumerate().find_map(|(at, node)| below(at.to_string().into(), node)),
        }
    }

    /// Writes the node. Returns `false` if its field must be left out.
    fn write(&self, push: &impl Fn(Placeholder, &mut Vec<u8>) -> bool, json: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(text) => json.extend_from_slice(text.as_bytes()),
            Self::Value { placeholder, is_optional } => {
                if !push(*placeholder, json) {
                    json.extend_from_slice(b"null");
                    return !is_optional;
                }
            }
            Self::Object(members) => write_object(members, push, json),
            Self::Array(nodes) => {
                json.push(b'[');
                for (at, node) in nodes.iter().enumerate() {
                    json.extend((at > 0).then_some(b','));
                    node.write(push, json);
                }
                json.push(b']');
            }
        }
        true
    }
}

fn write_object(members: &[(Box<str>, Node)], push: &impl Fn(Placeholder, &mut Vec<u8>) -> bool, json: &mut Vec<u8>) {
    json.push(b'{');
    let start = json.len();
    for (name, node) in members {
        let before = json.len();
        json.extend((before > start).then_some(b','));
        push_string(json, name);
        json.push(b':');
        if !node.write(push, json) {
            json.truncate(before);
        }
    }
    json.push(b'}');
}

/// Returns the template with a numbered string in place of each placeholder, so that it can be parsed as JSON.
fn with_numbered_strings(text: &str, found: &mut Vec<(Placeholder, bool)>) -> Result<String, TemplateError> {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{']) {
        json.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(inside) = rest.strip_prefix("{{") {
            let (name, after) = inside.split_once("}}").unwrap_or((inside, ""));
            json.push_str(&format!("\"{{{{{}}}}}\"", found.len()));
            found.push(placeholder(name)?);
            rest = after;
            continue;
        }
        let end = if rest.starts_with('"') { end_of_quoted(rest.as_bytes()).unwrap_or(rest.len()) } else { 1 };
        if rest[..end].contains("{{") {
            let wrong = format!("a placeholder is inside the string {}", &rest[..end]);
            return Err((wrong, "use it as a whole value, without quotes around it".to_owned()));
        }
        json.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    json.push_str(rest);
    Ok(json)
}

fn refuse_name(name: &str, is_known: bool) -> Result<(), TemplateError> {
    if name.starts_with("{{") {
        return Err(("a placeholder is used as a field name".to_owned(), "use it as a value".to_owned()));
    }
    match is_known {
        true => Err((format!("the field {name:?} appears twice"), "keep one of them".to_owned())),
        false => Ok(()),
    }
}

fn placeholder(name: &str) -> Result<(Placeholder, bool), TemplateError> {
    let bare = name.trim();
    let (bare, is_optional) = bare.strip_suffix('?').map_or((bare, false), |bare| (bare, true));
    let known = Placeholder::VALUES.iter().find(|known| known.as_str() == bare);
    known.map(|placeholder| (*placeholder, is_optional)).ok_or_else(|| {
        let names: Vec<_> = Placeholder::VALUES.iter().map(|known| known.as_str()).collect();
        (format!("unknown placeholder {{{{{bare}}}}}"), format!("the choices are {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(placeholder: Placeholder, json: &mut Vec<u8>) -> bool {
        match placeholder {
            Placeholder::Details | Placeholder::RetryAfter => return false,
            Placeholder::Status => json.extend_from_slice(b"404"),
            Placeholder::Message => push_string(json, "Say \"{{code}}\" or }}."),
            other => push_string(json, &format!("{other:?}").to_uppercase()),
        }
        true
    }

    fn written(template: &str) -> String {
        String::from_utf8(Template::parse(template).unwrap().write(&push, 64)).unwrap()
    }

    #[test]
    fn r15_a_placeholder_stands_for_a_whole_value() {
        for (template, body) in [
            (r#"{"a":{{code}},"b":{"c":{{status}}}}"#, r#"{"a":"CODE","b":{"c":404}}"#),
            (r#" { "a" : [ {{ name }} , 1.10 , "x{\"" ] } "#, r#"{"a":["NAME",1.10,"x{\""]}"#),
            (r#"{"a":{{details}},"b":{{details?}},"c":{{retry_after?}}}"#, r#"{"a":null}"#),
            (r#"{"b":{{details?}},"c":{{code?}},"d":{{details?}},"e":1}"#, r#"{"c":"CODE","e":1}"#),
            (r#"{"a":{"b":{{details?}}},"m":{{message}}}"#, r#"{"a":{},"m":"Say \"{{code}}\" or }}."}"#),
        ] {
            assert_eq!(written(template), body, "{template}");
        }
    }

    #[test]
    fn r15_a_template_that_may_make_no_json_is_refused() {
        for (template, wrong) in [
            (r#"{"a":{{code}}"#, "not JSON"),
            (r#"{"a":{{code"#, "not JSON"),
            (r#"{"a":{{cod}}}"#, "unknown placeholder {{cod}}"),
            (r#"{"a":"{{code}}"}"#, "inside the string"),
            (r#"{"a {{code}}":1}"#, "inside the string"),
            (r#"{ {{code}}:1}"#, "used as a field name"),
            (r#"{"a":{{code}}{{code}}}"#, "not JSON"),
            (r#"{"a":1{{code}}}"#, "not JSON"),
            (r#"{"a":[1,{{code?}}]}"#, "in a list"),
            (r#"{"a":1,"a":2}"#, "appears twice"),
            ("{{code}}", "not a JSON object"),
            ("[{{code}}]", "not a JSON object"),
            ("", "not JSON"),
        ] {
            let (problem, advice) = Template::parse(template).unwrap_err();
            assert!(problem.contains(wrong), "{template}: {problem}; {advice}");
        }
        assert!(Template::parse(&format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40))).is_err());
    }

    #[test]
    fn r15_the_place_of_a_placeholder_is_known() {
        let template = Template::parse(r#"{"a":{"b":1},"c":[0,{"d/e":{{request_id}}}]}"#).unwrap();
        assert_eq!(template.place_of(Placeholder::RequestId), Pointer::parse("/c/1/d~1e"));
        assert!(!template.has(Placeholder::Code));
    }

    proptest::proptest! {
        #[test]
        fn r15_what_a_template_makes_is_json(text in "[{}\\[\\]\":,a?\\\\ ]{0,12}(\\{\\{(code|details\\??)\\}\\})?[{}\\[\\]\":,a1 ]{0,12}") {
            for text in [format!("{{\"x\":{text}}}"), text] {
                if let Ok(template) = Template::parse(&text) {
                    let body = template.write(&push, 64);
                    proptest::prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{}", text);
                }
            }
        }
    }
}
