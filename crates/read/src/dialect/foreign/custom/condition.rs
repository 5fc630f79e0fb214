//! The conditions by which a shape is distinguished from other shapes (R15).

use std::{fmt, slice};

use serde_json::value::RawValue;

use super::pointer::Pointer;
use super::values::BodyValues;
use crate::dialect::foreign::framework_errors;
use crate::dialect::{is_phrase_as_code, json};

/// The conditions of a shape. A body of the shape fulfils all of `when` and none of `not`. If `any` is not empty, the
/// body also fulfils at least one condition of `any`.
#[derive(Debug, PartialEq)]
pub struct Conditions {
    pub when: Box<[Condition]>,
    pub any: Box<[Condition]>,
    pub not: Box<[Condition]>,
}

/// The reason why a body is not in the shape. The body fulfils none of these conditions, or fulfils an excluded
/// condition.
pub struct Misfit<'c> {
    conditions: &'c [Condition],
    is_excluded: bool,
}

impl Conditions {
    /// Returns the reason why the body is not in the shape, or `None` if it is.
    pub fn misfit(&self, body: &BodyValues<'_, '_>) -> Option<Misfit<'_>> {
        let is_one_of = |conditions: &[Condition]| conditions.iter().any(|it| it.holds(body));
        let excluded = || self.not.iter().find(|it| it.holds(body)).map(|it| (slice::from_ref(it), true));
        let (conditions, is_excluded) = match self.when.iter().find(|it| !it.holds(body)) {
            Some(unmet) => (slice::from_ref(unmet), false),
            None if !self.any.is_empty() && !is_one_of(&self.any) => (&*self.any, false),
            None => excluded()?,
        };
        Some(Misfit { conditions, is_excluded })
    }

    /// Returns true if every body that fulfils `other` also fulfils these conditions.
    pub fn cover(&self, other: &Self) -> bool {
        let is_one_of_any = |it: &Condition| self.any.iter().any(|sign| it.implies(sign));
        let each_of_any = |implies: &dyn Fn(&Condition) -> bool| !other.any.is_empty() && other.any.iter().all(implies);
        let follows =
            |sign: &Condition| other.when.iter().any(|it| it.implies(sign)) || each_of_any(&|it| it.implies(sign));
        self.when.iter().all(follows)
            && (self.any.is_empty() || self.any.iter().any(follows) || each_of_any(&is_one_of_any))
            && self.not.iter().all(|sign| other.not.iter().any(|it| sign.implies(it)))
    }
}

impl fmt::Display for Misfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.conditions.iter().enumerate().try_for_each(|(index, Condition { at, is })| {
            let (and, not) = (if index > 0 { ", and " } else { "" }, if self.is_excluded { "" } else { "not " });
            write!(f, "{and}its {:?} is {not}{is}", at.to_string())
        })
    }
}

/// A condition of a shape, which requires a value at a place of the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub at: Pointer,
    pub is: Expected,
}

/// The expected value in a body. Any value of a JSON type may be expected, or only one certain value.
///
/// ```
/// use tower_error_envelope::policy::Expected;
///
/// assert_eq!(Expected::from("v2"), Expected::Text("v2".to_owned()));
/// assert_eq!(Expected::from(2), Expected::Integer(2));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// Any value, including `null`.
    Any,
    /// `null`.
    Null,
    /// A string.
    String,
    /// A string that is not blank.
    NonBlank,
    /// A string of one word that is not the phrase of a status: `RoomFull`, but not `Forbidden`.
    Name,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
    /// A list of field errors in a form that a policy need not describe (E8): Zod's issues, FastAPI's errors, or texts
    /// by field.
    Issues,
    /// No value, because the body has nothing at this place.
    Absent,
    /// A string that equals this text.
    Text(String),
    /// A number that equals this one, in any notation.
    Integer(i64),
    /// `true`, or `false`.
    Is(bool),
}

impl Expected {
    /// The JSON types, each with its word in the policy file and its name in sentences.
    pub const TYPES: [(&'static str, Self, &'static str); 11] = [
        ("string", Self::String, "a string"),
        ("nonblank", Self::NonBlank, "a string that is not blank"),
        ("name", Self::Name, "one word that names an error"),
        ("number", Self::Number, "a number"),
        ("boolean", Self::Boolean, "true or false"),
        ("object", Self::Object, "an object"),
        ("array", Self::Array, "an array"),
        ("null", Self::Null, "null"),
        ("issues", Self::Issues, "a list of field errors"),
        ("any", Self::Any, "present"),
        ("absent", Self::Absent, "absent"),
    ];

    fn is_narrower_than(&self, other: &Self) -> bool {
        match other {
            Self::Any => *self != Self::Absent,
            Self::String => matches!(self, Self::NonBlank | Self::Name | Self::Text(_)),
            Self::NonBlank => *self == Self::Name || matches!(self, Self::Text(text) if !text.trim().is_empty()),
            Self::Name => matches!(self, Self::Text(text) if is_name(text)),
            Self::Number => matches!(self, Self::Integer(_)),
            Self::Boolean => matches!(self, Self::Is(_)),
            _ => false,
        }
    }

