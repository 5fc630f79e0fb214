//! Texts by field, nested as the data is (rule R13): Django REST framework 3.18, marshmallow 4.4 (behind Flask 3.1 and
//! webargs 8.7), Rails 8.0, Zod 3.25 and 4.6 flattened, formatted and as a tree.

use serde_json::value::RawValue;

use super::entries;
use super::place::{FieldPath, is_location};
use crate::dialect::issues::list::List;
use crate::dialect::issues::quoting::without_values;
use crate::dialect::json::{self, Object};
use crate::dialect::outgoing::is_identifier;

/// Deeper than any form is.
const DEPTH: usize = 24;

/// Names that stand for the whole of what they are in.
const HERE: [&str; 6] = ["non_field_errors", "__all__", "_schema", "_errors", "_error", "base"];

/// Reads an object of fields; `false` where it has a member that is something else.
pub(super) fn read(list: &mut List, fields: &Object<'_>) -> bool {
    object(list, &mut FieldPath::new(), fields, 0)
}

/// The same for each element of a list that came.
pub(super) fn read_elements(list: &mut List, elements: &[&RawValue]) -> bool {
    let mut place = FieldPath::new();
    elements.iter().enumerate().all(|(index, element)| {
        Object::parse(element.get()).is_some_and(|fields| indexed(list, &mut place, index, &fields, 0))
    })
}

/// Zod's `flatten()`, and its `treeifyError()`.
pub(super) fn read_zods(list: &mut List, it: &Object<'_>) -> bool {
    if let Some(fields) = it.object("fieldErrors") {
        let whole = it.raw("formErrors").is_none_or(|texts| texts_at(list, &FieldPath::new(), texts));
        return whole && read(list, &fields);
    }
    (it.has("properties") || it.has("items")) && tree(list, &mut FieldPath::new(), it, 0)
}

/// An array of nothing but texts; they say nothing of a place.
pub(super) fn texts_at(list: &mut List, place: &FieldPath, texts: &RawValue) -> bool {
    let Some(texts) = json::array(texts.get()) else { return false };
    texts.iter().all(|text| {
        let text = json::string(text);
        if let Some(text) = &text {
            list.push(&place.json(), &without_values(text), None);
        }
        text.is_some()
    })
}

fn object(list: &mut List, place: &mut FieldPath, fields: &Object<'_>, depth: usize) -> bool {
    if depth > DEPTH {
        return false;
    }
    let mut members = fields.members().peekable();
    // webargs says where in the request it looked.
    let locates = members.peek().is_some()
        && fields.members().all(|(name, value)| is_location(name) && value.get().starts_with('{'));
    members.all(|(name, value)| {
        let mark = place.mark();
        if !(locates || HERE.contains(&name) && value.get().starts_with('[')) {
            place.dotted(name);
        }
        let read = list.is_full() || parse_value(list, place, value, depth);
        place.back_to(mark);
        read
    })
}

/// What stands under a name.
fn parse_value(list: &mut List, place: &mut FieldPath, value: &RawValue, depth: usize) -> bool {
    if let Some(elements) = json::array(value.get()) {
        return elements.iter().enumerate().all(|(index, element)| element_at(list, place, element, index, depth));
    }
    Object::parse(value.get()).is_some_and(|it| parse_object(list, place, &it) || object(list, place, &it, depth + 1))
}

fn element_at(list: &mut List, place: &mut FieldPath, element: &RawValue, index: usize, depth: usize) -> bool {
    if let Some(text) = json::string(element) {
        list.push(&place.json(), &without_values(&text), None);
        return true;
    }
    let Some(it) = Object::parse(element.get()) else { return false };
    if parse_object(list, place, &it) {
        return true;
    }
    indexed(list, place, index, &it, depth)
}

/// Django's list of what is wrong with each element; nothing is, with some.
fn indexed(list: &mut List, place: &mut FieldPath, index: usize, fields: &Object<'_>, depth: usize) -> bool {
    let mark = place.mark();
    place.index(&index.to_string());
    let read = object(list, place, fields, depth + 1);
    place.back_to(mark);
    read
}

/// A text with a code: Django's full details, express-validator's `mapped()`, Mongoose's errors, Rust's validator.
fn parse_object(list: &mut List, place: &FieldPath, it: &Object<'_>) -> bool {
    /// Beside a `message` one of these tells an entry of a validator's from anything else.
    const SIGNS: [&str; 5] = ["code", "path", "kind", "type", "rule"];

    let code = it.string("code").filter(|code| is_identifier(code));
    let signed = || SIGNS.iter().any(|sign| it.has(sign));
    let text = it.string("msg").or_else(|| it.string("message").filter(|_| signed()));
    let silent = || code.is_some() && it.raw("message").is_some_and(|message| message.get() == "null");
    match text {
        Some(text) => entries::push(list, place, it, &text, code.as_deref()),
        None if silent() => list.push(&place.json(), "", code.as_deref()),
        None => return false,
    }
    true
}

/// `{"errors":[texts],"properties":{name:tree},"items":[tree]}`.
fn tree(list: &mut List, place: &mut FieldPath, it: &Object<'_>, depth: usize) -> bool {
    if depth > DEPTH || !it.raw("errors").is_some_and(|texts| texts_at(list, place, texts)) {
        return false;
    }
    let mark = place.mark();
    let properties = it.object("properties");
    let of_properties = properties.iter().flat_map(Object::members).all(|(name, value)| {
        place.name(name);
        let read = Object::parse(value.get()).is_some_and(|it| tree(list, place, &it, depth + 1));
        place.back_to(mark);
        read
    });
    let items = it.raw("items").and_then(|items| json::array(items.get())).unwrap_or_default();
    of_properties
        && items.iter().enumerate().filter(|(_, item)| item.get() != "null").all(|(index, item)| {
            place.index(&index.to_string());
            let read = Object::parse(item.get()).is_some_and(|it| tree(list, place, &it, depth + 1));
            place.back_to(mark);
            read
        })
}
