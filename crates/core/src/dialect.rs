//! The shapes in which services report errors (R2, R12). `error-envelope-read` reads and writes these
//! shapes. Its code begins in `crates/read/src/dialect/mod.rs`.

#[doc(inline)]
pub use error_envelope_read::dialect::{CustomShape, Dialect, DialectName, Shape};
#[cfg(feature = "foreign")]
#[doc(inline)]
pub use error_envelope_read::dialect::{Expected, PathNotation};

pub(crate) use error_envelope_read::dialect::*;
