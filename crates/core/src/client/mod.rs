//! The content of an error response, for its caller: the same shapes are read as the layer reads.
//!
//! [`read`] takes a response, complete or not; the caller provides its bytes.

mod error;
mod read;

pub use self::error::{ClientError, Issue, Step};
pub use self::read::{ResponseView, fails, read, read_failed};
