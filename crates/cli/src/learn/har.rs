//! Inner errors in a HAR, with a policy's result for each.

use std::path::Path;

use tower_error_envelope::Mode;
use tower_error_envelope::exchange::{DecidedBy, Origin};

use super::message_template::Template;
use super::observed::ObservedErrors;
use crate::failure::CommandError;
use crate::recorded::{self, Reader, Recorded};
use crate::trial::{Trial, TrialResult};

pub(super) fn each(
    path: &Path,
    reader: Reader,
    trial: &Trial,
    mut see: impl FnMut(ObservedErrors),
) -> Result<(), CommandError> {
    recorded::each_of_har(path, reader, |recorded| {
        observed(&recorded, trial.run(&recorded, Some(Mode::Enforce), None)).into_iter().for_each(&mut see);
        Ok(())
    })?;
    Ok(())
}

/// `None` if the service sent no error, or the layer did not read it.
fn observed(recorded: &Recorded, outcome: TrialResult) -> Option<ObservedErrors> {
    let (event, explanation) = outcome.event.zip(outcome.explanation)?;
    let by = event.by.filter(|_| event.origin == Origin::Inner)?;
    Some(ObservedErrors {
        status: recorded.response.status().as_u16(),
        route: event.route,
        becomes: event.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
        code: event.unknown_code,
        text: explanation.message.as_deref().and_then(Template::from_text),
        says: event.shape.is_some(),
        by_status: by == DecidedBy::Status,
    })
}
