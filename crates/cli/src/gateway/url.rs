//! URLs of services, as flags have them.

use error_envelope_core::policy::UpstreamUrl;
use error_envelope_gateway::{Error, Upstream};

/// A service to reach over HTTP/2; `None` means all.
pub(super) type Http2 = Option<UpstreamUrl>;

/// Parses the URL of a service. clap repeats a value that it refuses, so a URL with credentials is not refused here:
/// its error is the inner `Err`, for the caller to report without the URL.
pub(super) fn parse_service(url: &str) -> Result<Result<Upstream, Error>, String> {
    match url.parse::<Upstream>() {
        Err(error) if !error.has_credentials() => Err(error.to_string()),
        upstream => Ok(upstream),
    }
}

/// As [`parse_service`], but accepts the text [`ALL`], which means all services.
pub(super) fn parse_http2_service(url: &str) -> Result<Result<Http2, Error>, String> {
    match url {
        ALL => Ok(Ok(None)),
        url => parse_service(url).map(|parsed| parsed.map(|upstream| Some(upstream.url().clone()))),
    }
}

/// The value of `--upstream-h2` if the flag has none. It cannot be a URL.
pub(super) const ALL: &str = "all";
