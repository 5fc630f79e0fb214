//! Further headers of responses that the layer itself makes: which party failed (L4), and which scripts may read them
//! (R6a).

use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::head;
use super::proxy_error::ProxyError;
use super::state::RequestState;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

impl RequestState {
    /// Marks the head of an answer that the service did not make. `error` is only called if the policy names this
    /// process.
    #[inline]
    pub(super) fn mark_own_answer(&self, headers: &mut HeaderMap, error: impl FnOnce() -> Option<ProxyError>) {
        if let Some(name) = self.policy().proxy_name() {
            add_proxy_status(headers, name, error());
        }
        if self.policy().cors().is_some() {
            self.allow_origin(headers);
        }
    }

    fn allow_origin(&self, headers: &mut HeaderMap) {
        let Some(cors) = self.policy().cors() else { return };
        if !cors.is_for_any() {
            head::vary_by(headers, "origin");
        }
        let Some(origin) = self.cold.as_ref().and_then(|cold| cold.origin.clone()) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if self.settings.expose_headers {
            head::expose(headers, &head::EXPOSED);
            // A client without credentials reads in this header where to get them (RFC 9728).
            if headers.contains_key(WWW_AUTHENTICATE) {
                head::expose(headers, &[WWW_AUTHENTICATE.as_str()]);
            }
            if self.request.rpc.is_some() {
                head::expose(headers, &head::EXPOSED_OF_GRPC);
            }
        }
    }
}

fn add_proxy_status(headers: &mut HeaderMap, name: &str, error: Option<ProxyError>) {
    let value = error.and_then(|error| HeaderValue::try_from(format!("{name}; error={}", error.as_str())).ok());
    if let Some(value) = value {
        headers.append(PROXY_STATUS, value);
    }
}
