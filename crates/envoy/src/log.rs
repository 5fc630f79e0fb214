//! Writes the library's log to Envoy's log (L1). The lines are the same, and use the logger `dynamic_modules`.

use std::io;
use std::sync::Once;

use tracing::Metadata;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::abi::{self, Level};

/// The targets of the library and of the admin address.
const TARGETS: [&str; 2] = ["tower_error_envelope", "error_envelope_admin"];

/// Sends the lines of this module to Envoy's log from now on. The log level is read each time, because it may change
/// while Envoy runs.
pub(crate) fn install() {
    static ONCE: Once = Once::new();

    ONCE.call_once(|| {
        // This module has its own copy of std, so it replaces no other code's hook. The layer logs the panic's text
        // with the request's id.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            abi::log(Level::Error, format!("error_envelope: a hook panicked at {place}").as_bytes());
        }));
        let ours = |line: &Metadata<'_>| TARGETS.iter().any(|target| line.target().starts_with(target));
        let wanted = dynamic_filter_fn(move |line, _| ours(line) && abi::logs(level(line)));
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_level(false).with_target(false);
        let lines = lines.without_time().with_writer(Lines).with_filter(wanted);
        // This module has its own copy of tracing, so no other code can have set a subscriber.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
    });
}

fn level(line: &Metadata<'_>) -> Level {
    match *line.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

struct Lines;

struct Line(Level);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Level::Info)
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Line {
        Line(level(line))
    }
}

impl io::Write for Line {
    /// Writes one line. Each call passes one complete line.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        abi::log(self.0, bytes.trim_ascii_end());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
