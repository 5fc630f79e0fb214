//! The log: standard error, one line an event.

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;

use clap::ValueEnum;
use tracing::Span;
use tracing_subscriber::EnvFilter;

/// The form of a log line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Log {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Log {
    pub(crate) fn init(self) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,tower_error_envelope=debug".into());
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
        match self {
            Self::Text => log.with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).init(),
            Self::Json => log.json().init(),
        }
        std::panic::set_hook(Box::new(panicked));
    }
}

/// The standard hook writes several lines at once with whatever else is being written, which no JSON survives.
///
/// Within a request the layer logs the panic itself; only the place is missing there.
fn panicked(panic: &PanicHookInfo<'_>) {
    if Span::current().is_none() {
        tracing::error!(%panic);
    } else {
        tracing::debug!(%panic);
    }
}
