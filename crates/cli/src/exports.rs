//! The traces and logs that the program exports by OTLP. Only a build with the feature `otlp` exports anything.

use std::sync::Arc;

use error_envelope_gateway::Tracer;
use tracing_subscriber::{Layer, Registry};

#[cfg(not(feature = "otlp"))]
use crate::failure::CommandError;

/// The running exports by OTLP. When this value is dropped, data that is not exported yet is sent.
#[derive(Default)]
pub(crate) struct Exports {
    /// Makes the spans of requests.
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
    /// Exports the log events.
    pub(crate) lines: Option<Box<dyn Layer<Registry> + Send + Sync>>,
    /// The address of the collector for traces.
    pub(crate) traces_to: Option<String>,
    pub(crate) logs_to: Option<String>,
    pub(crate) exporters: Option<Box<dyn Send>>,
}

impl Exports {
    /// Returns no exports, because this build lacks the feature `otlp`.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn start(_makes_spans: bool) -> Result<Self, CommandError> {
        Ok(Self::default())
    }

    /// Logs what is exported, and warns if the environment requests an export that this program does not make.
    pub(crate) fn log(&self) {
        const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

        if self.exporters.is_some() {
            tracing::info!(traces_to = self.traces_to, logs_to = self.logs_to, "exporting by OTLP");
        } else if !cfg!(feature = "otlp") && std::env::var_os(ENDPOINT).is_some_and(|endpoint| !endpoint.is_empty()) {
            tracing::warn!(
                "{ENDPOINT} is set, but this build cannot export; use an image, a release, or a build with \
                 `--features otlp`"
            );
        }
    }
}
