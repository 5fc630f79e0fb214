//! Converts the errors of validator.

use std::borrow::Cow;

use serde_json::Value;
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use super::NamedIssue;
use crate::code::ErrorCode;
use crate::fault::{AsFault, Fault};

/// Converts each error into an issue: `{"path":["items",0,"qty"],"message":"Expected 1 to 9.","code":"range"}`.
///
/// The message is the message that the program set. If the program set none, the message is made from the name of the
/// rule and its limits.
impl AsFault for ValidationErrors {
    fn code(&self) -> ErrorCode {
        ErrorCode::INVALID_REQUEST
    }

    fn fault(&self) -> Fault {
        let mut found = Vec::new();
        collect(self, "", &mut found);
        super::with_issues(found)
    }

    fn into_fault(self) -> Fault {
        self.fault()
    }
}

/// Collects the issues in the order of the names of their fields, because validator's map has no order.
fn collect<'a>(errors: &'a ValidationErrors, place: &str, found: &mut Vec<NamedIssue<'a>>) {
    let mut fields: Vec<_> = errors.errors().iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, kind) in fields {
        // validator uses this name for a rule about the whole struct.
        let place = match (place, &**name) {
            (place, "__all__") => place.to_owned(),
            ("", name) => name.to_owned(),
            (place, name) => format!("{place}.{name}"),
        };
        match kind {
            ValidationErrorsKind::Struct(errors) => collect(errors, &place, found),
            ValidationErrorsKind::List(list) => {
                list.iter().for_each(|(at, errors)| collect(errors, &format!("{place}[{at}]"), found));
            }
            ValidationErrorsKind::Field(errors) => found.extend(errors.iter().map(|error| issue(&place, error))),
        }
    }
}

fn issue<'a>(place: &str, error: &'a ValidationError) -> NamedIssue<'a> {
    let message = error.message.as_deref().map_or_else(|| message_of_rule(error), Cow::Borrowed);
    NamedIssue { parameter: place.to_owned(), message, code: Some(Cow::Borrowed(&error.code)) }
}

/// Returns the message for a rule. validator's own text is not used, because it contains the name of the rule and all
/// parameters, including the value that the client sent.
fn message_of_rule(error: &ValidationError) -> Cow<'static, str> {
    match &*error.code {
        "required" | "required_nested" => "Required.".into(),
        "email" => "Expected an email address.".into(),
        "url" => "Expected a URL.".into(),
        "credit_card" => "Expected a card number.".into(),
        "length" => limits(error, "a length of ").map_or("The length is not valid.".into(), Cow::Owned),
        "range" => limits(error, "").map_or("Out of range.".into(), Cow::Owned),
        "non_control_character" => "Must not contain control characters.".into(),
        _ => "Not valid.".into(),
    }
}

fn limits(error: &ValidationError, what: &str) -> Option<String> {
    let number = |name: &str| error.params.get(name).filter(|it| it.is_number()).map(Value::to_string);
    let or_more = |min: String| format!("Expected {what}{min} or more.");
    if let Some(equal) = number("equal") {
        return Some(format!("Expected {what}{equal}."));
    }
    match (number("min"), number("max")) {
        (Some(min), Some(max)) => Some(format!("Expected {what}{min} to {max}.")),
        (Some(min), None) => Some(or_more(min)),
        (None, Some(max)) => Some(format!("Expected {what}{max} or less.")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn with(code: &'static str, params: &[(&'static str, i64)]) -> ValidationError {
        let mut error = ValidationError::new(code);
        params.iter().for_each(|(name, value)| error.add_param((*name).into(), value));
        error.add_param("value".into(), &"s3cr3t");
        error
    }

    fn of(field: &'static str, error: ValidationError) -> ValidationErrors {
        let mut errors = ValidationErrors::new();
        errors.add(field, error);
        errors
    }

    #[test]
    fn e8_each_error_is_an_issue_and_none_has_the_value() {
        let mut errors = of("name", with("length", &[("min", 1), ("max", 8)]));
        errors.add("name", with("shout", &[]).with_message("No shouting.".into()));
        errors.add("__all__", with("overlap", &[]));
        let list = BTreeMap::from([(1, Box::new(of("qty", with("range", &[("min", 1)]))))]);
        errors.errors_mut().insert("items".into(), ValidationErrorsKind::List(list));
        let nested = ValidationErrorsKind::Struct(Box::new(of("email", with("email", &[]))));
        errors.errors_mut().insert("owner".into(), nested);
        let fault = Fault::from(errors);
        let issues = concat!(
            r#"{"issues":[{"path":[],"message":"Not valid.","code":"overlap"},"#,
            r#"{"path":["items",1,"qty"],"message":"Expected 1 or more.","code":"range"},"#,
            r#"{"path":["name"],"message":"Expected a length of 1 to 8.","code":"length"},"#,
            r#"{"path":["name"],"message":"No shouting.","code":"shout"},"#,
            r#"{"path":["owner","email"],"message":"Expected an email address.","code":"email"}]}"#
        );
        assert_eq!((fault.status().as_u16(), fault.details_json()), (422, Some(issues)));
        assert!(std::error::Error::source(&fault).is_none());
    }
}
