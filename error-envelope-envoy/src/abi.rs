//! What Envoy offers (`source/extensions/dynamic_modules/abi/abi.h`, version `v0.2.0`), as safe calls.
//!
//! What holds for all of it, by the header's word:
//!
//! - All hooks of a stream run on one thread, its worker, and so does all that they call. A hook may be called inside a
//!   callback: a reply that is sent may run hooks of the same stream, its destruction too.
//! - Envoy's pointer to a stream is valid until `on_http_filter_destroy`; a [`Stream`] asks for that each time.
//! - What it lends (lines, chunks) is valid until the hook returns or the stream is changed; a [`Stream`] refuses to be
//!   changed while it lends.
//! - What the module lends is read before the callback returns.
#![allow(unsafe_code, reason = "the ABI is C's")]

use std::cell::Cell;
use std::ffi::c_void;

use crate::buffer::{Buffer, Line};

/// Names and values that are lent for `'l`: `Stream::lines` alone makes them.
#[derive(Clone, Copy)]
pub(crate) struct HeaderList<'l>(&'l [Line]);

impl<'l> HeaderList<'l> {
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone {
        // SAFETY: what the lines point to is lent for `'l`.
        self.0.iter().map(|line| unsafe { (line.key.bytes(), line.value.bytes()) })
    }
}

/// As many lines, or chunks, find room without being allocated.
const FEW_LINES: usize = 32;
const FEW_CHUNKS: usize = 8;

/// Whose head.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Head {
    Request = 0,
    Response = 2,
    ResponseTrailers = 3,
}

/// Whose bytes: those of the hook that runs, or those that a hook has let Envoy keep.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Body {
    Request = 0,
    Response = 2,
    KeptResponse = 3,
}

/// What Envoy knows of a stream.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Attribute {
    Protocol = 10,
    CodeDetails = 16,
}

/// Envoy's levels.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Level {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
}

unsafe extern "C" {
    fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    fn envoy_dynamic_module_callback_log_enabled(level: u32) -> bool;
    fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: *mut c_void,
        name: Buffer,
        labels: *const Buffer,
        labels_length: usize,
        id: *mut usize,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
        config: *mut c_void,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(config: *mut c_void) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: *mut c_void, event: u64);
    fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void);
    fn envoy_dynamic_module_callback_http_get_headers_size(stream: *mut c_void, head: u32) -> usize;
    fn envoy_dynamic_module_callback_http_get_headers(stream: *mut c_void, head: u32, lines: *mut Line) -> bool;
    fn envoy_dynamic_module_callback_http_set_header(
        stream: *mut c_void,
        head: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_add_header(
        stream: *mut c_void,
        head: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_get_body_chunks_size(stream: *mut c_void, body: u32) -> usize;
    fn envoy_dynamic_module_callback_http_get_body_chunks(stream: *mut c_void, body: u32, chunks: *mut Buffer) -> bool;
    fn envoy_dynamic_module_callback_http_get_body_size(stream: *mut c_void, body: u32) -> usize;
    fn envoy_dynamic_module_callback_http_drain_body(stream: *mut c_void, body: u32, count: usize) -> bool;
    fn envoy_dynamic_module_callback_http_append_body(stream: *mut c_void, body: u32, data: Buffer) -> bool;
    fn envoy_dynamic_module_callback_http_send_response_headers(
        stream: *mut c_void,
        lines: *const Line,
        count: usize,
        end: bool,
    );
    fn envoy_dynamic_module_callback_http_send_response_data(stream: *mut c_void, data: Buffer, end: bool);
    fn envoy_dynamic_module_callback_http_send_response_trailers(stream: *mut c_void, lines: *const Line, count: usize);
    fn envoy_dynamic_module_callback_http_filter_reset_stream(stream: *mut c_void, reason: u32, details: Buffer);
    fn envoy_dynamic_module_callback_http_filter_continue_encoding(stream: *mut c_void);
    fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        stream: *mut c_void,
        attribute: u32,
        value: *mut Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
        stream: *mut c_void,
        namespace: Buffer,
        pairs: *const Line,
        count: usize,
    );
    fn envoy_dynamic_module_callback_http_get_active_span(stream: *mut c_void) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_span_set_tag(span: *mut c_void, key: Buffer, value: Buffer);
    fn envoy_dynamic_module_callback_http_filter_scheduler_new(stream: *mut c_void) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: *mut c_void, event: u64);
    fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void);
}

