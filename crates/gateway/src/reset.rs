//! Makes a connection end with a reset, and detects whether a stream ended with one.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::Version;
use http_body::Body;
use hyper::body::Incoming;
use tower::BoxError;

/// Records that a connection's last body was cut off in a way that only a reset shows.
#[derive(Default)]
pub(crate) struct ResetOnBreak {
    old_client: AtomicBool,
    broken: AtomicBool,
}

impl ResetOnBreak {
    pub(crate) fn saw_request(&self, version: Version) {
        self.old_client.store(version < Version::HTTP_11, Relaxed);
    }

    /// Records that a body was cut off. Without a reset, a client of HTTP/1.0 would treat it as complete.
    pub(crate) fn body_broke_off(&self) {
        if self.old_client.load(Relaxed) {
            self.reset();
        }
    }

    /// Makes the connection end with a reset, even if its bodies are complete.
    pub(crate) fn reset(&self) {
        self.broken.store(true, Relaxed);
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.broken.load(Relaxed)
    }
}

/// Returns true if a body over HTTP/2 without more frames was not sent to its end. hyper treats a reset with `NO_ERROR`
/// as the end, while h2 reports the difference.
pub(crate) fn is_cut_off(body: &Incoming) -> bool {
    !body.is_end_stream()
}

/// Returns the error of a body that is [cut off](is_cut_off).
pub(crate) fn cut_off_error(peer: &str) -> BoxError {
    io::Error::new(io::ErrorKind::ConnectionReset, format!("the {peer} reset its stream in the middle of its body"))
        .into()
}

/// Returns the error of a client's body. It distinguishes a client that left from one that frames its body wrongly
/// (F1a).
pub(crate) fn client_body_error(error: hyper::Error) -> BoxError {
    let h2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    let is_gone = h2.is_some_and(|error| error.is_io() || error.is_remote());
    if is_gone { io::Error::new(io::ErrorKind::ConnectionReset, error).into() } else { error.into() }
}
