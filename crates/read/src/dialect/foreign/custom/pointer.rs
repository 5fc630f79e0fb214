//! JSON pointers (RFC 6901), in which `*` means each element of a list (R15).

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::values::BodyValues;
use crate::dialect::json::{self, Object, with_fields};

/// A place in a body. The empty pointer is the body itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Box<[Step]>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    /// `*`: each element of a list.
    Each,
}

impl Pointer {
    /// Parses a pointer, or returns `None` if it is invalid. A pointer begins with `/`. `~0` in it means `~`, and `~1`
    /// means `/`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Box::default()));
        }
        text.strip_prefix('/')?.split('/').map(Step::parse).collect::<Option<_>>().map(Self)
    }

    pub(super) fn from_steps(steps: &[Step]) -> Self {
        Self(steps.into())
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Returns the name of the body's field with which the pointer begins.
    pub(super) fn field(&self) -> Option<&str> {
        self.0.first().and_then(Step::name)
    }

    /// Returns true if the pointer leads to a field of the body or of its `error`, but not into such a field.
    pub fn is_field(&self) -> bool {
        matches!(&*self.0, [Step::Name(_)])
            || matches!(&*self.0, [Step::Name(error), Step::Name(_)] if &**error == "error")
    }

    /// Returns the value at this place in the body. If there are several values, returns the first.
    pub(super) fn first<'a>(&self, body: &BodyValues<'_, 'a>) -> Option<&'a RawValue> {
        first(|visit| self.each(body, visit))
    }

    /// Returns the value at this place in `value`. If there are several values, returns the first.
    pub(super) fn first_value_in<'a>(&self, value: &'a RawValue) -> Option<&'a RawValue> {
        first(|visit| {
            visit_at(value, &self.0, visit);
        })
    }

    /// Visits each value at this place, as long as `visit` returns `true`.
    pub(super) fn each<'a>(&self, body: &BodyValues<'_, 'a>, visit: &mut dyn FnMut(&'a RawValue) -> bool) {
        let Some((Step::Name(field), rest)) = self.0.split_first() else { return };
        let (value, rest) = match rest {
            // A step that is a number may also be the index in a list.
            [Step::Name(name), rest @ ..] if !name.starts_with(|first: char| first.is_ascii_digit()) => {
                (body.raw_in(field, name), rest)
            }
            rest => (body.raw(field), rest),
        };
        if let Some(value) = value {
            visit_at(value, rest, visit);
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| match step {
            Step::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Each => f.write_str("/*"),
        })
    }
}

impl Step {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Each);
        }
        let is_escaped = |part: &str| part.starts_with(['0', '1']);
        if !text.split('~').skip(1).all(is_escaped) {
            return None;
        }
        Some(Self::Name(text.replace("~1", "/").replace("~0", "~").into()))
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Each => None,
        }
    }
}

/// Returns the first value that `visit_all` visits.
fn first<'a>(visit_all: impl FnOnce(&mut dyn FnMut(&'a RawValue) -> bool)) -> Option<&'a RawValue> {
    let mut found = None;
    visit_all(&mut |value| {
        found = Some(value);
        false
    });
    found
}

/// Visits the values to which these steps lead. Stops, and returns `false`, once `visit` returns `false`.
fn visit_at<'a>(value: &'a RawValue, steps: &[Step], visit: &mut dyn FnMut(&'a RawValue) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return visit(value) };
    match (json::array(value.get()), step) {
        (Some(elements), Step::Each) => elements.into_iter().all(|element| visit_at(element, rest, visit)),
        (Some(elements), Step::Name(index)) => index
            .parse()
            .ok()
            .and_then(|at: usize| elements.get(at))
            .is_none_or(|element| visit_at(element, rest, visit)),
        (None, Step::Name(name)) => {
            let inside = Object::parse(value.get()).and_then(|object| object.raw(name));
            inside.is_none_or(|inside| visit_at(inside, rest, visit))
        }
        (None, Step::Each) => true,
    }
}