impl Buffer {
    /// # Safety
    ///
    /// The bytes are lent for `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.length == 0 {
            return &[];
        }
        // SAFETY: Envoy's buffers are `length` initialised bytes, lent for `'a` by the contract of this function.
        unsafe { std::slice::from_raw_parts(self.ptr, self.length) }
    }
}

/// Room for so many, in `many` where they are not few.
fn room<'r, T: Copy, const FEW: usize>(few: &'r mut [T; FEW], many: &'r mut Vec<T>, count: usize) -> &'r mut [T] {
    if count <= FEW {
        return &mut few[..count];
    }
    many.resize(count, few[0]);
    many
}

/// A stream, while a hook of it runs.
pub(crate) struct Stream<'a> {
    raw: *mut c_void,
    gone: &'a Cell<bool>,
    lends: Cell<bool>,
}

impl<'a> Stream<'a> {
    /// # Safety
    ///
    /// A hook of this stream runs on this thread, and `gone` is set once Envoy has destroyed its filter.
    pub(crate) const unsafe fn new(raw: *mut c_void, gone: &'a Cell<bool>) -> Self {
        Self { raw, gone, lends: Cell::new(false) }
    }

    /// The stream, where Envoy still has it and nothing of it is lent.
    fn changeable(&self) -> Option<*mut c_void> {
        assert!(!self.lends.get(), "a stream is changed while its bytes are lent");
        (!self.gone.get()).then_some(self.raw)
    }

    /// The lines of a head, names and values as they are; none where there is no head.
    pub(crate) fn lines<T>(&self, head: Head, read: impl FnOnce(HeaderList<'_>) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(HeaderList(&[])) };
        // SAFETY: the stream is Envoy's until its destruction, which `changeable` has asked for; also below.
        let count = unsafe { envoy_dynamic_module_callback_http_get_headers_size(raw, head as u32) };
        let (mut few, mut many) = ([Line { key: Buffer::NONE, value: Buffer::NONE }; FEW_LINES], Vec::new());
        let lines = room(&mut few, &mut many, count);
        // SAFETY: there is room for as many lines as Envoy has just counted, on the thread that alone may change them.
        let there = unsafe { envoy_dynamic_module_callback_http_get_headers(raw, head as u32, lines.as_mut_ptr()) };
        // The lines are lent until the stream is changed, and `lend` lets nothing change it before `read` is done.
        self.lend(|| read(HeaderList(if there { lines } else { &[] })))
    }

    /// The chunks of a body that are there.
    pub(crate) fn chunks<T>(&self, body: Body, read: impl FnOnce(&[&[u8]]) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(&[]) };
        // SAFETY: as in `lines`.
        let count = unsafe { envoy_dynamic_module_callback_http_get_body_chunks_size(raw, body as u32) };
        let (mut few, mut many) = ([Buffer::NONE; FEW_CHUNKS], Vec::new());
        let chunks = room(&mut few, &mut many, count);
        // SAFETY: there is room for as many chunks as Envoy has just counted.
        let there =
            unsafe { envoy_dynamic_module_callback_http_get_body_chunks(raw, body as u32, chunks.as_mut_ptr()) };
        let (mut few, mut many) = ([&[][..]; FEW_CHUNKS], Vec::new());
        let lent = room(&mut few, &mut many, if there { count } else { 0 });
        for (lent, chunk) in lent.iter_mut().zip(chunks) {
            // SAFETY: as in `lines`.
            *lent = unsafe { chunk.bytes() };
        }
        self.lend(|| read(lent))
    }

    fn lend<T>(&self, read: impl FnOnce() -> T) -> T {
        struct Borrowed<'l>(&'l Cell<bool>);

