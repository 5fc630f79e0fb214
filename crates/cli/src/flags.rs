//! The command line before it is parsed: `--help-all`, and variables of the environment.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The last line of the help of a command that has hidden flags.
pub(crate) const MORE: &str = "--help-all also lists the limits that few services need.";

/// The flag that shows the hidden flags, too, which hardly any service needs.
const HELP_ALL: &str = "--help-all";

/// The command whose flags may come from the environment.
const GATEWAY: &str = "gateway";
const VARIABLES: &str = "ERROR_ENVELOPE_";
/// The beginnings of variables that Kubernetes sets in each pod if a service is named `error-envelope`.
const OF_KUBERNETES: [&str; 2] = ["ERROR_ENVELOPE_SERVICE_", "ERROR_ENVELOPE_PORT"];

/// Makes each flag of the gateway readable from an environment variable. The command line wins.
pub(crate) fn with_variables(command: Command) -> Command {
    let with_variable = |arg: Arg| match variable(&arg) {
        Some(name) => arg.env(name).hide_env(true),
        None => arg,
    };
    command.mut_subcommand(GATEWAY, |command| command.mut_args(with_variable))
}

/// The environment variables that look like flags but belong to none: a misspelt variable would otherwise silently have
/// no effect.
pub(crate) fn unread_variables(command: &Command) -> Vec<String> {
    let gateway = command.find_subcommand(GATEWAY);
    let read: Vec<_> = gateway.into_iter().flat_map(Command::get_arguments).filter_map(variable).collect();
    let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let is_unread = |name: &String| {
        let is_of_kubernetes = OF_KUBERNETES.iter().any(|prefix| name.starts_with(prefix));
        name.starts_with(VARIABLES) && !is_of_kubernetes && !read.contains(name)
    };
    set.filter(is_unread).collect()
}

/// The variable of a flag: `ERROR_ENVELOPE_UPSTREAM_TIMEOUT` for `--upstream-timeout`.
fn variable(arg: &Arg) -> Option<String> {
    let long = arg.get_long().filter(|long| *long != "help" && *long != "color")?;
    Some(format!("{VARIABLES}{}", long.to_ascii_uppercase().replace('-', "_")))
}

/// The command and the words to parse: with `--help-all`, no flag is hidden.
pub(crate) fn with_help_all(command: Command, mut words: Vec<OsString>) -> (Command, Vec<OsString>) {
    let Some(word) = words.iter_mut().find(|word| *word == HELP_ALL) else { return (command, words) };
    *word = "--help".into();
    (command.mut_subcommands(|command| command.mut_args(|arg| arg.hide(false))), words)
}
