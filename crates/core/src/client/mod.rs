//! Reads the content of an error response for the caller of a service. The module reads the same shapes as the layer.
//!
//! [`read`] takes the parts of a response, which need not be complete. The caller reads the bytes of the response
//! itself.

mod error;
mod read;

pub use self::error::{ClientError, Issue, Step};
pub use self::read::{ResponseView, fails, read, read_failed};
