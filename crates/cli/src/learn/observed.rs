//! The parts of a service's error that drafts may use.

use tower_error_envelope::exchange::{DecidedBy, Origin};

use super::message_template::Template;
use crate::recorded::Recorded;
use crate::trial::TrialResult;

/// An inner error.
#[derive(Clone, Debug)]
pub(super) struct ObservedErrors {
    pub(super) status: u16,
    /// The pattern of its route, if there is one.
    pub(super) route: Option<String>,
    /// The name of its scope, if there is one.
    pub(super) scope: Option<String>,
    /// The code that the layer gives it.
    pub(super) becomes: String,
    /// The service's own code, if it is not in the catalogue.
    pub(super) code: Option<String>,
    /// The part of its text that is safe to write.
    pub(super) text: Option<Template>,
    /// Whether the error had content that the layer could parse, and not only a status.
    pub(super) has_content: bool,
    /// Whether only the status decided the code.
    pub(super) by_status: bool,
}

impl ObservedErrors {
    /// Takes these parts from a trial. `None` if the service sent no error, or the layer did not examine it.
    pub(super) fn from_trial(recorded: &Recorded, outcome: &TrialResult) -> Option<Self> {
        let event = outcome.event.as_ref().filter(|event| event.origin() == Origin::Inner)?;
        let (by, explanation) = (event.decided_by()?, outcome.explanation.as_ref()?);
        Some(Self {
            status: recorded.response.status().as_u16(),
            route: event.route().map(str::to_owned),
            scope: event.scope().map(str::to_owned),
            becomes: event.code().map(|code| code.as_str().to_owned()).unwrap_or_default(),
            code: event.notes().unknown_code().map(str::to_owned),
            text: explanation.message.as_deref().and_then(Template::from_text),
            has_content: event.dialect().is_some(),
            by_status: by == DecidedBy::Status,
        })
    }
}
