//! The ABI's types for borrowed memory. The types are public for code that replaces Envoy, such as the tests.

use std::ptr;

/// Borrowed bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// A pointer to the first byte. The pointer is null if there are no bytes.
    pub ptr: *const u8,
    /// The number of bytes.
    pub length: usize,
}

/// A borrowed line of a head. The ABI also uses this type for pairs of texts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The name.
    pub key: Buffer,
    /// The value.
    pub value: Buffer,
}

impl Buffer {
    /// A buffer without bytes.
    pub const NONE: Self = Self { ptr: ptr::null(), length: 0 };

    /// Creates a view of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), length: bytes.len() }
    }
}

impl Line {
    /// Creates a name and a value.
    #[must_use]
    pub fn from_name(name: &[u8], value: &[u8]) -> Self {
        Self { key: Buffer::new(name), value: Buffer::new(value) }
    }
}
