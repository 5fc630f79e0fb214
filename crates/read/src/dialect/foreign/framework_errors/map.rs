//! Reads maps from the names of fields to their mistakes (R13). A mistake may be a text, a list of texts, a list of
//! such maps, a nested map, or an object with a text.

use std::borrow::Cow;

use super::entry;
use super::found::{Found, Issue, Surroundings};
use crate::dialect::field_names::{
    Meaning, PLACES, is_like_error, is_like_text, is_part, is_text_or_code, is_whole, is_whole_name, meaning,
};
use crate::dialect::foreign::field_lists::{self, is_verdict};
use crate::dialect::foreign::foreign_text::is_tree;
use crate::dialect::place::Place;
use crate::dialect::tree::Node;

/// Names that end a path without being a step of the path, if their value is a text. The list contains the names of
/// texts, and names of rules in Laminas, Sails, express-validator, class-validator and CakePHP. No request has fields
/// with these names of rules.
const PATH_ENDS: &str = "msg message error required invalid _required _empty _isUnique _existsIn notEmpty notBlank notNull isEmpty isNotEmpty isEmail isString \
                         isInt isNumber isBoolean isArray isDate isDateString isDefined isEnum isIn isUUID isUrl isUnique \
                         minLength maxLength lengthBetween inList alphaNumeric notInt notDigits notAlnum notFloat notInArray \
                         notSame notGreaterThan notGreaterThanInclusive notLessThan notLessThanInclusive notBetween \
                         stringLengthTooShort stringLengthTooLong regexNotMatch recordFound noRecordFound arrayMinSize \
                         arrayMaxSize";

/// The codes that the endpoints of ASP.NET Core Identity send instead of the names of fields.
const IDENTITY: &str = "DefaultError ConcurrencyFailure PasswordMismatch InvalidToken RecoveryCodeRedemptionFailed \
                        LoginAlreadyAssociated InvalidUserName InvalidEmail DuplicateUserName DuplicateEmail InvalidRoleName \
                        DuplicateRoleName UserAlreadyHasPassword UserLockoutNotEnabled UserAlreadyInRole UserNotInRole \
                        PasswordTooShort PasswordRequiresUniqueChars PasswordRequiresNonAlphanumeric PasswordRequiresDigit \
                        PasswordRequiresLower PasswordRequiresUpper";

/// Returns true if a name ends a path. Such a name is in the list above, or has the form of Laminas's names of rules
/// (`emailAddressInvalidFormat`).
fn is_path_end(name: &str) -> bool {
    let is_laminas =
        || name.split_once("Invalid").is_some_and(|(before, _)| before.ends_with(|it: char| it.is_ascii_lowercase()));
    PATH_ENDS.split_ascii_whitespace().any(|it| it == name) || is_laminas()
}

/// The maximum depth of nested maps. No real form is so deep.
const DEPTH: usize = 24;

/// Fields of an error object or of data. An object with one of these fields is not a map from fields to single texts.
const FIELDS_OF_ERRORS: [&str; 5] = ["statusCode", "id", "kind", "hint", "help"];

/// Fields next to a map of fields, with the errors of the request as a whole.
const OF_WHOLE: [&str; 3] = ["formErrors", "generalErrors", "globalErrors"];

/// Reads an object as a map from fields to mistakes. Returns `false` if one of its fields cannot be read.
pub(super) fn read<'t, 'a>(found: &mut Found<'t, 'a>, object: Node<'t, 'a>, around: Surroundings) -> bool {
    if let Some(fields) = flattened(object) {
        let whole = OF_WHOLE.into_iter().filter_map(|name| object.field(name));
        for error in whole.flat_map(Node::children) {
            let Some(text) = error.text().or_else(|| Some(entry::text(error, true)?.1)) else { return false };
            found.of_whole = true;
            entry::push(found, Place::default(), error, text);
        }
        return read(found, fields, around.inside_field(Meaning::Errors));
    }
    if is_tree(object) {
        if (Map { found, around, wraps: false, in_element: false }).tree(&mut Place::default(), object, 0) {
            return true;
        }
        *found = Found::default();
    }
    if wraps_numbered_error(object) {
        return false;
    }
    let is_map = around.depth == 0 && field_lists::is_map(object);
    let around = Surroundings { means_errors: around.means_errors || is_map, ..around };
    let mut map = Map { found, around, wraps: false, in_element: false };
    (around.means_errors || around.depth == 0 && !has_errors_inside(object))
        && map.object(&mut Place::default(), object, 0)
}

