//! Reports invalid input as issues (E8). A handler can list issues itself, and `?` converts a report of garde or the
//! errors of validator.
//!
//! The program wrote the texts of these issues, and none contains a value that the client sent. The report itself does
//! not become a cause for the log, because parameters of validator contain such values (L3).

#[cfg(feature = "garde")]
mod garde;
#[cfg(feature = "validator")]
mod validator;

use std::borrow::Cow;

use http::StatusCode;

use crate::code::ErrorCode;
use crate::details::compose;
use crate::fault::Fault;
use error_envelope_text::issues::written::{NamedIssue, list_of_issues};

/// Describes a wrong value of a request, for [`Fault::invalid`]. An issue has the place of the value, a message about
/// the mistake, and a code for programs.
///
/// ```
/// use tower_error_envelope::{Fault, Issue};
///
/// let fault = Fault::invalid([
///     Issue::new("items[0].qty", "At most 9.").with_code("too_many"),
///     Issue::new("", "The dates overlap."),
/// ]);
/// assert_eq!((fault.status().as_u16(), fault.code().as_str()), (422, "invalid_request"));
/// assert_eq!(
///     fault.details_json(),
///     Some(r#"{"issues":[{"path":["items",0,"qty"],"message":"At most 9.","code":"too_many"},{"path":[],"message":"The dates overlap."}]}"#),
/// );
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Issue {
    place: Cow<'static, str>,
    message: Cow<'static, str>,
    code: Option<Cow<'static, str>>,
}

impl Issue {
    /// Creates an issue at a place, such as `qty`, `owner.email` or `items[0].qty`. An empty place means the whole
    /// request. The message is for people. Do not quote the value in the message, because clients already have the
    /// value, and it must not be logged.
    pub fn new(place: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { place: place.into(), message: message.into(), code: None }
    }

    /// Sets a code by which programs recognise the mistake, such as `too_many`. By default an issue has no code.
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }
}

impl Fault {
    /// Returns the fault for a request whose values are wrong: 422 `invalid_request` with these issues, in their order.
    /// The reports of `garde` and `validator` become the same fault. [`Fault::with_status`] sets another status, such
    /// as 400 for a query.
    pub fn invalid(issues: impl IntoIterator<Item = Issue>) -> Self {
        with_issues(issues.into_iter().map(|Issue { place, message, code }| NamedIssue {
            parameter: place.into_owned(),
            message,
            code,
        }))
    }

    /// Creates an `invalid_request` without issues. The status is 422, as for a body with values of the wrong type.
    pub(crate) fn unprocessable() -> Self {
        Self::new(ErrorCode::INVALID_REQUEST).with_status(StatusCode::UNPROCESSABLE_ENTITY)
    }
}

/// Returns the fault for these issues. A report without issues is still an error, because the program declared the
/// value invalid.
fn with_issues<'a>(issues: impl IntoIterator<Item = NamedIssue<'a>>) -> Fault {
    let list = list_of_issues(issues);
    Fault::unprocessable().with_raw_details(list.and_then(|list| compose(None, &[], Some(&list), None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e8_issues_by_hand_are_those_of_a_validator() {
        for (issues, details) in [
            (vec![], None),
            (vec![Issue::new("a.0.b[12]", "No.")], Some(r#"{"issues":[{"path":["a",0,"b",12],"message":"No."}]}"#)),
            (
                vec![Issue::new("b", "1st").with_code("x"), Issue::new("a", "2nd\nline")],
                Some(r#"{"issues":[{"path":["b"],"message":"1st","code":"x"},{"path":["a"],"message":"2nd line"}]}"#),
            ),
        ] {
            let fault = Fault::invalid(issues);
            assert_eq!((fault.status().as_u16(), fault.details_json()), (422, details));
        }
    }
}
