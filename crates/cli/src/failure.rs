//! The errors of commands, and the functions with which commands print their output.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use error_envelope_gateway::Error as GatewayError;
use tokio::runtime::Builder;
use tower_error_envelope::PolicyError;

use crate::finding::Finding;
use crate::text::printable;

/// The exit codes of all commands, except for a command that a second signal ended.
pub(crate) const EXIT_CODES: [(u8, &str); 4] = [
    (0, "success"),
    (FOUND, "something was found or refused"),
    (UNUSABLE, "wrong usage or an unreadable file"),
    (UNREACHABLE, "a service that cannot be reached"),
];

/// The exit code if there are findings, if the input is wrong, or if part of the work failed.
pub(crate) const FOUND: u8 = 1;

/// The exit code if the input could not be read.
pub(crate) const UNUSABLE: u8 = 2;

/// The exit code if a service or a gateway cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;

/// Returns the table of exit codes in one line, for `--help`.
pub(crate) fn exit_codes() -> String {
    let codes = EXIT_CODES.map(|(code, what)| format!("{code} {what}"));
    format!("Exit codes: {}, 128 + signal if a second signal ended a server.", codes.join(", "))
}

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// The input is wrong.
    Refused(String),
    /// The input cannot be read, or the output cannot be written.
    Io(String),
    /// A service cannot be reached.
    Unreachable(String),
    /// A policy is refused or cannot be read. The fields are the rendered findings and the exit code.
    Policy(String, u8),
    /// The command failed, and has already printed the reason.
    Reported,
    /// The reader of the output, such as `head`, has closed the output.
    Closed,
}

impl CommandError {
    /// Prints the reason on standard error.
    pub(crate) fn print(&self) {
        match self {
            Self::Refused(why) | Self::Io(why) | Self::Unreachable(why) => {
                anstream::eprintln!("error: {}", printable(why));
            }
            Self::Policy(findings, _) => anstream::eprintln!("{findings}"),
            Self::Reported | Self::Closed => {}
        }
    }

    /// Returns the exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => FOUND,
            Self::Io(_) | Self::Reported => UNUSABLE,
            Self::Unreachable(_) => UNREACHABLE,
            Self::Policy(_, code) => *code,
            Self::Closed => 0,
        }
    }

    /// Returns the reason, or an empty text if the command has already printed it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Refused(why) | Self::Io(why) | Self::Unreachable(why) | Self::Policy(why, _) => why,
            Self::Reported | Self::Closed => String::new(),
        }
    }

    /// Makes the command's error from the error of a socket at an address, which is the value of this flag.
    pub(crate) fn of_socket(flag: &str, address: &str, error: &GatewayError) -> Self {
        let advice = error.advice().unwrap_or("choose another address, or port 0 for any free port");
        Self::Io(format!("{flag} {address}: {}\n = help: {advice}", error.problem()))
    }

    /// Makes the command's error from the error of a policy.
    pub(crate) fn from_error(error: &PolicyError) -> Self {
        let unreadable = error.source().is_some_and(|source| source.is::<io::Error>());
        Self::Policy(Finding::of_error(error).render(), if unreadable { UNUSABLE } else { FOUND })
    }

    /// Makes the command's error from all errors of a policy that `check` found, instead of only the first.
    pub(crate) fn of_policy<T>(first: &PolicyError, checked: Result<T, Vec<PolicyError>>) -> Self {
        match checked {
            Err(all) => Self::from(all),
            // The operator has corrected the file in the meantime, so only the first error is reported.
            Ok(_) => Self::from_error(first),
        }
    }
}

impl From<GatewayError> for CommandError {
    fn from(error: GatewayError) -> Self {
        if error.is_unreadable() { Self::Io(with_help(&error)) } else { Self::Refused(with_help(&error)) }
    }
}

/// Returns the text of a gateway's error, with its advice on a separate line.
pub(crate) fn with_help(error: &GatewayError) -> String {
    let help = error.advice().map(|advice| format!("\n = help: {advice}"));
    error.problem().to_owned() + &help.unwrap_or_default()
}

impl From<Vec<PolicyError>> for CommandError {
    fn from(errors: Vec<PolicyError>) -> Self {
        let problems: Vec<_> = errors.iter().map(Self::from_error).collect();
        let code = problems.iter().map(Self::code).max().unwrap_or(FOUND);
        Self::Policy(problems.into_iter().map(Self::text).collect::<Vec<_>>().join("\n\n"), code)
    }
}

/// Writes a text to standard output. Characters that control a terminal are escaped.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    write(&printable(text))
}

/// Writes a text to standard output. Removes its colour codes unless standard output is a terminal.
fn write(text: &str) -> Result<(), CommandError> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CommandError::Closed,
        _ => CommandError::Io(format!("standard output: {error}")),
    })
}

/// Works like [`print()`], but returns `Ok` if the reader has closed the output, so that the caller still chooses the
/// exit code.
pub(crate) fn print_unless_closed(text: &str) -> Result<(), CommandError> {
    print_styled(&printable(text))
}

/// Works like [`print_unless_closed`], but for a text with colour codes. The other characters of the text must already
/// be printable.
pub(crate) fn print_styled(text: &str) -> Result<(), CommandError> {
    match write(text) {
        Err(CommandError::Closed) => Ok(()),
        printed => printed,
    }
}

/// The number of ready sockets that a runtime takes from the system before it handles them. With tokio's default of
/// 1,024, requests over 1,024 connections cost a tenth more.
const EVENTS_AT_ONCE: usize = 16;

/// The longest time for which a stop waits for the runtime's threads to drop their tasks. The stop does not wait for a
/// slow DNS lookup, which can take longer.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// Runs `main` on this thread, in its own runtime.
pub(crate) fn block_on<T>(main: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    block_on_threads(0, main)
}

/// Runs `main` on this thread, and the tasks that it spawns on this many other threads. With 0 other threads, the tasks
/// also run on this thread. When `main` has ended, the tasks that still run are dropped.
pub(crate) fn block_on_threads<T>(
    threads: usize,
    main: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.max(1)).enable_all().max_io_events_per_tick(EVENTS_AT_ONCE).build();
    let runtime = runtime.map_err(|error| CommandError::Io(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(main);
    match threads {
        // With a time limit, this thread would first wait and then drop the tasks. The clients of these tasks would
        // also have to wait.
        0 => runtime.shutdown_background(),
        _ => runtime.shutdown_timeout(LAST_TASKS),
    }
    outcome
}

/// Writes a line and flushes it at once, because a script may wait for this line while the program runs.
pub(crate) fn print_line(line: fmt::Arguments<'_>) -> Result<(), CommandError> {
    let mut out = io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| CommandError::Io(format!("standard output: {error}")))
}
