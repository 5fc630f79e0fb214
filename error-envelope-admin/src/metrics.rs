//! What is counted, as Prometheus reads it.

#[cfg(feature = "prometheus")]
mod process;
#[cfg(feature = "prometheus")]
mod recorder;

use http::StatusCode;
#[cfg(feature = "prometheus")]
use http::header::{CONTENT_TYPE, HeaderValue};

#[cfg(feature = "prometheus")]
pub use self::recorder::{install, recorder};
use crate::admin::Metrics;
use crate::answer::{self, Answer};
use crate::asked::AdminRequest;

/// What Prometheus calls its text format.
#[cfg(feature = "prometheus")]
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(crate) fn shown(asked: &AdminRequest<'_>) -> Answer {
    match &asked.admin.metrics {
        #[cfg(feature = "prometheus")]
        Metrics::Here(handle) => {
            process::collect();
            let mut answer = answer::text(StatusCode::OK, handle.render());
            answer.headers_mut().insert(CONTENT_TYPE, FORMAT);
            answer
        }
        Metrics::Elsewhere(place) => answer::text(StatusCode::NOT_FOUND, &**place),
        Metrics::Nowhere => answer::text(StatusCode::NOT_FOUND, "nothing is counted: no recorder was given"),
    }
}
