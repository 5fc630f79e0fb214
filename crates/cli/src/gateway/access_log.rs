//! The flags of the access log.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use error_envelope_gateway::{AccessField, AccessFormat, AccessLog, AccessSink};

use crate::failure::{CommandError, with_help};

/// The time limit for writing the last lines at the end; lines that are not written by then are lost.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The flags of the access log.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Access log")]
pub(crate) struct AccessArgs {
    /// Write a line for each request to PATH, stdout or log (standard error); SIGUSR1 reopens PATH [default: off]
    #[arg(long, value_name = "PATH", value_parser = sink)]
    access_log: Option<AccessSink>,
    /// Set the format of a line
    #[arg(long, value_enum, requires = "access_log")]
    access_log_format: Option<Form>,
    /// Write these fields to a JSON line, in this order, such as timestamp,status,route [default: all]
    #[arg(long, value_name = "NAMES", requires = "access_log", value_delimiter = ',', value_parser = field)]
    access_log_fields: Option<Vec<AccessField>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Write one JSON object per line (default).
    Json,
    /// Write the combined format of Apache and nginx.
    Combined,
}

impl AccessArgs {
    /// Opens the access log, if there is one.
    pub(crate) fn open(&self) -> Result<Option<AccessLog>, CommandError> {
        let Some(sink) = &self.access_log else { return Ok(None) };
        let format = match (self.access_log_format, &self.access_log_fields) {
            (Some(Form::Combined), None) => AccessFormat::Combined,
            (Some(Form::Combined), Some(_)) => {
                let help = "leave out --access-log-fields, or choose --access-log-format json";
                return Err(CommandError::Io(format!("the combined format has fixed fields\n = help: {help}")));
            }
            (_, fields) => AccessFormat::Json(fields.clone().unwrap_or_else(|| AccessField::ALL.to_vec())),
        };
        let opened = AccessLog::open(sink, format);
        opened.map(Some).map_err(|error| CommandError::Io(format!("--access-log: {}", with_help(&error))))
    }
}

/// Writes the last lines, once every request has ended.
pub(crate) fn write_last(log: Option<&AccessLog>) {
    if log.is_some_and(|log| !log.flush(LAST_LINES)) {
        tracing::warn!("access log lines were lost: they could not be written in time");
    }
}

fn sink(place: &str) -> Result<AccessSink, String> {
    match place {
        "" => Err("write a path, stdout or log".to_owned()),
        "stdout" => Ok(AccessSink::Stdout),
        "log" => Ok(AccessSink::Log),
        path => Ok(AccessSink::File(PathBuf::from(path))),
    }
}

fn field(name: &str) -> Result<AccessField, String> {
    name.trim().parse().map_err(|error: error_envelope_gateway::Error| error.to_string())
}
