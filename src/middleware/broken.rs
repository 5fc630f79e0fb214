//! A response body that fails.

use std::error::Error;
use std::fmt;
use std::task::Poll;

use bytes::Bytes;
use http_body::Frame;

use error_envelope_core::exchange::{BoxError, Origin};

/// A response body that broke off after its head had left. What failed is in the log, under the request's id.
#[derive(Debug)]
pub struct ResponseBodyError(pub(super) &'static str);

impl fmt::Display for ResponseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ResponseBodyError {}

pub(super) type Broken = (Origin, BoxError);

pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>>;

/// What the server below reads.
pub(super) fn text_of(origin: Origin) -> &'static str {
    match origin {
        Origin::Panic => "the response body panicked",
        _ => "the response body failed",
    }
}
