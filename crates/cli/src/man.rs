//! `error-envelope man` and `error-envelope completions` write manual pages and shell completions, from the text of
//! `--help`.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::failure::{CommandError, print};
use crate::output;

/// Generate man pages
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write one page per command to this folder [default: only the main page, to standard output]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Writes the manual pages to the folder, or the main page to standard output.
pub(crate) fn run(args: &Args, command: &Command) -> Result<(), CommandError> {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else { return print(&page(command)?) };
    let help = "name a folder that can be created";
    let failed = |error| format!("{}: cannot create the folder: {error}\n = help: {help}", dir.display());
    fs::create_dir_all(dir).map_err(|error| CommandError::Io(failed(error)))?;
    let verbs: Vec<Command> = command.get_subcommands().cloned().collect();
    for command in [command].into_iter().chain(verbs) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let path = dir.join(format!("{name}.1"));
        output::write(&path, &page(command)?).map_err(|error| {
            let help = "name a writable folder";
            CommandError::Io(format!("{}: cannot be written: {error}\n = help: {help}", path.display()))
        })?;
    }
    Ok(())
}

fn page(command: Command) -> Result<String, CommandError> {
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| CommandError::Io(format!("cannot write the manual page: {error}")))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Generate shell completions
///
/// For bash: `error-envelope completions bash > ~/.local/share/bash-completion/completions/error-envelope`.
#[derive(clap::Args)]
pub(crate) struct Completions {
    /// Generate completions for this shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Writes the shell completions to standard output.
    pub(crate) fn print(&self, command: &mut Command) -> Result<(), CommandError> {
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        generate(self.shell, command, name, &mut script);
        print(&String::from_utf8_lossy(&script))
    }
}
