//! The metrics, in Prometheus' format.

use http::StatusCode;
#[cfg(feature = "prometheus")]
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::admin::Metrics;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};

/// The name of Prometheus' text format.
#[cfg(feature = "prometheus")]
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(crate) fn shown(request: &AdminRequest<'_>) -> Answer {
    match &request.admin.metrics {
        #[cfg(feature = "prometheus")]
        Metrics::Here(handle) => {
            let mut answer = answer::text(StatusCode::OK, handle.render());
            answer.headers_mut().insert(CONTENT_TYPE, FORMAT);
            answer
        }
        Metrics::Elsewhere(place) => answer::text(StatusCode::NOT_FOUND, &**place),
        Metrics::Nowhere => {
            answer::text(StatusCode::NOT_FOUND, "nothing is counted, because no metrics recorder is installed")
        }
    }
}
