//! What an error response says to its caller: the same shapes are read as the layer reads.
//!
//! [`read`] takes a response as far as it is known; whoever has one brings its bytes.

mod error;
mod read;

pub use self::error::{ClientError, Issue, Step};
pub use self::read::{ResponseView, fails, read, read_failed};
