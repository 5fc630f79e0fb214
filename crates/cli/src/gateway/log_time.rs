//! The time of a log line.

use std::fmt;
use std::time::UNIX_EPOCH;

use error_envelope_runtime as runtime;
use humantime::format_rfc3339_micros;
use tracing_subscriber::fmt::format::Writer;

/// Writes the time to the microsecond.
pub(super) fn write_time(line: &mut Writer<'_>) -> fmt::Result {
    // Even if the clock is before 1970, the line is written.
    let now = runtime::now().max(UNIX_EPOCH);
    write!(line, "{}", format_rfc3339_micros(now)).or_else(|_| line.write_str("<unknown time>"))
}
