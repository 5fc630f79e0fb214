//! Recognises a map from the fields of a request to lists of their mistakes (R13). Only the form of the map decides.
//! Django, Django REST, the crate validator and Play send such maps. The names in a map may also be names of an error's
//! fields, because a request may have a field `message`.

use crate::dialect::field_names::{Meaning, is_code_name, meaning};
use crate::dialect::tree::Node;

/// The maximum depth of nested maps.
const DEPTH: usize = 8;

/// Returns true if an object can only be a map from fields to mistakes. Each field of the map must be a list of texts
/// or of objects. Such an object consists of a code, and at most a text and its parameters.
pub(in crate::dialect) fn is_map(object: Node<'_, '_>) -> bool {
    is_map_at(object, 0)
}

fn is_map_at(object: Node<'_, '_>, depth: usize) -> bool {
    let is_list = |list: Node<'_, '_>| {
        let is_error = |it: Node<'_, '_>| it.text().map_or_else(|| is_error(it), |text| is_verdict(&text));
        list.elements().is_some_and(|mut it| it.next().is_some_and(is_error) && it.all(is_error))
    };
    let is_inner = |field: Node<'_, '_>| depth < DEPTH && field.is_object() && is_map_at(field, depth + 1);
    let is_read = |field: Node<'_, '_>| !is_list_of_errors(field) && (is_list(field) || is_inner(field));
    // Errors have a text, not a list, as title or description. So a list under such a name means a field of the
    // request.
    let is_of_error = |field: Node<'_, '_>| {
        let name = field.name();
        name.eq_ignore_ascii_case("message") || is_code_name(name) || meaning(field, object) != Meaning::Nothing
    };
    let mut fields = object.children();
    object.is_object()
        && fields.next().is_some()
        && (fields.next().is_some() || object.children().all(is_surely_wrong))
        && object.children().all(is_read)
        && object.children().any(|field| !is_of_error(field))
}

/// Returns true if an object has only fields that a validator writes.
fn is_error(object: Node<'_, '_>) -> bool {
    let is_known = |field: Node<'_, '_>| match field.name() {
        "message" => field.is_text() || field.is_null(),
        "code" => field.is_text(),
        "msg" => field.is_array() || field.is_text(),
        "args" => field.is_array(),
        "params" => field.is_object() || field.is_null(),
        _ => false,
    };
    object.is_object()
        && object.children().all(is_known)
        && (object.has("code") && object.has("message") || object.has("msg") && object.has("args"))
}

/// Returns true if the only field of an object is certainly a wrong field of the request, and not a list of errors. The
/// codes in it must be codes of validators.
fn is_surely_wrong(field: Node<'_, '_>) -> bool {
    const CODES: &str = "required invalid blank null empty unique min_length max_length min_value max_value \
                         invalid_choice does_not_exist email length range url regex must_match incorrect_type not_a_list";

    let is_validators = |error: Node<'_, '_>| {
        let is_known = |code: &str| CODES.split_ascii_whitespace().any(|it| it == code);
        error.has("args") || error.string("code").is_some_and(|code| is_known(&code))
    };
    field.is_object() || field.children().all(is_validators)
}

/// Returns true if a list with this name contains the errors themselves, or contains no errors.
fn is_list_of_errors(list: Node<'_, '_>) -> bool {
    const NAMES: [&str; 7] = ["error", "errors", "messages", "errorMessages", "problems", "detail", "warnings"];

    list.is_array() && NAMES.iter().any(|name| list.name().eq_ignore_ascii_case(name))
}

/// Returns true if a text states what is wrong with a value. Any other text may be data.
pub(in crate::dialect) fn is_verdict(text: &str) -> bool {
    const WORDS: &str = "required invalid missing blank empty taken unknown duplicate mandatory unexpected forbidden \
                         unique short long";

    let text = text.trim();
    let is_word = |word: &str| WORDS.split(' ').any(|it| word.eq_ignore_ascii_case(it));
    !text.is_ascii()
        || text.contains(' ')
        || text.ends_with(['.', '!'])
        || text.is_empty()
        || text.split(['_', '-', '.', '!']).any(is_word)
}
