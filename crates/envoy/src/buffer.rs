//! The memory that the ABI lends, in its own form: public for code that stands in for Envoy, as the tests do.

use std::ptr;

/// Bytes that are lent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    /// The first of the bytes; null if there are none.
    pub ptr: *const u8,
    /// How many there are.
    pub length: usize,
}

/// A line of a head that is lent; a pair of texts has the same form.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The name.
    pub key: Buffer,
    /// The value.
    pub value: Buffer,
}

impl Buffer {
    /// No bytes.
    pub const NONE: Self = Self { ptr: ptr::null(), length: 0 };

    /// A view of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), length: bytes.len() }
    }
}

impl Line {
    /// A name and a value.
    #[must_use]
    pub fn from_name(name: &[u8], value: &[u8]) -> Self {
        Self { key: Buffer::new(name), value: Buffer::new(value) }
    }
}
