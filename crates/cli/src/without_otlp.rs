//! A build without the feature `otlp` exports no traces and no logs.

use std::sync::Arc;

use error_envelope_gateway::Tracer;
use tracing_subscriber::layer::Identity;

use crate::failure::CommandError;

pub(crate) struct Otlp;

impl Otlp {
    pub(crate) fn start(_makes_spans: bool) -> Result<Self, CommandError> {
        Ok(Self)
    }

    /// Warns if the environment has traces or logs exported.
    pub(crate) fn log(&self) {
        if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some_and(|endpoint| !endpoint.is_empty()) {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this build exports nothing: images and releases do, and a build \
                 with `--features otlp`"
            );
        }
    }

    pub(crate) fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        None
    }

    pub(crate) fn lines(&self) -> Option<Identity> {
        None
    }
}