/// Returns true if the only field is an object with a text and with a number as its code. Services use numbers as the
/// codes of their errors, but validators use names.
fn wraps_numbered_error(object: Node<'_, '_>) -> bool {
    let mut fields = object.children().filter(|_| object.is_object());
    let (Some(only), None) = (fields.next(), fields.next()) else { return false };
    let code = only.field("code").and_then(Node::word_or_digits);
    code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_digit())) && entry::text(only, true).is_some()
}

/// Returns the map of fields in the formats of Zod's `flatten()` and of FusionAuth. In these formats, a field next to
/// the map contains the errors of the request as a whole.
pub(super) fn flattened<'t, 'a>(object: Node<'t, 'a>) -> Option<Node<'t, 'a>> {
    object.field("fieldErrors").filter(|it| it.is_object())
}

/// Returns true if a field next to Zod's or FusionAuth's map contains the errors of the request as a whole.
pub(super) fn has_errors_of_whole(object: Node<'_, '_>) -> bool {
    OF_WHOLE.iter().any(|name| object.has(name))
}

/// Reads a list of maps from fields to mistakes. Each map states what is wrong with one element that the client sent,
/// or with one field (`{"name":"is required"}`).
pub(super) fn read_elements<'t, 'a>(found: &mut Found<'t, 'a>, list: Node<'t, 'a>, around: Surroundings) -> bool {
    let mut map = Map { found, around, wraps: false, in_element: false };
    let mut place = Place::default();
    list.children()
        .enumerate()
        .all(|(index, element)| element.is_object() && map.element_without_name(&mut place, index, element, 0))
}

/// Returns true if the object contains a list of errors, or further values under the name of an error's text. The
/// object is then not a map of fields.
fn has_errors_inside(object: Node<'_, '_>) -> bool {
    object.children().any(|field| match field.raw().as_bytes() {
        [b'[' | b'{', ..] if matches!(field.name(), "message" | "messages" | "msg" | "error" | "detail") => {
            !field.has("_errors")
        }
        [b'[', ..] => match meaning(field, object) {
            Meaning::Errors => {
                !matches!(field.name(), "_errors" | "nonFieldErrors" | "non_field_errors" | "formErrors")
            }
            Meaning::ErrorsOrData => field.raw().contains('{'),
            Meaning::Nothing => false,
        },
        [b'{', ..] => meaning(field, object) != Meaning::Nothing,
        _ => false,
    })
}

fn texts_here<'t, 'a>(found: &mut Found<'t, 'a>, place: &Place, texts: Node<'t, 'a>) -> bool {
    let Some(mut texts) = texts.elements() else { return false };
    texts.all(|text| text.text().is_some_and(|text| push(found, place.clone(), text)))
}

fn push<'a>(found: &mut Found<'_, 'a>, place: Place, text: Cow<'a, str>) -> bool {
    found.push(Issue { place, text, code: None, entry: None });
    true
}

struct Map<'f, 't, 'a> {
    found: &'f mut Found<'t, 'a>,
    around: Surroundings,
    /// True if the object is in a list of one map, and the list only wraps the map (Cerberus).
    wraps: bool,
    /// True if the object is an element of a list. Such an object is more often an error than a map. So its names may
    /// be the names of an error's fields.
    in_element: bool,
}

