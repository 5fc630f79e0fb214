//! The shapes of rule R2 that are read alone, described as a policy describes its own (R15).
//!
//! Rows of one shape stand from the most telling to the least: the first whose signs a body has reads it.

use super::custom::{Condition, Description, Expected, Places, Pointer};

/// A form of bodies that no template writes.
pub(super) struct Row {
    /// What all of its bodies have.
    when: &'static [(&'static str, Expected)],
    /// Where they have what they say; the first place that has a value counts.
    code: &'static [&'static str],
    message: &'static [&'static str],
    details: &'static [&'static str],
}

const CODE: &[&str] = &["/code"];
const DETAILS: &[&str] = &["/details"];

/// `{"error":{"code","message","details"}}` without an id. JSON-RPC, where it is rewritten (R10), has its details as data.
pub(super) const ERROR_OBJECT: &[Row] = &[
    Row { details: &["/error/details", "/error/data"], ..error_object(&[JSON_RPC, ERROR_IS_OBJECT]) },
    Row { details: &["/error/details"], ..error_object(&[ERROR_IS_OBJECT]) },
];

const JSON_RPC: (&str, Expected) = ("/jsonrpc", Expected::Any);
const ERROR_IS_OBJECT: (&str, Expected) = ("/error", Expected::Object);

const fn error_object(when: &'static [(&'static str, Expected)]) -> Row {
    Row { when, code: &["/error/code"], message: &["/error/message"], details: &[] }
}

/// `{"detail":…}`: a text, an object that a handler gave to `HTTPException`, or a list of field errors.
pub(super) const FASTAPI: &[Row] = &[
    Row { when: &[("/detail", Expected::String)], code: CODE, message: &["/detail"], details: &[] },
    Row {
        when: &[("/detail", Expected::Object)],
        code: &["/detail/code", "/code"],
        message: &["/detail/message", "/message"],
        details: &["/detail"],
    },
    Row { when: &[("/detail", Expected::Any)], code: CODE, message: &[], details: &["/detail"] },
];

/// `{timestamp,status,error,path}`: `error` is the status's phrase, a `message` says more.
pub(super) const SPRING: &[Row] = &[Row {
    when: &[
        ("/timestamp", Expected::Any),
        ("/status", Expected::Any),
        ("/path", Expected::Any),
        ("/error", Expected::NonBlank),
    ],
    code: CODE,
    message: &["/message", "/error"],
    details: &[],
}];

/// `{"error":"…"}`, whose text is a code where a `message` stands beside it and it is not the status's phrase.
pub(super) const ERROR_TEXT: &[Row] = &[
    Row {
        when: &[("/error", Expected::Name), ("/message", Expected::NonBlank), ("/code", Expected::Absent)],
        code: &["/error"],
        message: &["/message"],
        details: DETAILS,
    },
    Row { when: &[("/error", Expected::NonBlank)], code: CODE, message: &["/message", "/error"], details: DETAILS },
];

/// `{"message","errors":{field:[…]}}`, the form that `status_in_error` has for a 422, or the list alone. A list by anything but
/// fields is no client's of that dialect (R12).
pub(super) const STATUS_IN_ERROR: &[Row] =
    &[with_message(&[("/errors", Expected::Object), ("/errors", Expected::Issues)])];

/// `{"message":"…"}`, or a list of issues, beside a message or alone.
pub(super) const MESSAGE: &[Row] = &[
    with_message(&[("/message", Expected::NonBlank)]),
    with_message(&[("/errors", Expected::Issues)]),
    with_message(&[("/issues", Expected::Issues)]),
];

const fn with_message(when: &'static [(&'static str, Expected)]) -> Row {
    Row { when, code: CODE, message: &["/message"], details: DETAILS }
}

/// A text by another name, or the message of a single error (R3).
pub(super) const OTHER_TEXT: &[Row] = &[
    with_text(&[("/msg", Expected::NonBlank)]),
    with_text(&[("/statusMessage", Expected::NonBlank)]),
    with_text(&[("/description", Expected::NonBlank)]),
    with_text(&[("/title", Expected::NonBlank)]),
    Row {
        message: &["/errors/0/message"],
        ..with_text(&[("/errors/0/message", Expected::NonBlank), ("/errors/1", Expected::Absent)])
    },
];

const fn with_text(when: &'static [(&'static str, Expected)]) -> Row {
    Row { when, code: CODE, message: &["/msg", "/statusMessage", "/description", "/title"], details: &[] }
}

impl Row {
    pub(super) fn compile(&self, name: &str) -> Description {
        let when = self.when.iter().filter_map(|(at, is)| Some(Condition { at: Pointer::parse(at)?, is: is.clone() }));
        Description {
            code: places(self.code),
            message: places(self.message),
            details: places(self.details),
            ..Description::new(name, when.collect())
        }
    }
}

fn places(pointers: &[&str]) -> Places {
    pointers.iter().filter_map(|pointer| Pointer::parse(pointer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_every_place_of_a_row_is_a_pointer() {
        for row in
            [ERROR_OBJECT, FASTAPI, SPRING, ERROR_TEXT, STATUS_IN_ERROR, MESSAGE, OTHER_TEXT].into_iter().flatten()
        {
            let places = row.when.iter().map(|(place, _)| place).chain(row.code).chain(row.message).chain(row.details);
            for place in places {
                assert_eq!(Pointer::parse(place).unwrap().to_string(), *place);
            }
        }
    }
}