    pub(super) fn holds(&self, value: &RawValue) -> bool {
        let text = value.get();
        match self {
            Self::Any => true,
            Self::Null => text == "null",
            Self::String => text.starts_with('"'),
            Self::NonBlank => json::string(value).is_some_and(|text| !text.trim().is_empty()),
            Self::Name => json::string(value).is_some_and(|text| is_name(&text)),
            Self::Number => json::is_number(value),
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Object => text.starts_with('{'),
            Self::Array => text.starts_with('['),
            Self::Issues => framework_errors::has_issues(text),
            Self::Absent => false,
            Self::Text(expected) => json::string(value).is_some_and(|text| text == **expected),
            #[allow(clippy::cast_precision_loss, reason = "only numbers that fit a double identify a shape")]
            Self::Integer(number) => text.parse() == Ok(*number as f64),
            Self::Is(expected) => text == if *expected { "true" } else { "false" },
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Is(value) => value.fmt(f),
            _ => {
                let found = Self::TYPES.iter().find(|(_, expected, _)| expected == self);
                f.write_str(found.map_or("", |(.., name)| name))
            }
        }
    }
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Expected {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Expected {
    fn from(value: bool) -> Self {
        Self::Is(value)
    }
}

/// Returns true if a text can be the name of an error, because it is one word and not the phrase of a status.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(' ') && !is_phrase_as_code(text)
}

impl Condition {
    /// Returns true if one of the values at the places is the expected value. For `Expected::Absent`, returns true if
    /// there is no value.
    pub(super) fn holds(&self, body: &BodyValues<'_, '_>) -> bool {
        let is_absent = self.is == Expected::Absent;
        let mut holds = is_absent;
        self.at.each(body, &mut |value| {
            holds = self.is.holds(value);
            !holds && !is_absent
        });
        holds
    }

    /// Returns true if every body that fulfils this condition also fulfils `other`.
    pub fn implies(&self, other: &Self) -> bool {
        self.at == other.at && (self.is == other.is || self.is.is_narrower_than(&other.is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json::Object;

    fn holds(is: Expected, value: &str) -> bool {
        let condition = Condition { at: Pointer::parse("/v").unwrap(), is };
        condition.holds(&BodyValues::new(&Object::parse(&format!("{{\"v\":{value}}}")).unwrap()))
    }

    fn conditions(text: &str) -> Conditions {
        let each = |of: &str| {
            let of = text.split(' ').filter_map(|it| it.strip_prefix(of)?.split_once('='));
            of.map(|(at, is)| Condition {
                at: Pointer::parse(at).unwrap(),
                is: Expected::TYPES.into_iter().find(|(word, ..)| *word == is).unwrap().1,
            })
            .collect()
        };
        Conditions { when: each("when"), any: each("any"), not: each("not") }
    }

    #[test]
    fn r15_a_body_outside_the_shape_states_why() {
        let conditions = conditions("when/a=string any/b=number any/c=array not/d=object not/d=null");
        for (body, why) in [
            (r#"{"a":"","b":1}"#, ""),
            (r#"{"a":"","c":[],"d":1}"#, ""),
            (r#"{"b":1,"d":{}}"#, "its \"/a\" is not a string"),
            (r#"{"a":"","d":{}}"#, "its \"/b\" is not a number, and its \"/c\" is not an array"),
            (r#"{"a":"","b":1,"d":null}"#, "its \"/d\" is null"),
        ] {
            let misfit = conditions.misfit(&BodyValues::new(&Object::parse(body).unwrap())).map(|it| it.to_string());
            assert_eq!(misfit.unwrap_or_default(), why, "{body}");
        }
    }
    #[test]
    fn r15_conditions_cover_those_of_fewer_bodies() {
        for (wide, narrow, covers) in [
            ("when/a=string", "when/a=name when/b=null", true),
            ("when/a=name", "when/a=string", false),
            ("any/a=string any/b=string", "when/b=name", true),
            ("any/a=string any/b=string", "any/b=name any/a=name", true),
            ("any/a=string", "any/b=name any/a=name", false),
            ("when/a=string", "any/a=name any/a=nonblank", true),
            ("when/a=string", "any/a=name any/b=name", false),
            ("when/a=string not/b=object", "when/a=string", false),
            ("when/a=string not/b=object", "when/a=string not/b=any", true),
            ("when/a=string not/b=any", "when/a=string not/b=object", false),
            ("any/a=string any/b=string", "when/c=string", false),
        ] {
            assert_eq!(conditions(wide).cover(&conditions(narrow)), covers, "{wide} of {narrow}");
        }
    }

    #[test]
    fn r15_a_condition_asks_for_a_type_or_for_a_value() {
        for (value, types) in [
            ("\"a\"", &["string", "nonblank", "name", "any"][..]),
            ("\"Not found\"", &["string", "nonblank", "any"]),
            ("\"Forbidden\"", &["string", "nonblank", "any"]),
            ("\" \"", &["string", "any"]),
            (r#"{"to":["Required."]}"#, &["object", "issues", "any"]),
            ("-1.5", &["number", "any"]),
            ("true", &["boolean", "any"]),
            ("{}", &["object", "any"]),
            ("[]", &["array", "any"]),
            ("null", &["null", "any"]),
        ] {
            for (word, is, _) in Expected::TYPES {
                assert_eq!(holds(is, value), types.contains(&word), "{word} {value}");
            }
        }
        assert!(holds("a".into(), "\"\\u0061\"") && !holds("a".into(), "\"b\"") && !holds("1".into(), "1"));
        assert!(holds(2.into(), "2") && holds(2.into(), "2.0") && !holds(2.into(), "\"2\"") && !holds(2.into(), "3"));
        assert!(holds(false.into(), "false") && !holds(false.into(), "true"));
        let nowhere = Condition { at: Pointer::parse("/w").unwrap(), is: Expected::Any };
        let body = Object::parse("{\"v\":1}").unwrap();
        assert!(!nowhere.holds(&BodyValues::new(&body)));
        assert!(Condition { is: Expected::Absent, ..nowhere }.holds(&BodyValues::new(&body)));
    }
}