        impl Drop for Borrowed<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }

        self.lends.set(true);
        let _lent = Borrowed(&self.lends);
        read()
    }

    /// Puts a line in the place of all of its name; without a value the name goes.
    pub(crate) fn set(&self, head: Head, name: &[u8], value: Option<&[u8]>) {
        let Some(raw) = self.changeable() else { return };
        let (name, value) = (Buffer::new(name), value.map_or(Buffer::NONE, Buffer::new));
        // SAFETY: name and value are lent for the call alone. An empty value removes the name.
        unsafe { envoy_dynamic_module_callback_http_set_header(raw, head as u32, name, value) };
    }

    /// Puts a line behind all of its name.
    pub(crate) fn add(&self, head: Head, name: &[u8], value: &[u8]) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: as in `set`.
        unsafe {
            envoy_dynamic_module_callback_http_add_header(raw, head as u32, Buffer::new(name), Buffer::new(value));
        }
    }

    /// Drops what is there of a body.
    pub(crate) fn drain(&self, body: Body) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: as in `lines`.
        unsafe {
            let count = envoy_dynamic_module_callback_http_get_body_size(raw, body as u32);
            envoy_dynamic_module_callback_http_drain_body(raw, body as u32, count);
        }
    }

    /// Adds to what is there of a body.
    pub(crate) fn append(&self, body: Body, data: &[u8]) {
        let Some(raw) = self.changeable().filter(|_| !data.is_empty()) else { return };
        // SAFETY: the data is lent for the call alone.
        unsafe { envoy_dynamic_module_callback_http_append_body(raw, body as u32, Buffer::new(data)) };
    }

    /// Sends a head, in the place of any that has not left.
    pub(crate) fn send_head<'v>(&self, lines: impl Iterator<Item = (&'v [u8], &'v [u8])>, end: bool) {
        let Some(raw) = self.changeable() else { return };
        let lines: Vec<Line> = lines.map(|(name, value)| Line::from_name(name, value)).collect();
        // SAFETY: the lines are lent for the call alone.
        unsafe { envoy_dynamic_module_callback_http_send_response_headers(raw, lines.as_ptr(), lines.len(), end) };
    }

    /// Sends some of the body behind a head that was sent.
    pub(crate) fn send_data(&self, data: &[u8], end: bool) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: the data is lent for the call alone.
        unsafe { envoy_dynamic_module_callback_http_send_response_data(raw, Buffer::new(data), end) };
    }

    /// Ends the response with these trailers.
    pub(crate) fn send_trailers<'v>(&self, lines: impl Iterator<Item = (&'v [u8], &'v [u8])>) {
        let Some(raw) = self.changeable() else { return };
        let lines: Vec<Line> = lines.map(|(name, value)| Line::from_name(name, value)).collect();
        // SAFETY: the lines are lent for the call alone.
        unsafe { envoy_dynamic_module_callback_http_send_response_trailers(raw, lines.as_ptr(), lines.len()) };
    }

    /// Resets the stream: what has begun ends as an error.
    pub(crate) fn reset(&self, details: &str) {
        const LOCAL_RESET: u32 = 0;

        let Some(raw) = self.changeable() else { return };
        let details = Buffer::new(details.as_bytes());
        // SAFETY: the details are lent for the call alone.
        unsafe { envoy_dynamic_module_callback_http_filter_reset_stream(raw, LOCAL_RESET, details) };
    }

    /// Lets a response go on whose head a hook has stopped.
    pub(crate) fn continue_encoding(&self) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: as in `lines`.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_encoding(raw) };
    }

    /// What Envoy says of the stream.
    pub(crate) fn attribute<T>(&self, attribute: Attribute, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(None) };
        let mut value = Buffer::NONE;
        // SAFETY: `value` is written where the answer is true; it is lent as lines are.
        let known = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_string(raw, attribute as u32, &mut value)
        };
        // SAFETY: as in `lines`.
        self.lend(|| read(known.then(|| unsafe { value.bytes() })))
    }

    /// Notes texts for access logs.
    pub(crate) fn note(&self, namespace: &str, pairs: &[(&str, &str)]) {
        let Some(raw) = self.changeable() else { return };
        let namespace = Buffer::new(namespace.as_bytes());
        let pairs: Vec<Line> =
            pairs.iter().map(|(key, value)| Line::from_name(key.as_bytes(), value.as_bytes())).collect();
        // SAFETY: the texts are lent for the call alone.
        unsafe {
            envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
                raw,
                namespace,
                pairs.as_ptr(),
                pairs.len(),
            );
        }
    }

    /// Tags the stream's span, where it has one.
    pub(crate) fn tag(&self, pairs: &[(&str, &str)]) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: as in `lines`; null where nothing is traced.
        let span = unsafe { envoy_dynamic_module_callback_http_get_active_span(raw) };
        if span.is_null() {
            return;
        }
        for (key, value) in pairs {
            let (key, value) = (Buffer::new(key.as_bytes()), Buffer::new(value.as_bytes()));
            // SAFETY: the span is its stream's, and lives as long; the texts are lent for the call alone.
            unsafe { envoy_dynamic_module_callback_http_span_set_tag(span, key, value) };
        }
    }

    /// What comes back to the stream's worker from any thread.
    pub(crate) fn scheduler(&self) -> Option<Scheduler> {
        let raw = self.changeable()?;
        // SAFETY: as in `lines`; the scheduler is the module's to delete.
        let scheduler = unsafe { envoy_dynamic_module_callback_http_filter_scheduler_new(raw) };
        (!scheduler.is_null()).then_some(Scheduler(scheduler))
    }
}

