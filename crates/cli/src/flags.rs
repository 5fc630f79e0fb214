//! The command line before it is parsed: former names of flags, `--help-all`, and variables of the environment.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Former names of flags: the command, the name and the present one.
const RENAMED: [(&str, &str, &str); 4] = [
    ("gateway", "--client-timeout", "--body-timeout"),
    ("demo", "--client-timeout", "--body-timeout"),
    ("envoy-config", "--http2", "--upstream-h2"),
    ("envoy-config", "--on-call", "--admin"),
];

/// The end of the help of a command that hides flags.
pub(crate) const MORE: &str = "--help-all also lists the limits that few services need.";

/// Lists the flags that hardly any service needs, too.
const HELP_ALL: &str = "--help-all";

/// The command whose flags may come from the environment.
const GATEWAY: &str = "gateway";
const VARIABLES: &str = "ERROR_ENVELOPE_";
/// Kubernetes sets these in each pod for a service of the name `error-envelope`.
const OF_KUBERNETES: [&str; 2] = ["ERROR_ENVELOPE_SERVICE_", "ERROR_ENVELOPE_PORT"];

/// Reads each flag of the gateway from its variable, too. The command line wins.
pub(crate) fn with_variables(command: Command) -> Command {
    let with_variable = |arg: Arg| match variable(&arg) {
        Some(name) => arg.env(name).hide_env(true),
        None => arg,
    };
    command.mut_subcommand(GATEWAY, |command| command.mut_args(with_variable))
}

/// The variables that look like those of flags, and are of none: a misspelt one would silently have no effect.
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

/// `ERROR_ENVELOPE_UPSTREAM_TIMEOUT` of `--upstream-timeout`.
fn variable(arg: &Arg) -> Option<String> {
    let long = arg.get_long().filter(|long| *long != "help" && *long != "color")?;
    Some(format!("{VARIABLES}{}", long.to_ascii_uppercase().replace('-', "_")))
}

/// Why a command line is refused that has a flag by its former name.
pub(crate) fn refused(words: &[OsString]) -> Option<String> {
    let flags = || words.iter().filter_map(|word| word.to_str()?.split('=').next());
    let is_used = |(command, old, _): &&(&str, &str, &str)| {
        words.iter().any(|word| word == command) && flags().any(|flag| flag == *old)
    };
    let (_, old, new) = RENAMED.iter().find(is_used)?;
    Some(format!("error: {old} is now called {new}\n = help: write {new}"))
}

/// The command and the words to parse: with `--help-all`, no flag is hidden.
pub(crate) fn with_help_all(command: Command, mut words: Vec<OsString>) -> (Command, Vec<OsString>) {
    let Some(word) = words.iter_mut().find(|word| *word == HELP_ALL) else { return (command, words) };
    *word = "--help".into();
    (command.mut_subcommands(|command| command.mut_args(|arg| arg.hide(false))), words)
}
