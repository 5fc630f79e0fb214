//! `error-envelope completions`: shell completions for the command.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::failure::{CommandError, print};

/// Generate shell completions
///
/// For bash: `error-envelope completions bash > ~/.local/share/bash-completion/completions/error-envelope`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Generate completions for this shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args, command: &mut Command) -> Result<(), CommandError> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(args.shell, command, name, &mut script);
    let script = String::from_utf8(script)
        .map_err(|error| CommandError::Io(format!("cannot write the completions: {error}")))?;
    print(&script)
}
