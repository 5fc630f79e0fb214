//! Decides whether a client's connection ends with a reset, and detects whether an HTTP/2 stream ended with a reset.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use error_envelope_core::cause::find;
use http::Version;
use http_body::Body;
use hyper::body::Incoming;
use tower::BoxError;

/// Records whether a client's connection must be closed with a reset.
#[derive(Default)]
pub(crate) struct ResetOnBreak {
    old_client: AtomicBool,
    broken: AtomicBool,
}

impl ResetOnBreak {
    pub(crate) fn saw_request(&self, version: Version) {
        self.old_client.store(version < Version::HTTP_11, Relaxed);
    }

    /// Records that a response body was cut off. Without a reset, a client of HTTP/1.0 would treat the body as
    /// complete.
    pub(crate) fn body_broke_off(&self) {
        if self.old_client.load(Relaxed) {
            self.reset();
        }
    }

    /// Makes the connection end with a reset, even if its response bodies are complete.
    pub(crate) fn reset(&self) {
        self.broken.store(true, Relaxed);
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

/// Returns true if an HTTP/2 body that returns no more frames was cut off by a reset. hyper treats a reset with
/// `NO_ERROR` as the end of the body, but `is_end_stream` then returns false.
pub(crate) fn is_cut_off(body: &Incoming) -> bool {
    !body.is_end_stream()
}

/// Returns the error of a body that is [cut off](is_cut_off).
pub(crate) fn cut_off_error(peer: &str) -> BoxError {
    io::Error::new(io::ErrorKind::ConnectionReset, format!("the {peer} reset its stream in the middle of its body"))
        .into()
}

/// Returns true if h2 reset the stream of a request, because the request was malformed (RFC 9113 §8.1.1).
pub(crate) fn is_malformed(error: &(dyn Error + 'static)) -> bool {
    find::<h2::Error>(error).is_some_and(|error| error.is_library() && error.is_reset())
}

/// Converts the error of a client's body. If the client left, the result is a `ConnectionReset`. If the client framed
/// its body wrongly, the error remains hyper's (F1a).
pub(crate) fn client_body_error(error: hyper::Error) -> BoxError {
    let h2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    let is_gone = h2.is_some_and(|error| error.is_io() || error.is_remote());
    if is_gone { io::Error::new(io::ErrorKind::ConnectionReset, error).into() } else { error.into() }
}
