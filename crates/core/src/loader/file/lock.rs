//! The settings that the files of a policy lock, and the defaults of each file, with which a lock is compared.

use crate::policy::keys::TableSettings;

/// A setting that a file locks (POLICY.md).
#[derive(Debug)]
pub(in crate::loader) struct Lock {
    /// The key, which is one of [`LOCKABLE`](super::tables).
    pub(in crate::loader) key: &'static str,
    pub(in crate::loader) file: usize,
    /// Where it is locked, as `FILE:LINE`.
    pub(in crate::loader) location: String,
}

/// The `[defaults]` of one file.
#[derive(Debug)]
pub(in crate::loader) struct FileDefaults {
    pub(in crate::loader) part: usize,
    pub(in crate::loader) file: usize,
    pub(in crate::loader) keys: TableSettings,
}
