//! Checks that the manual's page about the command contains the text of `--help`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::failure::exit_codes;
use crate::flags::GROUPS;

/// The environment variable with which the test writes the page instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const INTRO: &str = "# The command

<!-- the page is written by UPDATE_MANUAL=1 cargo test -p error-envelope-cli the_manual_lists_each_option -->
What `error-envelope COMMAND --help` prints. [The command's README](../crates/cli/README.md) has examples of each.
`--color <WHEN>` and `--help` go with every command.
";

#[test]
fn the_manual_lists_each_option() {
    let mut command = crate::Args::command().disable_help_subcommand(true);
    command.build();
    let gateway = command.find_subcommand("gateway").expect("a verb");
    let verb = |name: &&str| section(command.find_subcommand(name).expect("a verb"), gateway);
    let group =
        |(title, verbs): &(&str, &[&str])| format!("\n## {title}\n") + &verbs.iter().map(verb).collect::<String>();
    let groups: String = GROUPS.iter().map(group).collect();
    let made = format!("{INTRO}{}\n{groups}", exit_codes());
    let in_groups = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied());
    assert!(command.get_subcommands().map(Command::get_name).eq(in_groups), "a verb is in no group, or out of order");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manual/cli.md");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(path, made).unwrap();
    } else {
        assert!(fs::read_to_string(path).unwrap() == made, "manual/cli.md is stale: run again with {REWRITE}=1");
    }
}

/// Returns the section of a verb. Flags that the demo shares with the gateway are only in the gateway's section.
fn section(verb: &Command, gateway: &Command) -> String {
    let about = verb.get_long_about().or(verb.get_about()).expect("a verb says what it does").to_string();
    let usage = verb.clone().render_usage().to_string().replace("Usage: ", "");
    let mut section = format!("\n### {}\n\n{}\n\n```text\n{usage}\n```\n", verb.get_name(), about.trim_end());
    let is_demo = verb.get_name() == "demo";
    let is_shared = |arg: &Arg| is_demo && gateway.get_arguments().any(|other| row(other) == row(arg));
    let listed = verb.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_id() != "help");
    let (shared, args): (Vec<_>, Vec<_>) = listed.partition(|arg| is_shared(arg));
    let mut headings: Vec<_> = args.iter().map(|arg| arg.get_help_heading()).collect();
    headings.dedup();
    for heading in headings {
        let rows = args.iter().filter(|arg| arg.get_help_heading() == heading).map(|arg| row(arg));
        write!(section, "\n| {} | default | |\n|---|---|---|\n", heading.unwrap_or("option")).unwrap();
        section.extend(rows);
    }
    if !shared.is_empty() {
        section += "\nThe other options are [the gateway's](#gateway).\n";
    }
    section
}

fn row(arg: &Arg) -> String {
    let takes_values = arg.get_action().takes_values();
    let defaults = arg.get_default_values().iter().filter(|_| takes_values).map(|value| value.to_string_lossy());
    let default = defaults.collect::<Vec<_>>().join(", ");
    let help = arg.get_long_help().or(arg.get_help()).expect("an option has help").to_string();
    let mut help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let values = arg.get_possible_values();
    let described = values.iter().map(|value| match value.get_help() {
        Some(help) => format!("`{}`: {help}", value.get_name()),
        None => format!("`{}`", value.get_name()),
    });
    if takes_values && !values.is_empty() {
        help += &format!(". Values: {}", described.collect::<Vec<_>>().join("; "));
    }
    if arg.is_hide_set() {
        help += " (listed by `--help-all`)";
    }
    // In Markdown, text in angle brackets would be HTML.
    let help = help.replace('|', "\\|").replace('<', "&lt;");
    format!("| `{arg}` | {default} | {help} |\n")
}
