//! The command line before it is parsed: former names of flags, and `--help-all`.

use std::ffi::OsString;

use clap::Command;

/// Former names of flags: the command, the name and the present one.
const RENAMED: [(&str, &str, &str); 4] = [
    ("gateway", "--client-timeout", "--body-timeout"),
    ("demo", "--client-timeout", "--body-timeout"),
    ("envoy-config", "--http2", "--upstream-h2"),
    ("envoy-config", "--on-call", "--admin"),
];

/// The end of the help of a command that hides flags.
pub(crate) const MORE: &str = "Limits that hardly any service needs are listed by --help-all.";

/// Lists the flags that hardly any service needs, too.
const HELP_ALL: &str = "--help-all";

/// Why a command line is refused that has a flag by its former name.
pub(crate) fn refused(words: &[OsString]) -> Option<String> {
    let flags = || words.iter().filter_map(|word| word.to_str()?.split('=').next());
    let is_used = |(command, old, _): &&(&str, &str, &str)| {
        words.iter().any(|word| word == command) && flags().any(|flag| flag == *old)
    };
    let (_, old, new) = RENAMED.iter().find(is_used)?;
    Some(format!("error: {old} has another name\n = help: write {new}"))
}

/// The command and the words to parse: with `--help-all`, no flag is hidden.
pub(crate) fn with_help_all(command: Command, mut words: Vec<OsString>) -> (Command, Vec<OsString>) {
    let Some(word) = words.iter_mut().find(|word| *word == HELP_ALL) else { return (command, words) };
    *word = "--help".into();
    (command.mut_subcommands(|command| command.mut_args(|arg| arg.hide(false))), words)
}
