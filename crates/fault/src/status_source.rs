//! Finds the error behind a tonic status that a handler returned.

use std::error::Error;
#[cfg(feature = "tonic")]
use std::fmt;

use http::Extensions;

/// Returns the error from which a handler made the tonic status in the extensions of its response. The status itself is
/// already in the response. Returns `None` without the feature `tonic`.
#[must_use]
pub fn status_source(_extensions: &Extensions) -> Option<Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "tonic")]
    {
        let status = _extensions.get::<tonic::Status>()?;
        status.source()?;
        Some(Box::new(StatusSource(status.clone())))
    }
    #[cfg(not(feature = "tonic"))]
    None
}

/// An error that prints the source of a status. The source itself can only be borrowed from the status.
#[cfg(feature = "tonic")]
#[derive(Debug)]
struct StatusSource(tonic::Status);

#[cfg(feature = "tonic")]
impl fmt::Display for StatusSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source().map_or(Ok(()), |source| fmt::Display::fmt(source, f))
    }
}

#[cfg(feature = "tonic")]
impl Error for StatusSource {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}