impl<'t, 'a> Map<'_, 't, 'a> {
    fn object(&mut self, place: &mut Place, fields: Node<'t, 'a>, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        let takes_texts = fields.children().any(Node::is_text) && self.takes_single_texts(fields);
        fields.children().all(|field| {
            if self.found.is_full() {
                self.found.count(entry::count(field, self.around));
                return true;
            }
            if self.around.means_errors && !takes_texts && field.is_null() {
                return true;
            }
            let mark = place.len();
            if place.is_empty() && field.is_array() && IDENTITY.split_ascii_whitespace().any(|it| it == field.name()) {
                self.texts_of_code(field);
                return true;
            }
            if self.around.means_errors && !place.is_empty() && field.is_text() && is_path_end(field.name()) {
                return self.text_under_end(place, field);
            }
            // These names are names of the request's fields below a known place, and in the format of Zod's `format()`.
            let is_name = field.is_object()
                && (!place.is_empty() && matches!(field.name(), "fields" | "details" | "detail" | "params")
                    || field.has("_errors") && matches!(field.name(), "message" | "detail"));
            if !is_name && is_whole(field, fields) {
                self.found.of_whole |= field.is_text()
                    || field.is_array() && is_whole_name(field.name())
                    || field.children().next().is_some_and(Node::is_text);
            } else {
                // A name that is a number does not name a field. Its texts still state what is wrong with the request.
                self.found.of_whole |= self.around.means_errors
                    && place.is_empty()
                    && field.name().bytes().all(|byte| byte.is_ascii_digit());
                if field.is_object() && is_like_error(field.name()) {
                    return false;
                }
                place.key(field.name());
            }
            let read = self.value(place, field, depth, takes_texts);
            place.truncate(mark);
            read
        })
    }

    /// Reads the mistakes of the field that `place` names.
    fn value(&mut self, place: &mut Place, value: Node<'t, 'a>, depth: usize, takes_texts: bool) -> bool {
        if value.is_array() {
            return self.list(place, value, depth);
        }
        if let Some(text) = value.text() {
            // In an error of hapi, the text may be the `source`, which is the name of a part of the request.
            let may_be_issue = takes_texts && !is_part(&text) && (!self.in_element || is_verdict(&text));
            return may_be_issue && !text.trim().is_empty() && self.text(place, text);
        }
        // An empty object next to texts shows that the object is data of an error. The texts are then data as well.
        let is_data = takes_texts && value.children().next().is_none();
        value.is_object() && !is_data && (self.entry(place, value) || self.object(place, value, depth + 1))
    }

    fn list(&mut self, place: &mut Place, list: Node<'t, 'a>, depth: usize) -> bool {
        if let Some(only) = list.only().filter(|only| only.is_object())
            && (self.wraps || has_numbers_alone(only))
        {
            let wraps = std::mem::replace(&mut self.wraps, true);
            let read = self.object(place, only, depth + 1);
            self.wraps = wraps;
            return read;
        }
        list.children().enumerate().all(|(index, element)| self.element(place, element, index, depth))
    }

    fn element(&mut self, place: &mut Place, element: Node<'t, 'a>, index: usize, depth: usize) -> bool {
        if self.found.is_full() {
            self.found.count(entry::count(element, self.around));
            return true;
        }
        if let Some(text) = element.text() {
            return self.text(place, text);
        }
        if !element.is_object() {
            return false;
        }
        // An element that names its own place is an entry, and not a map.
        let is_placed = || {
            PLACES.iter().any(|name| {
                element.field_in_any_case(name).is_some_and(|place| !place.is_null() && place.raw() != "[]")
            })
        };
        if entry::text(element, self.around.means_errors).is_some() && is_placed() {
            return false;
        }
        self.entry(place, element) || self.element_without_name(place, index, element, depth)
    }

    /// Reads an element of a list that is not under a field's name. If the element has only one text, the name of that
    /// text is the wrong field of the request.
    fn element_without_name(&mut self, place: &mut Place, index: usize, element: Node<'t, 'a>, depth: usize) -> bool {
        let mut fields = element.children();
        match (fields.next(), fields.next()) {
            _ if !place.is_empty() || !element.children().any(Node::is_text) => {
                self.element_at(place, index, element, depth)
            }
            (Some(text), None) if !is_like_text(text.name()) && !entry::states_place(element) => {
                let in_element = std::mem::replace(&mut self.in_element, true);
                let read = self.object(place, element, depth + 1);
                self.in_element = in_element;
                read
            }
            _ => false,
        }
    }

    /// Reads the issues that the service reports for one element of a list in the request. An empty `fields` means that
    /// the element has none.
    fn element_at(&mut self, place: &mut Place, index: usize, fields: Node<'t, 'a>, depth: usize) -> bool {
        if entry::states_place(fields) {
            return false;
        }
        if self.found.is_full() {
            self.found.count(entry::count(fields, self.around));
            return true;
        }
        let mark = place.len();
        place.step(&index.to_string());
        let in_element = std::mem::replace(&mut self.in_element, true);
        let read = self.object(place, fields, depth + 1);
        self.in_element = in_element;
        place.truncate(mark);
        read
    }

    fn text(&mut self, place: &Place, text: Cow<'a, str>) -> bool {
        self.may_be_issue(&text) && push(self.found, place.clone().in_known_part(), text)
    }

    /// Returns true if a text may be an issue. At the top of the body, or under a field that may contain data, the text
    /// must state what is wrong.
    fn may_be_issue(&self, text: &str) -> bool {
        self.around.means_errors && !self.around.is_vague || is_verdict(text)
    }

    /// Returns true if the texts of an object are issues, although some of their names are usually names of texts or
    /// codes. Each text must be a sentence. One text must have another name, as Jira's `issuetype` next to
    /// `description`.
    fn are_sentences(&self, fields: Node<'t, 'a>) -> bool {
        const OF_ERRORS: [&str; 7] = ["message", "msg", "error", "err", "reason", "code", "detail"];

        !self.around.is_vague
            && fields.children().all(|field| field.text().is_some_and(|text| text.trim().contains(' ')))
            && fields.children().any(|field| !is_text_or_code(field.name()))
            && !fields.children().any(|field| OF_ERRORS.contains(&field.name()))
    }

    /// Reads the texts under a name that is their code and not the name of a field.
    fn texts_of_code(&mut self, list: Node<'t, 'a>) {
        self.found.of_whole = true;
        let code = || Some(Cow::Owned(list.name().to_owned()));
        let texts = list.children().filter_map(Node::words);
        texts.for_each(|text| self.found.push(Issue { place: Place::default(), text, code: code(), entry: None }));
    }

    /// Reads a text under a name that ends the path and is not a step of the path.
    fn text_under_end(&mut self, place: &Place, field: Node<'t, 'a>) -> bool {
        let Some(text) = field.words().filter(|text| self.may_be_issue(text)) else { return false };
        let is_code = !matches!(field.name(), "msg" | "message" | "error");
        let code = is_code.then(|| Cow::Owned(field.name().trim_start_matches('_').to_owned()));
        self.found.push(Issue { place: place.clone().in_known_part(), text, code, entry: None });
        true
    }

    /// Returns true if each single text in this map is an issue. A field above the map must mean errors. No field of
    /// the map may be the text or the code of an error.
    fn takes_single_texts(&self, fields: Node<'t, 'a>) -> bool {
        let are_sentences = self.are_sentences(fields);
        let is_error = |field: Node<'_, '_>| {
            let name = field.name();
            is_text_or_code(name) && !are_sentences
                || self.around.is_vague && is_of_program(name)
                || self.around.is_vague && FIELDS_OF_ERRORS.contains(&name)
                || field.is_array() && meaning(field, fields) != Meaning::Nothing && field.raw().contains('{')
        };
        self.around.means_errors && !fields.children().any(is_error)
    }

    /// Reads an object with a text and a code, below a field that means errors. Django's full details,
    /// express-validator's `mapped()`, Mongoose's errors and Rust's validator have this form.
    fn entry(&mut self, place: &Place, it: Node<'t, 'a>) -> bool {
        if !self.around.means_errors {
            return false;
        }
        let text = entry::text(it, true);
        if text.is_none()
            && !field_lists::is_map(it)
            && let Some((_, texts)) = entry::list_of_texts(it)
        {
            let texts = texts.children().filter_map(Node::words);
            texts.for_each(|text| entry::push(self.found, place.clone().in_known_part(), it, text));
            return true;
        }
        let is_silent = || it.string("code").is_some() && it.field("message").is_some_and(Node::is_null);
        let text = match text {
            Some((_, text)) => text,
            None if is_silent() => "".into(),
            None => return false,
        };
        // celebrate writes these places into `keys`.
        let own = if place.is_empty() { entry::places(it, self.around, "").unwrap_or_default() } else { Vec::new() };
        let places = if own.is_empty() { vec![place.clone()] } else { own };
        places.into_iter().for_each(|place| entry::push(self.found, place.in_known_part(), it, text.clone()));
        true
    }

    /// Reads a tree: `{"errors":[texts],"properties":{name:tree},"items":[tree]}`.
    fn tree(&mut self, place: &mut Place, it: Node<'t, 'a>, depth: usize) -> bool {
        self.found.of_whole |= depth > 0;
        if depth > DEPTH
            || !it.field("errors").is_some_and(|texts| texts_here(self.found, &place.clone().in_known_part(), texts))
        {
            return false;
        }
        let properties = it.field("properties").filter(|it| it.is_object());
        let of_properties = properties
            .into_iter()
            .flat_map(Node::children)
            .all(|field| self.branch(place, field, depth, |place| place.name(field.name())));
        let items = it.field("items").filter(|it| it.is_array());
        of_properties
            && items
                .into_iter()
                .flat_map(Node::children)
                .enumerate()
                .filter(|(_, item)| !item.is_null())
                .all(|(index, item)| self.branch(place, item, depth, |place| place.step(&index.to_string())))
    }

    fn branch(&mut self, place: &mut Place, tree: Node<'t, 'a>, depth: usize, step: impl FnOnce(&mut Place)) -> bool {
        let mark = place.len();
        step(place);
        let read = tree.is_object() && self.tree(place, tree, depth + 1);
        place.truncate(mark);
        read
    }
}

/// Returns true if a field contains data that is only for programmers.
fn is_of_program(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["stack", "trace", "debug", "exception", "sql"].iter().any(|part| name.contains(part))
}

/// Returns true if all names of an object are numbers.
fn has_numbers_alone(object: Node<'_, '_>) -> bool {
    let is_number =
        |field: Node<'_, '_>| !field.name().is_empty() && field.name().bytes().all(|byte| byte.is_ascii_digit());
    object.children().next().is_some() && object.children().all(is_number)
}
