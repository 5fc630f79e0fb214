//! Reads `[shape.NAME]`: a shape of error bodies that the policy describes (rule R15).

use toml::de::DeValue;

use super::read::Table;
use super::value::{Codes, Value};
use crate::body_shape::{BodyShape, ShapeIssues};
use crate::dialect::custom::{Expected, PathNotation};
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;
use crate::policy::suggestion::advice_for_unknown;

const KEYS: [&str; 10] =
    ["when", "code", "message", "details", "issues", "request_id", "codes", "media_type", "id_header", "write"];

pub(super) fn read(name: &str, table: &Table<'_>, codes: &Codes) -> BodyShape {
    table.refuse_all_except(&KEYS);
    let when = table.table("when");
    let shape = when.iter().flat_map(Table::values).fold(BodyShape::new(name), |shape, (place, value)| {
        let expected = table.keep(expected(&value));
        expected.into_iter().fold(shape, |shape, expected| shape.when(place.clone(), expected))
    });
    // Takes the place of a wrong condition, so that the other keys are checked as well.
    let shape = if when.is_some_and(|when| when.has_known()) { shape.when("/unknown", Expected::Any) } else { shape };
    let shape = table.table("codes").iter().flat_map(Table::values).fold(shape, |shape, (name, value)| {
        let code = table.keep(value.known_code(codes));
        code.into_iter().fold(shape, |shape, code| shape.name(name.clone(), code))
    });
    let shape = table.table("issues").iter().fold(shape, |shape, issues| shape.issues(read_issues(issues)));
    let each = |shape, key, set: fn(BodyShape, String) -> BodyShape| {
        table.set(shape, key, Value::text_or_texts, |shape, places| places.into_iter().fold(shape, set))
    };
    let shape = each(shape, "code", BodyShape::code);
    let shape = each(shape, "message", BodyShape::message);
    let shape = each(shape, "details", BodyShape::details);
    let shape = table.set(shape, "request_id", Value::owned, BodyShape::request_id);
    let shape = table.set(shape, "media_type", Value::owned, BodyShape::media_type);
    let shape = table.set(shape, "id_header", Value::owned, BodyShape::id_header);
    table.set(shape, "write", Value::owned, BodyShape::write)
}

fn read_issues(table: &Table<'_>) -> ShapeIssues {
    table.refuse_all_except(&["list", "path", "message", "code", "notation"]);
    let issues = ShapeIssues::new(table.read_required("list", Value::owned).unwrap_or_default());
    let issues = table.set(issues, "path", Value::owned, ShapeIssues::path);
    let issues = table.set(issues, "message", Value::owned, ShapeIssues::message);
    let issues = table.set(issues, "code", Value::owned, ShapeIssues::code);
    table.set(issues, "notation", Value::word::<PathNotation>, ShapeIssues::notation)
}

/// Reads what a condition expects: the word for a JSON type, or a value. A text that is such a word is written as `{ is
/// = "…" }`.
fn expected(value: &Value<'_>) -> Result<Expected, PolicyError> {
    match value.value {
        DeValue::String(word) => {
            let types = Expected::TYPES.iter();
            types.clone().find(|(known, _)| *known == word).map(|(_, expected)| expected.clone()).ok_or_else(|| {
                let known = advice_for_unknown(word, types.map(|(known, _)| *known));
                value
                    .error(
                        format!("{word:?} is not a JSON type"),
                        format!("{known}; to match the text itself, write {{ is = {word:?} }}"),
                    )
                    .of_kind(Kind::UnknownWord)
            })
        }
        DeValue::Integer(_) => value.integer().map(Expected::from),
        DeValue::Boolean(_) => value.boolean().map(Expected::from),
        DeValue::Table(_) => {
            let right = "write a JSON type, a value, or { is = \"a text\" } for a fixed text";
            let table = value.table(right)?;
            let is = table.get("is").ok_or_else(|| value.error("a table is not a condition", right))?;
            table.refuse_all_except(&["is"]);
            is.owned().map(Expected::Text)
        }
        _ => Err(value
            .error(
                format!("{} is not a condition", value.kind()),
                "write a JSON type, a text, a whole number, true or false",
            )
            .of_kind(Kind::WrongType)),
    }
}
