//! Prepares the command line before it is parsed: groups of verbs, `--help-all`, and environment variables for flags.

use std::ffi::OsString;

use clap::{Arg, Command};

/// The last line of the help of a command that has hidden flags.
const MORE: &str = "--help-all also lists the limits that few services need.";

/// The examples in the help of each verb.
const EXAMPLES: [(&str, &[&str]); 16] = [
    ("check", &["check policy.toml", "check policy.toml --effective POST /orders"]),
    ("diff", &["diff old.toml new.toml", "git show main:policy.toml | error-envelope diff - policy.toml"]),
    ("catalogue", &["catalogue --format typescript >errors.ts", "catalogue --diff old.json"]),
    ("schema", &["schema >policy.schema.json"]),
    ("envoy-config", &["envoy-config --policy policy.toml --upstream orders:8080"]),
    ("probe", &["probe http://127.0.0.1:8080", "probe https://api.example.com --policy policy.toml"]),
    ("man", &["man --dir man"]),
    ("completions", &["completions bash >error-envelope.bash"]),
    ("explain", &["explain error.http", "curl -is http://127.0.0.1:8080/x | error-envelope explain -"]),
    ("init", &["init --output policy.toml"]),
    ("gateway", &["gateway --upstream http://127.0.0.1:3000 --policy policy.toml"]),
    ("ext-proc", &["ext-proc --policy policy.toml --admin 9901"]),
    ("error-backend", &["error-backend --listen 127.0.0.1:8081"]),
    ("demo", &["demo", "demo --once"]),
    ("kill-switch", &["kill-switch status", "kill-switch on --admin 10.0.0.7:9901 --by maria"]),
    ("find", &["find req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D --admin 10.0.0.7:9901"]),
];

/// The groups in which `--help` and the manual list the verbs.
pub(crate) const GROUPS: [(&str, &[&str]); 4] = [
    ("Run", &["gateway", "ext-proc", "envoy-config", "error-backend", "demo"]),
    ("Policy", &["init", "check", "diff", "explain", "schema"]),
    ("Operate", &["probe", "find", "kill-switch"]),
    ("Export", &["catalogue", "man", "completions"]),
];

/// Lists the verbs in groups. clap has no setting for groups. So clap renders the list of each group, and a help
/// template combines the lists.
pub(crate) fn with_groups(command: Command) -> Command {
    let style = command.get_styles().get_header();
    let title = |title: &str| format!("{style}{title}:{style:#}\n");
    let group = |(name, verbs): &(&str, &[&str])| {
        let verbs = verbs.iter().filter_map(|verb| command.find_subcommand(verb).cloned());
        let list = Command::new("group").help_template("{subcommands}").max_term_width(80).subcommands(verbs);
        let list = list.disable_help_subcommand(true).render_help().ansi().to_string();
        format!("{}{}\n\n", title(name), list.trim_matches('\n'))
    };
    let groups: String = GROUPS.iter().map(group).collect();
    let (usage, options) = ("{about-with-newline}\n{usage-heading} {usage}\n\n", title("Options"));
    let template = format!("{usage}{groups}{options}{{options}}{{after-help}}");
    command.help_template(template)
}

/// Adds examples to the help of each verb.
pub(crate) fn with_examples(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (verb, examples)| {
        let line = |example: &&str| match example.contains(" | ") {
            true => format!("\n  {example}"),
            false => format!("\n  error-envelope {example}"),
        };
        let title = if examples.len() == 1 { "Example:" } else { "Examples:" };
        let examples: String = examples.iter().map(line).collect();
        command.mut_subcommand(verb, |command| {
            let more =
                if command.get_arguments().any(Arg::is_hide_set) { format!("{MORE}\n\n") } else { String::new() };
            command.after_help(format!("{more}{title}{examples}"))
        })
    })
}

/// The flag that shows the help with the hidden flags.
const HELP_ALL: &str = "--help-all";

/// The verb whose flags can also be set by environment variables.
const GATEWAY: &str = "gateway";
const VARIABLES: &str = "ERROR_ENVELOPE_";
/// The prefixes of the variables that Kubernetes sets in each pod if a service is named `error-envelope`. These
/// variables are not flags.
const OF_KUBERNETES: [&str; 2] = ["ERROR_ENVELOPE_SERVICE_", "ERROR_ENVELOPE_PORT"];

/// Lets an environment variable set each flag of the gateway. The command line takes precedence.
pub(crate) fn with_variables(command: Command) -> Command {
    let with_variable = |arg: Arg| match variable(&arg) {
        Some(name) => arg.env(name).hide_env(true),
        None => arg,
    };
    command.mut_subcommand(GATEWAY, |command| command.mut_args(with_variable))
}

/// Returns the environment variables with the prefix for flags that set no flag. Without a warning, a misspelt variable
/// would silently have no effect.
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

/// Returns the name of the variable that sets a flag, such as `ERROR_ENVELOPE_UPSTREAM_TIMEOUT` for
/// `--upstream-timeout`.
fn variable(arg: &Arg) -> Option<String> {
    let long = arg.get_long().filter(|long| *long != "help" && *long != "color")?;
    Some(format!("{VARIABLES}{}", long.to_ascii_uppercase().replace('-', "_")))
}

/// Returns the command and the arguments to parse. If the arguments contain `--help-all`, the command has no hidden
/// flags.
pub(crate) fn with_help_all(command: Command, mut words: Vec<OsString>) -> (Command, Vec<OsString>) {
    let Some(word) = words.iter_mut().find(|word| *word == HELP_ALL) else { return (command, words) };
    *word = "--help".into();
    (command.mut_subcommands(|command| command.mut_args(|arg| arg.hide(false))), words)
}
