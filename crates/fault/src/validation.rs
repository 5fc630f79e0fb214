//! The errors that validators find, as issues (rule E8): garde's report, validator's errors, by `?`.
//!
//! The texts are those that the program wrote. None of them has a value that was sent. The report itself is no cause
//! for the log, because validator's parameters hold such values (L3).

#[cfg(feature = "garde")]
mod garde;
#[cfg(feature = "validator")]
mod validator;

use http::StatusCode;

use crate::code::ErrorCode;
use crate::details::compose;
use crate::fault::Fault;
use crate::issues::written::{NamedIssue, of_parameters};

/// A report without issues still makes an error: its program declared the value invalid.
fn fault<'a>(issues: impl IntoIterator<Item = NamedIssue<'a>>) -> Fault {
    let list = of_parameters(issues);
    // As of a body whose types do not fit.
    let fault = Fault::new(ErrorCode::INVALID_REQUEST).status(StatusCode::UNPROCESSABLE_ENTITY);
    fault.with_raw_details(list.and_then(|list| compose(None, &[], Some(&list), None)))
}
