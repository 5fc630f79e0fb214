//! Errors of a verb that could not do its work, and the output of the others.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use error_envelope_gateway::Error as GatewayError;
use tower_error_envelope::PolicyError;

use crate::finding::Finding;

/// The exit codes of a verb. `gateway` and `demo` that a second signal ends at once exit with 128 and its number.
pub(crate) const EXIT_CODES: [(u8, &str); 3] =
    [(0, "success"), (FOUND, "something was found or refused"), (UNUSABLE, "wrong usage or an unreadable file")];

/// There are findings, the input is wrong, or part of the work failed.
pub(crate) const FOUND: u8 = 1;

/// The input could not be read.
pub(crate) const UNUSABLE: u8 = 2;

/// The table in a line, for `--help`.
pub(crate) fn exit_codes() -> String {
    let codes = EXIT_CODES.map(|(code, what)| format!("{code} {what}"));
    format!("Exit codes: {}.", codes.join(", "))
}

/// Why a verb could not do its work.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The input is wrong.
    Refused(String),
    /// The input cannot be read, or the output cannot be written.
    Io(String),
    /// The command failed, and has already reported it.
    Reported,
    /// The reader of the output has closed it, as `head` does.
    Closed,
}

impl CommandError {
    /// Prints the reason on standard error.
    pub(crate) fn print(&self) {
        if let Self::Refused(why) | Self::Io(why) = self {
            anstream::eprintln!("{why}");
        }
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => FOUND,
            Self::Io(_) | Self::Reported => UNUSABLE,
            Self::Closed => 0,
        }
    }

    /// The reason, if it is not reported yet.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Refused(why) | Self::Io(why) => why,
            Self::Reported | Self::Closed => String::new(),
        }
    }

    /// The failure of a command whose policy could not be read.
    pub(crate) fn from_error(error: &PolicyError) -> Self {
        let unreadable = error.source().is_some_and(|source| source.is::<io::Error>());
        let why = Finding::of_error(error).render();
        if unreadable { Self::Io(why) } else { Self::Refused(why) }
    }
}

impl From<GatewayError> for CommandError {
    fn from(error: GatewayError) -> Self {
        if error.is_unreadable() { Self::Io(with_help(&error)) } else { Self::Refused(with_help(&error)) }
    }
}

/// An error of the gateway, with a line for its advice.
pub(crate) fn with_help(error: &GatewayError) -> String {
    let help = error.advice().map(|advice| format!("\n = help: {advice}"));
    error.problem().to_owned() + &help.unwrap_or_default()
}

impl From<Vec<PolicyError>> for CommandError {
    fn from(errors: Vec<PolicyError>) -> Self {
        let problems: Vec<_> = errors.iter().map(Self::from_error).collect();
        let unreadable = problems.iter().any(|problem| matches!(problem, Self::Io(_)));
        let why = problems.into_iter().map(Self::text).collect::<Vec<_>>().join("\n\n");
        if unreadable { Self::Io(why) } else { Self::Refused(why) }
    }
}

/// Writes to standard output, in colours where that is a terminal.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CommandError::Closed,
        _ => CommandError::Io(format!("standard output: {error}")),
    })
}

/// As [`print()`], but a reader that has closed the output does not turn the exit code into a success.
pub(crate) fn print_unless_closed(text: &str) -> Result<(), CommandError> {
    match print(text) {
        Err(CommandError::Closed) => Ok(()),
        printed => printed,
    }
}

/// Runs `main` on this thread, in its own runtime. Then it drops the tasks that still run, so that a DNS lookup of half
/// a minute does not delay a stop.
pub(crate) fn block_on<T>(main: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    let runtime = error_envelope_gateway::current_thread_runtime();
    let runtime = runtime.map_err(|error| CommandError::Io(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(main);
    // With a time limit it would wait before it drops its tasks, and clients would wait with it.
    runtime.shutdown_background();
    outcome
}

/// Writes a line at once, for a reader that does not wait for the program's end.
pub(crate) fn print_line(line: fmt::Arguments<'_>) -> Result<(), CommandError> {
    let mut out = io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| CommandError::Io(format!("standard output: {error}")))
}
