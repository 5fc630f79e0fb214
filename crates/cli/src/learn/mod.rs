//! `error-envelope learn`: drafts of `[[map]]` and `[[code]]` tables for errors that have no code of their own yet.
//!
//! 1. A service's errors are [`observed`] in the layer's log ([`log`]), or in a HAR by a trial of each.
//! 2. Equal errors are one kind; those with only a status are left out.
//! 3. Each that the policy has no rule for is drafted ([`draft`]), the most frequent first. Text that may be a value
//!    is not written ([`message_template`]).

mod draft;
mod log;
mod message_template;
mod observed;

use std::path::PathBuf;

use tower_error_envelope::Mode;

use self::draft::Drafts;
use self::observed::ObservedErrors;
use crate::failure::CommandError;
use crate::recorded::Source;
use crate::report::OutputFormat;
use crate::trial::Trial;

/// Draft rules for errors that have no code yet
///
/// Reads the layer's log (text or JSON lines; mode `observe` is enough) or a HAR file. Prints rules and codes to append
/// to a policy, the most frequent first, without the variable parts of messages.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out errors for which this policy already has rules or codes [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: OutputFormat,
    /// Read this log of the layer or this HAR file
    #[arg(value_name = "LOG|HAR")]
    file: PathBuf,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    let trial = Trial::from_file(args.policy.as_deref(), &[Mode::Enforce])?;
    let source = Source::open(&args.file)?;
    let mut drafts = Drafts::new(trial.file.as_ref(), source.is_har);
    if source.is_har {
        source.each(|recorded| {
            let outcome = trial.run(&recorded, Some(Mode::Enforce), None);
            ObservedErrors::from_trial(&recorded, &outcome).into_iter().for_each(|seen| drafts.add(seen));
            Ok(())
        })?;
    } else {
        log::each(source, |seen| drafts.add(seen))?;
    }
    args.format.print(|| drafts.to_text(), || drafts.to_json())
}