/// Calls `on_http_filter_scheduled` on its stream's worker, if the stream still lives then.
pub(crate) struct Scheduler(*mut c_void);

// SAFETY: the header allows committing from any thread, which is what a scheduler is for, and names none for deleting; it
// is one weak pointer and a dispatcher that takes posts from any thread.
unsafe impl Send for Scheduler {}

impl Scheduler {
    pub(crate) fn commit(&self, event: u64) {
        // SAFETY: it was not deleted: that is `drop`'s.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_commit(self.0, event) };
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: it is deleted once.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_delete(self.0) };
    }
}

/// A configuration of Envoy's, while it is made: counters may be defined.
pub(crate) struct Defining(*mut c_void);

impl Defining {
    /// # Safety
    ///
    /// The hook that makes this configuration runs for as long as this is there.
    pub(crate) const unsafe fn new(config: *mut c_void) -> Self {
        Self(config)
    }

    /// The number of a counter; none where Envoy refuses it.
    pub(crate) fn counter(&self, name: &str, labels: &[&str]) -> Option<usize> {
        let labels: Vec<Buffer> = labels.iter().map(|label| Buffer::new(label.as_bytes())).collect();
        let (name, mut id) = (Buffer::new(name.as_bytes()), 0);
        // SAFETY: the pointer is that of the hook that runs; the texts are lent for the call, and `id` is written in it.
        let outcome = unsafe {
            envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.0,
                name,
                labels.as_ptr(),
                labels.len(),
                &mut id,
            )
        };
        (outcome == 0).then_some(id)
    }

    /// What has Envoy's main thread call for [`Counting`], from any thread.
    pub(crate) fn scheduler(&self) -> Option<ConfigScheduler> {
        // SAFETY: the pointer is that of the hook that runs; the scheduler is the module's to delete.
        let scheduler = unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_new(self.0) };
        (!scheduler.is_null()).then_some(ConfigScheduler(scheduler))
    }
}

/// Calls `on_http_filter_config_scheduled` on Envoy's main thread, if the configuration still lives then.
pub(crate) struct ConfigScheduler(*mut c_void);

// SAFETY: as of a `Scheduler`.
unsafe impl Send for ConfigScheduler {}

impl ConfigScheduler {
    pub(crate) fn commit(&self) {
        // SAFETY: it was not deleted: that is `drop`'s.
        unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_commit(self.0, 0) };
    }
}

impl Drop for ConfigScheduler {
    fn drop(&mut self) {
        // SAFETY: it is deleted once.
        unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_delete(self.0) };
    }
}

/// A configuration of Envoy's, while a hook of it runs on Envoy's main thread.
pub(crate) struct Counting(*mut c_void);

impl Counting {
    /// # Safety
    ///
    /// A hook of this configuration runs for as long as this is there.
    pub(crate) const unsafe fn new(config: *mut c_void) -> Self {
        Self(config)
    }

    /// Adds to a counter that the configuration has defined.
    pub(crate) fn count(&self, id: usize, labels: &[&str], value: u64) {
        let labels: Vec<Buffer> = labels.iter().map(|label| Buffer::new(label.as_bytes())).collect();
        let (texts, length) = (labels.as_ptr(), labels.len());
        // SAFETY: the pointer is that of the hook that runs; the texts are lent for the call alone.
        unsafe {
            envoy_dynamic_module_callback_http_filter_config_increment_counter(self.0, id, texts, length, value);
        }
    }
}

/// A line in Envoy's log, from any thread.
pub(crate) fn log(level: Level, message: &[u8]) {
    // SAFETY: the text is lent for the call; Envoy's loggers take lines from any thread.
    unsafe { envoy_dynamic_module_callback_log(level as u32, Buffer::new(message)) };
}

/// Whether Envoy's log takes lines of this level.
pub(crate) fn logs(level: Level) -> bool {
    // SAFETY: it reads an atomic.
    unsafe { envoy_dynamic_module_callback_log_enabled(level as u32) }
}
