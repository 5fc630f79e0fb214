//! What validators find wrong, as issues (rule E8): garde's report, validator's errors, by `?`.
//!
//! The texts are those that the program wrote. A value that was sent is in none of them, and the report itself is no cause
//! for the log, because validator's parameters hold it (L3).

#[cfg(feature = "garde")]
mod garde;
#[cfg(feature = "validator")]
mod validator;

use http::StatusCode;

use crate::classify::details::compose;
use crate::code::ErrorCode;
use crate::dialect::issues::written::{NamedIssue, of_parameters};
use crate::fault::Fault;

/// One without issues says that there are some all the same: its program said that it is invalid.
fn fault<'a>(issues: impl IntoIterator<Item = NamedIssue<'a>>) -> Fault {
    let list = of_parameters(issues);
    // As of a body whose types do not fit.
    let fault = Fault::new(ErrorCode::INVALID_REQUEST).status(StatusCode::UNPROCESSABLE_ENTITY);
    fault.with_raw_details(list.and_then(|list| compose(None, &[], Some(&list), None)))
}
