//! The metrics, in Prometheus' format.

use http::StatusCode;
#[cfg(feature = "prometheus")]
use http::header::{CONTENT_TYPE, HeaderValue};

#[cfg(feature = "prometheus")]
use crate::admin::Admin;
use crate::admin::Metrics;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};

/// The name of Prometheus' text format.
#[cfg(feature = "prometheus")]
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// All metrics, in Prometheus' format; `None` if this process does not serve them.
#[cfg(feature = "prometheus")]
pub(crate) fn text(admin: &Admin) -> Option<String> {
    let Metrics::Here(handle) = &admin.metrics else { return None };
    Some(handle.render())
}

pub(crate) fn shown(request: &AdminRequest<'_>) -> Answer {
    match &request.admin.metrics {
        #[cfg(feature = "prometheus")]
        Metrics::Here(_) => {
            let mut answer = answer::text(StatusCode::OK, text(request.admin).unwrap_or_default());
            answer.headers_mut().insert(CONTENT_TYPE, FORMAT);
            answer
        }
        Metrics::Elsewhere(place) => answer::text(StatusCode::NOT_FOUND, &**place),
        Metrics::Nowhere => {
            answer::text(StatusCode::NOT_FOUND, "nothing is counted, because no metrics recorder is installed")
        }
    }
}
