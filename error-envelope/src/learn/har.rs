//! Inner errors in a HAR, by what a policy makes of them.

use std::path::Path;

use tower_error_envelope::Mode;
use tower_error_envelope::exchange::{DecidedBy, Origin};

use super::message_template::Template;
use super::observed::ObservedErrors;
use crate::failure::CommandError;
use crate::recorded::{self, Reader};
use crate::trial::Trial;

pub(super) fn each(
    path: &Path,
    reader: Reader,
    trial: &Trial,
    mut see: impl FnMut(ObservedErrors),
) -> Result<(), CommandError> {
    recorded::each_of_har(path, reader, |recorded| {
        let outcome = trial.run(&recorded, Some(Mode::Enforce), None);
        let Some((told, explanation)) = outcome.told.zip(outcome.explanation) else { return Ok(()) };
        let (Origin::Inner, Some(by)) = (told.origin, told.by) else { return Ok(()) };
        see(ObservedErrors {
            status: recorded.response.status().as_u16(),
            route: told.route,
            becomes: told.code.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            code: told.unknown_code,
            text: explanation.message.as_deref().and_then(Template::from_text),
            says: told.shape.is_some(),
            by_status: by == DecidedBy::Status,
        });
        Ok(())
    })?;
    Ok(())
}
