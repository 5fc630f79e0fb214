//! The command `error-envelope`, for owners of a tower-error-envelope policy, and for teams whose clients use the
//! contract.
//!
//! These modules are the verbs:
//!
//! - [`check`] reports errors in policy files, and the settings of a request. [`diff`] lists the settings that differ
//!   between two policies. `schema` prints a JSON Schema of policies for editors.
//! - [`catalogue`] writes the error codes and the envelope in the languages of clients and documents. It also lists the
//!   changes between two exports that break clients.
//! - [`probe`] checks whether a running service follows the contract.
//! - [`gateway`] applies the contract in front of a service. [`demo`] does this for an embedded service that
//!   misbehaves. [`error_backend`] writes the errors of another gateway. [`ext_proc`] applies the policy inside Envoy.
//! - [`kill_switch`] puts every route of running gateways in mode `off`, and [`find`] finds an error in running
//!   gateways. Both use the gateways' admin addresses ([`admin_client`]).
//! - [`man`] writes manual pages and shell completions from the text of `--help`.
//!
//! The verbs share the other modules. [`policy`] reads policies, and [`finding`] shows their lines, except
//! [`confidential`] lines. [`report`] writes findings for programs. [`flags`] reads flags from environment variables.
//! [`failure`] defines the errors of verbs. The exit code is 1 if the input is wrong, and 2 if the input cannot be
//! read. [`otlp`] exports traces and logs. [`target`] connects to services and gateways. [`stdin`] reads standard input
//! in place of a file, [`output`] opens files for writing, and [`text`] makes foreign texts printable.

#![allow(clippy::disallowed_methods, reason = "a program has a clock and an executor; the ban is for the library")]
#![allow(rustdoc::bare_urls, reason = "the docs of the flags are texts for `--help`")]

mod admin_client;
mod catalogue;
mod check;
mod confidential;
mod demo;
mod diff;
mod envoy;
mod error_backend;
mod explain;
mod exports;
mod ext_proc;
mod failure;
mod find;
mod finding;
mod flags;
mod gateway;
mod init;
mod kill_switch;
mod man;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod policy;
mod probe;
mod recorded;
mod report;
mod stdin;
mod target;
mod text;
mod trial;

use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

/// Apply one error contract to HTTP services: check policy files, export the contract, run a gateway, probe services.
#[derive(Parser)]
#[command(name = "error-envelope", version, max_term_width = 80, after_help = failure::exit_codes())]
struct Args {
    /// Set when to use colours [default: auto, only on a terminal]
    #[arg(long, global = true, display_order = 998, value_name = "WHEN", default_value_t, hide_default_value = true)]
    color: ColorChoice,
    #[command(subcommand)]
    verb: Verb,
}

/// In the order of [`flags::GROUPS`].
#[derive(Subcommand)]
enum Verb {
    Gateway(Box<gateway::Args>),
    ExtProc(ext_proc::Args),
    EnvoyConfig(envoy::Args),
    ErrorBackend(error_backend::Args),
    Demo(Box<demo::Args>),
    Init(init::Args),
    Check(check::Args),
    Diff(diff::Args),
    Explain(explain::Args),
    /// Generate a JSON Schema of the policy file, for editors
    ///
    /// Editors with taplo use it if the first line of the policy is `#:schema ./policy.schema.json`.
    Schema,
    Probe(Box<probe::Args>),
    Find(find::Args),
    KillSwitch(kill_switch::Args),
    Catalogue(catalogue::Args),
    Man(man::Args),
    Completions(man::Completions),
}

#[cfg(all(feature = "jemalloc", unix))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let command = flags::with_groups(flags::with_examples(flags::with_variables(Args::command())));
    let (command, words) = flags::with_help_all(command, words);
    let args = Args::from_arg_matches(&command.get_matches_from(words)).unwrap_or_else(|error| error.exit());
    choose_color(args.color);
    let done = match args.verb {
        Verb::Check(args) => check::run(&args),
        Verb::Diff(args) => diff::run(&args),
        Verb::Catalogue(args) => catalogue::run(&args),
        // The core's `policy/keys.rs` generates the part of this file that describes the keys of a route. Tests compare
        // the whole file with the code that reads policies.
        Verb::Schema => failure::print(include_str!("policy.schema.json")).map(|()| 0),
        Verb::EnvoyConfig(args) => envoy::run(&args).map(|()| 0),
        Verb::Probe(args) => probe::run(&args),
        Verb::Man(args) => man::run(&args, &Args::command()).map(|()| 0),
        Verb::Completions(args) => args.print(&mut Args::command()).map(|()| 0),
        Verb::Explain(args) => explain::run(&args).map(|()| 0),
        Verb::Init(args) => init::run(&args).map(|()| 0),
        Verb::Find(args) => find::run(&args),
        Verb::Gateway(args) => gateway::run(&args, &flags::unread_variables(&Args::command())),
        Verb::ExtProc(args) => ext_proc::run(&args),
        Verb::ErrorBackend(args) => error_backend::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::KillSwitch(args) => kill_switch::run(&args),
    };
    ExitCode::from(done.unwrap_or_else(|failure| {
        failure.print();
        failure.code()
    }))
}

fn choose_color(when: ColorChoice) {
    let choice = match when {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}
