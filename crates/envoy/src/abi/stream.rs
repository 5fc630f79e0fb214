//! A stream, and the callbacks that its hooks may use.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

use std::cell::Cell;
use std::ffi::c_void;

use error_envelope_runtime::envoy::HeaderLines;

use super::callbacks as envoy;
use crate::buffer::{Buffer, Line};

/// The lines of a head, whose names and values are valid for `'l`. Only `Stream::lines` creates it.
#[derive(Clone, Copy)]
pub(crate) struct HeaderList<'l>(&'l [Line]);

impl<'l> HeaderLines<'l> for HeaderList<'l> {
    fn count(self) -> usize {
        self.0.len()
    }

    fn iter(self) -> impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone {
        // SAFETY: the bytes that the lines point to are valid for `'l`.
        self.0.iter().map(|line| unsafe { (line.key.bytes(), line.value.bytes()) })
    }
}

/// The number of lines or chunks that can be read without an allocation.
const FEW_LINES: usize = 32;
const FEW_CHUNKS: usize = 8;

/// The lines of a request or of a response: its headers or its trailers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Head {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    ResponseTrailers = 3,
}

/// A body of a stream. The bytes of a body belong to the current hook, or Envoy has kept them after an earlier hook.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Body {
    Request = 0,
    Response = 2,
    KeptResponse = 3,
}

/// Envoy's attributes of a stream.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Attribute {
    Protocol = 10,
    CodeDetails = 16,
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
    /// A hook of this stream must be running on this thread. The caller must set `gone` once Envoy has destroyed its
    /// filter.
    pub(crate) const unsafe fn new(raw: *mut c_void, gone: &'a Cell<bool>) -> Self {
        Self { raw, gone, lends: Cell::new(false) }
    }

    /// Returns the stream's pointer, or `None` if Envoy has destroyed the stream, or if some of its memory is lent now.
    fn changeable(&self) -> Option<*mut c_void> {
        assert!(!self.lends.get(), "a stream is changed while its bytes are lent");
        (!self.gone.get()).then_some(self.raw)
    }

    /// Calls `read` with the lines of a head. Names and values are unchanged. If there is no such head, there are no
    /// lines.
    pub(crate) fn lines<T>(&self, head: Head, read: impl FnOnce(HeaderList<'_>) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(HeaderList(&[])) };
        // SAFETY: `changeable` has checked that Envoy has not destroyed the stream. The same applies below.
        let count = unsafe { envoy::http_get_headers_size(raw, head as u32) };
        let (mut few, mut many) = ([Line { key: Buffer::NONE, value: Buffer::NONE }; FEW_LINES], Vec::new());
        let lines = room(&mut few, &mut many, count);
        // SAFETY: there is room for as many lines as Envoy has just counted, and only this thread may change them.
        let is_filled = unsafe { envoy::http_get_headers(raw, head as u32, lines.as_mut_ptr()) };
        // The lines are valid until the stream is changed, and `lend` prevents changes until `read` has returned.
        self.lend(|| read(HeaderList(if is_filled { lines } else { &[] })))
    }

    /// Calls `read` with the chunks of a body that are present.
    pub(crate) fn chunks<T>(&self, body: Body, read: impl FnOnce(&[&[u8]]) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(&[]) };
        // SAFETY: the stream still exists, as in `lines`.
        let count = unsafe { envoy::http_get_body_chunks_size(raw, body as u32) };
        let (mut few, mut many) = ([Buffer::NONE; FEW_CHUNKS], Vec::new());
        let chunks = room(&mut few, &mut many, count);
        // SAFETY: there is room for as many chunks as Envoy has just counted.
        let is_filled = unsafe { envoy::http_get_body_chunks(raw, body as u32, chunks.as_mut_ptr()) };
        let (mut few, mut many) = ([&[][..]; FEW_CHUNKS], Vec::new());
        let lent = room(&mut few, &mut many, if is_filled { count } else { 0 });
        for (lent, chunk) in lent.iter_mut().zip(chunks) {
            // SAFETY: the bytes are lent, as in `lines`.
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

    /// Replaces all lines of a name with one line. Without a value, removes the lines.
    pub(crate) fn set(&self, head: Head, name: &[u8], value: Option<&[u8]>) {
        let Some(raw) = self.changeable() else { return };
        let (name, value) = (Buffer::new(name), value.map_or(Buffer::NONE, Buffer::new));
        // SAFETY: name and value are valid for the whole call. An empty value removes the name.
        unsafe { envoy::http_set_header(raw, head as u32, name, value) };
    }

    /// Adds a header line after the existing lines of the same name.
    pub(crate) fn add(&self, head: Head, name: &[u8], value: &[u8]) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: name and value are valid for the whole call.
        unsafe { envoy::http_add_header(raw, head as u32, Buffer::new(name), Buffer::new(value)) };
    }

    /// Returns the length of the present part of a body.
    pub(crate) fn length(&self, body: Body) -> usize {
        let Some(raw) = self.changeable() else { return 0 };
        // SAFETY: the stream still exists, as in `lines`.
        unsafe { envoy::http_get_body_size(raw, body as u32) }
    }

    /// Drops the present part of a body.
    pub(crate) fn drain(&self, body: Body) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: the stream still exists, as in `lines`.
        unsafe {
            let count = envoy::http_get_body_size(raw, body as u32);
            envoy::http_drain_body(raw, body as u32, count);
        }
    }

    /// Adds to the present part of a body.
    pub(crate) fn append(&self, body: Body, data: &[u8]) {
        let Some(raw) = self.changeable().filter(|_| !data.is_empty()) else { return };
        // SAFETY: the data is valid for the whole call.
        unsafe { envoy::http_append_body(raw, body as u32, Buffer::new(data)) };
    }

    /// Sends a head. The head replaces an earlier head that Envoy has not sent yet.
    pub(crate) fn send_head<'v>(&self, lines: impl Iterator<Item = (&'v [u8], &'v [u8])>, end: bool) {
        let Some(raw) = self.changeable() else { return };
        let lines: Vec<Line> = lines.map(|(name, value)| Line::from_name(name, value)).collect();
        // SAFETY: the lines are valid for the whole call.
        unsafe { envoy::http_send_response_headers(raw, lines.as_ptr(), lines.len(), end) };
    }

    /// Sends a part of the body, after the head was sent.
    pub(crate) fn send_data(&self, data: &[u8], end: bool) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: the data is valid for the whole call.
        unsafe { envoy::http_send_response_data(raw, Buffer::new(data), end) };
    }

    /// Ends the response with these trailers.
    pub(crate) fn send_trailers<'v>(&self, lines: impl Iterator<Item = (&'v [u8], &'v [u8])>) {
        let Some(raw) = self.changeable() else { return };
        let lines: Vec<Line> = lines.map(|(name, value)| Line::from_name(name, value)).collect();
        // SAFETY: the lines are valid for the whole call.
        unsafe { envoy::http_send_response_trailers(raw, lines.as_ptr(), lines.len()) };
    }

    /// Resets the stream. A response that has begun then ends as an error.
    pub(crate) fn reset(&self, details: &str) {
        const LOCAL_RESET: u32 = 0;

        let Some(raw) = self.changeable() else { return };
        let details = Buffer::new(details.as_bytes());
        // SAFETY: the details are valid for the whole call.
        unsafe { envoy::http_filter_reset_stream(raw, LOCAL_RESET, details) };
    }

    /// Continues a response whose head a hook has stopped.
    pub(crate) fn continue_encoding(&self) {
        let Some(raw) = self.changeable() else { return };
        // SAFETY: the stream still exists, as in `lines`.
        unsafe { envoy::http_filter_continue_encoding(raw) };
    }

    /// Calls `read` with Envoy's value of a stream attribute.
    pub(crate) fn attribute<T>(&self, attribute: Attribute, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
        let Some(raw) = self.changeable() else { return read(None) };
        let mut value = Buffer::NONE;
        // SAFETY: Envoy writes `value` if it returns true; the bytes are valid as long as lines are.
        let known = unsafe { envoy::http_filter_get_attribute_string(raw, attribute as u32, &mut value) };
        // SAFETY: the bytes are lent, as in `lines`.
        self.lend(|| read(known.then(|| unsafe { value.bytes() })))
    }

    /// Writes these pairs to the dynamic metadata, for access logs.
    pub(crate) fn note(&self, namespace: &str, pairs: &[(&str, &str)]) {
        let Some(raw) = self.changeable() else { return };
        let namespace = Buffer::new(namespace.as_bytes());
        let pairs: Vec<Line> =
            pairs.iter().map(|(key, value)| Line::from_name(key.as_bytes(), value.as_bytes())).collect();
        // SAFETY: the texts are valid for the whole call.
        unsafe { envoy::http_set_dynamic_metadata_string_batch(raw, namespace, pairs.as_ptr(), pairs.len()) };
    }

    /// Returns the stream's span, or `None` if the stream is not traced.
    pub(crate) fn span(&self) -> Option<Span<'_>> {
        let raw = self.changeable()?;
        // SAFETY: the stream still exists, as in `lines`.
        let span = unsafe { envoy::http_get_active_span(raw) };
        (!span.is_null()).then_some(Span { raw: span, stream: self })
    }

    /// Returns the handle with which any thread can run a hook on the stream's worker.
    pub(crate) fn scheduler(&self) -> Option<Scheduler> {
        let raw = self.changeable()?;
        // SAFETY: the stream still exists, as in `lines`. The module owns the scheduler and deletes it.
        let scheduler = unsafe { envoy::http_filter_scheduler_new(raw) };
        (!scheduler.is_null()).then_some(Scheduler(scheduler))
    }
}