/// Returns the body with this value at the place of the pointer. If the place has no value yet, the value is added only
/// if `adds` is true.
pub(super) fn with_value<'t>(text: &'t str, steps: &[Step], value: &[u8], adds: bool) -> Cow<'t, str> {
    let Some((step, rest)) = steps.split_first() else { return owned(value.to_vec()) };
    if let Some(elements) = json::array(text) {
        let at = step.name().map_or(Some(0), |name| name.parse().ok());
        let Some(at) = at.filter(|at| *at < elements.len()) else { return Cow::Borrowed(text) };
        let each = elements.iter().enumerate().map(|(place, element)| match place == at {
            true => with_value(element.get(), rest, value, adds),
            false => Cow::Borrowed(element.get()),
        });
        return Cow::Owned(format!("[{}]", each.collect::<Vec<_>>().join(",")));
    }
    let object = Object::parse(if adds && text == "null" { "{}" } else { text });
    let (Some(object), Some(name)) = (object, step.name()) else { return Cow::Borrowed(text) };
    match object.raw(name).map(RawValue::get).or(adds.then_some("null")) {
        Some(inside) => {
            let inside = with_value(inside, rest, value, adds).into_owned().into_bytes();
            owned(with_fields(&object, &[(name, inside)], &|_, _| true))
        }
        None => Cow::Borrowed(text),
    }
}

fn owned(json: Vec<u8>) -> Cow<'static, str> {
    Cow::Owned(String::from_utf8(json).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pointer: &str, body: &str) -> Vec<String> {
        let mut found = Vec::new();
        let body = Object::parse(body).unwrap();
        Pointer::parse(pointer).unwrap().each(&BodyValues::new(&body), &mut |value| {
            found.push(value.get().to_owned());
            true
        });
        found
    }

    #[test]
    fn r15_a_pointer_leads_to_values() {
        let body = r#"{"a":{"b/c":[{"d":1},{"e":0},{"d":2}],"~":3,"*":4},"n":null}"#;
        for (pointer, found) in [
            ("/a/b~1c/*/d", &["1", "2"][..]),
            ("/a/b~1c/2/d", &["2"]),
            ("/a/~0", &["3"]),
            ("/n", &["null"]),
            ("/a/*", &[]),
            ("/a/b~1c/9", &[]),
            ("/a/b~1c/d", &[]),
            ("/x", &[]),
        ] {
            assert_eq!(all(pointer, body), found, "{pointer}");
        }
        let object = Object::parse(body).unwrap();
        let first = Pointer::parse("/a/b~1c/*/d").unwrap().first(&BodyValues::new(&object));
        assert_eq!(first.unwrap().get(), "1");
        for wrong in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert!(Pointer::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn r15_a_value_is_replaced_where_it_stands() {
        let body = r#"{ "a": [ {"t":"old", "n":1.10}, {"t":"other"} ], "z":0 }"#;
        let put = |pointer: &str, adds| with_value(body, Pointer::parse(pointer).unwrap().steps(), b"\"new\"", adds);
        let with = |pointer: &str| put(pointer, false).into_owned();
        assert_eq!(with("/a/*/t"), r#"{"a":[{"t":"new","n":1.10},{"t":"other"}],"z":0}"#);
        assert_eq!(with("/a/1/t"), r#"{"a":[{"t":"old", "n":1.10},{"t":"new"}],"z":0}"#);
        for nowhere in ["/a/2/t", "/a/x", "/b", "/z/y"] {
            assert_eq!(Object::parse(&with(nowhere)).unwrap().raw("z").unwrap().get(), "0", "{nowhere}");
            assert!(!with(nowhere).contains("new"), "{nowhere}");
        }
        assert!(put("/b/c/d", true).ends_with(r#","z":0,"b":{"c":{"d":"new"}}}"#));
        assert!(put("/a/0/u", true).contains(r#""n":1.10,"u":"new"}"#));
    }
}
