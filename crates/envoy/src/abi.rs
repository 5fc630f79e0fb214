//! Makes Envoy's ABI (`source/extensions/dynamic_modules/abi/abi.h`, version `v0.2.0`) available as safe calls.
//!
//! The header defines these rules for the whole ABI:
//!
//! - All hooks of a stream, and the callbacks that they call, run on one thread, which is the worker of the stream. A
//!   hook may run within a callback. For example, sending a reply may run hooks of the same stream, even the hook that
//!   destroys the stream.
//! - Envoy's pointer to a stream is valid until `on_http_filter_destroy`. A [`Stream`] checks this at each call.
//! - Memory that Envoy lends (lines, chunks) is valid until the hook returns or the stream is changed. So a [`Stream`]
//!   refuses changes while any of this memory is lent.
//! - Envoy reads memory that the module lends before the callback returns.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

mod callbacks;
mod config;
mod stream;

use callbacks as envoy;
pub(crate) use config::{ConfigScheduler, Counting, Defining};
pub(crate) use stream::{Attribute, Body, Head, HeaderList, Scheduler, Stream};

use crate::buffer::Buffer;

/// Envoy's log levels.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Level {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Writes a line to Envoy's log, from any thread.
pub(crate) fn log(level: Level, message: &[u8]) {
    // SAFETY: the text is valid for the whole call; Envoy's loggers accept lines from any thread.
    unsafe { envoy::log(level as u32, Buffer::new(message)) };
}

/// Returns true if Envoy's log has this level enabled.
pub(crate) fn logs(level: Level) -> bool {
    // SAFETY: the callback only reads an atomic.
    unsafe { envoy::log_enabled(level as u32) }
}

impl Buffer {
    /// # Safety
    ///
    /// The bytes must be lent for `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.length == 0 {
            return &[];
        }
        // SAFETY: Envoy's buffers are `length` initialised bytes, lent for `'a` by the contract of this function.
        unsafe { std::slice::from_raw_parts(self.ptr, self.length) }
    }
}
