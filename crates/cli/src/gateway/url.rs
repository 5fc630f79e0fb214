//! URLs of services, as flags have them.

use error_envelope_gateway::{Error, Upstream};
use tower_error_envelope::policy::UpstreamUrl;

/// A service to reach over HTTP/2; `None` means all.
pub(super) type Http2 = Option<UpstreamUrl>;

/// clap would repeat a URL that it refuses: one with credentials is refused later.
pub(super) fn upstream(url: &str) -> Result<Result<Upstream, Error>, String> {
    match url.parse::<Upstream>() {
        Err(error) if !error.has_credentials() => Err(error.to_string()),
        upstream => Ok(upstream),
    }
}

/// As [`upstream`]; a text that no URL can be means all.
pub(super) fn http2(url: &str) -> Result<Result<Http2, Error>, String> {
    match url {
        ALL => Ok(Ok(None)),
        url => upstream(url).map(|parsed| parsed.map(|upstream| Some(upstream.url().clone()))),
    }
}

/// The value of `--upstream-h2` that names no service.
pub(super) const ALL: &str = "all";
