//! The text that the log has for a fault, besides its code (rule L1).

use std::error::Error;

use crate::dialect::issues::written;
use crate::fault::Fault;
use crate::message::clean;

/// The most paths that are logged for one fault.
const MOST_PATHS: usize = 16;

/// The cause of a fault that has no source: its own text, and the paths of its issues. `None` if it has neither. No
/// value from the client is in it, unless the service put one into its text.
///
/// ```
/// use error_envelope_core::session::fault_cause;
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// let issues = serde_json::json!({"issues": [{"path": ["items", 0, "qty"], "message": "Required."}]});
/// let fault = Fault::new(ErrorCode::INVALID_REQUEST).message("Look at the cart.").details(issues);
/// assert_eq!(fault_cause(&fault).as_deref(), Some("Look at the cart. (items[0].qty)"));
/// assert_eq!(fault_cause(&Fault::new(ErrorCode::CONFLICT)), None);
/// ```
#[must_use]
pub fn fault_cause(fault: &Fault) -> Option<String> {
    if fault.source().is_some() {
        return None;
    }
    let text = Some(fault.text()).filter(|text| *text != fault.code().message());
    let paths = fault.details_json().map(written::paths).unwrap_or_default();
    let more = if paths.len() > MOST_PATHS { ", …" } else { "" };
    let paths = paths.iter().take(MOST_PATHS).filter_map(|path| clean(path)).collect::<Vec<_>>().join(", ");
    match (text, paths.is_empty()) {
        (Some(text), true) => Some(text.into_owned()),
        (Some(text), false) => Some(format!("{text} ({paths}{more})")),
        (None, true) => None,
        (None, false) => Some(format!("{paths}{more}")),
    }
}