/// The span of a stream, and the stream.
pub(crate) struct Span<'s> {
    raw: *mut c_void,
    stream: &'s Stream<'s>,
}

impl Span<'_> {
    pub(crate) fn tag(&self, key: &str, value: &str) {
        if self.stream.changeable().is_none() {
            return;
        }
        let (key, value) = (Buffer::new(key.as_bytes()), Buffer::new(value.as_bytes()));
        // SAFETY: the span belongs to the stream and exists as long; the texts are valid for the whole call.
        unsafe { envoy::http_span_set_tag(self.raw, key, value) };
    }
}

/// Calls `on_http_filter_scheduled` on its stream's worker, if the stream still exists then.
pub(crate) struct Scheduler(*mut c_void);

// SAFETY: the ABI's header allows any thread to commit, which is the purpose of a scheduler, and requires no particular
// thread to delete it. It is a weak pointer, and a dispatcher that accepts posts from any thread.
unsafe impl Send for Scheduler {}

impl Scheduler {
    pub(crate) fn commit(&self, event: u64) {
        // SAFETY: the scheduler still exists, because only `drop` deletes it.
        unsafe { envoy::http_filter_scheduler_commit(self.0, event) };
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: the scheduler is deleted only here, and so only once.
        unsafe { envoy::http_filter_scheduler_delete(self.0) };
    }
}

/// Returns a slice for `count` values. The slice is a part of `few`, or of `many` if `few` is too small.
fn room<'r, T: Copy, const FEW: usize>(few: &'r mut [T; FEW], many: &'r mut Vec<T>, count: usize) -> &'r mut [T] {
    if count <= FEW {
        return &mut few[..count];
    }
    many.resize(count, few[0]);
    many
}
