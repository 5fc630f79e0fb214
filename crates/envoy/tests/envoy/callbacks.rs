//! The callbacks of Envoy, over streams of this test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use error_envelope::buffer::{Buffer, Line};

use crate::hooks::{self, Hook};

trait Lent {
    fn to_vec(self) -> Vec<u8>;
}

impl Lent for Buffer {
    fn to_vec(self) -> Vec<u8> {
        if self.ptr.is_null() || self.length == 0 {
            return Vec::new();
        }
        // SAFETY: the module lends what it passes for the call.
        unsafe { std::slice::from_raw_parts(self.ptr, self.length) }.to_vec()
    }
}

type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// A stream. Every access uses a cell, because hooks run inside callbacks.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Stream {
    pub(crate) filter: Cell<*const c_void>,
    pub(crate) http2: Cell<bool>,
    pub(crate) heads: [RefCell<Lines>; 4],
    pub(crate) bodies: [RefCell<Vec<Vec<u8>>>; 4],
    /// True if a head has reached the client. `ended` is true if the response has ended.
    pub(crate) head_out: Cell<bool>,
    pub(crate) ended: Cell<bool>,
    /// True if a hook has stopped a head.
    pub(crate) is_paused: Cell<bool>,
    pub(crate) reset: Cell<bool>,
    pub(crate) destroys_inside: Cell<bool>,
    pub(crate) completed: Cell<bool>,
    /// Envoy's details of the response. If nothing else is set, the service has broken off the response.
    pub(crate) details: Cell<Option<&'static str>>,
    /// The values in its metadata.
    pub(crate) noted: RefCell<BTreeMap<String, String>>,
}

static SCHEDULERS: AtomicIsize = AtomicIsize::new(0);
static FAULTS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static LOG: Mutex<String> = Mutex::new(String::new());
static COUNTED: Mutex<Vec<(String, u64)>> = Mutex::new(Vec::new());
/// A stream, and the event that was sent to its worker.
static EVENTS: Mutex<Vec<(usize, u64)>> = Mutex::new(Vec::new());
static COMMITTED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Returns the counts by their labels.
pub(crate) fn counted() -> Vec<(String, u64)> {
    COUNTED.lock().expect("no panic under the lock").clone()
}

/// Returns how often the main thread was requested to run a hook of this configuration.
pub(crate) fn committed(config: usize) -> usize {
    let committed = COMMITTED.lock().expect("no panic under the lock");
    committed.iter().filter(|it| **it == config).count()
}

/// Returns the event that was sent to the worker of this stream, and that was not taken yet.
pub(crate) fn event_of(stream: *const Stream) -> Option<u64> {
    let mut events = EVENTS.lock().expect("no panic under the lock");
    let at = events.iter().position(|(of, _)| *of == stream.addr())?;
    Some(events.remove(at).1)
}

/// Returns the number of schedulers that were made and not deleted.
pub(crate) fn schedulers() -> isize {
    SCHEDULERS.load(Ordering::SeqCst)
}

/// Records a forbidden action of the module. A panic here could not leave its callback.
fn must(holds: bool, what: &'static str) {
    if !holds {
        FAULTS.lock().expect("no panic under the lock").push(what);
    }
}

pub(crate) fn faults() -> Vec<&'static str> {
    std::mem::take(&mut *FAULTS.lock().expect("no panic under the lock"))
}

/// Returns what was logged since the last call.
pub(crate) fn log() -> String {
    std::mem::take(&mut *LOG.lock().expect("no panic under the lock"))
}

impl Stream {
    fn at<'s>(stream: *mut Self) -> &'s Self {
        // SAFETY: `World` keeps the stream until its filter is gone, and nothing has it mutably.
        let stream = unsafe { &*stream };
        must(!stream.filter.get().is_null(), "a callback behind the filter's destruction");
        stream
    }

    /// The response is sent. Envoy may then release the stream at once, inside the callback.
    fn end(&self) {
        must(!self.ended.replace(true), "two ends");
        if self.destroys_inside.get() {
            self.complete_and_destroy();
        }
    }

    pub(crate) fn complete_and_destroy(&self) {
        let filter = self.filter.get();
        if filter.is_null() {
            return;
        }
        if !self.completed.replace(true) {
            hooks::call(std::ptr::from_ref(self).cast_mut(), filter, Hook::Completed);
        }
        // Completion may have destroyed the filter.
        if !self.filter.get().is_null() {
            hooks::destroy(filter);
            self.filter.set(std::ptr::null());
        }
    }
}

macro_rules! callbacks {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        #[unsafe(no_mangle)]
        #[allow(improper_ctypes_definitions, reason = "both sides only pass a pointer to the stream")]
        extern "C" fn $name($($argument: $type),*) $(-> $result)? $body
    )*};
}

callbacks! {
    fn envoy_dynamic_module_callback_log(_level: u32, message: Buffer) {
        let mut log = LOG.lock().expect("no panic under the lock");
        log.push_str(&String::from_utf8_lossy(&message.to_vec()));
        log.push('\n');
    }

    fn envoy_dynamic_module_callback_log_enabled(_level: u32) -> bool {
        true
    }

    fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        _config: *mut c_void, name: Buffer, _labels: *const Buffer, _count: usize, id: *mut usize,
    ) -> u32 {
        must(!name.to_vec().is_empty(), "a counter without a name");
        // SAFETY: the module gives room for one number.
        unsafe { *id = 7 };
        0
    }

    fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
        _config: *mut c_void, id: usize, labels: *const Buffer, count: usize, value: u64,
    ) -> u32 {
        must(id == 7, "another counter");
        // SAFETY: the module lends as many labels as it states.
        let labels = unsafe { std::slice::from_raw_parts(labels, count) };
        let labels: Vec<_> = labels.iter().map(|label| String::from_utf8_lossy(&label.to_vec()).into_owned()).collect();
        must(labels.iter().all(|label| !label.is_empty()), "an empty label");
        COUNTED.lock().expect("no panic under the lock").push((labels.join(" "), value));
        0
    }

    fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(config: *mut c_void) -> *mut c_void {
        Box::into_raw(Box::new(config as usize)).cast()
    }

    fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: *mut c_void, _event: u64) {
        // SAFETY: the module commits no scheduler that it has deleted.
        let config = unsafe { *scheduler.cast::<usize>() };
        COMMITTED.lock().expect("no panic under the lock").push(config);
    }

    fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void) {
        // SAFETY: it was made above, and the module deletes it once.
        drop(unsafe { Box::from_raw(scheduler.cast::<usize>()) });
    }

    fn envoy_dynamic_module_callback_http_get_headers_size(stream: *mut Stream, head: u32) -> usize {
        Stream::at(stream).heads[head as usize].borrow().len()
    }

    fn envoy_dynamic_module_callback_http_get_headers(stream: *mut Stream, head: u32, lines: *mut Line) -> bool {
        for (index, (name, value)) in Stream::at(stream).heads[head as usize].borrow().iter().enumerate() {
            // SAFETY: the module provides room for as many lines as this test has counted.
            unsafe { *lines.add(index) = Line { key: Buffer::new(name), value: Buffer::new(value) } };
        }
        true
    }

    fn envoy_dynamic_module_callback_http_set_header(stream: *mut Stream, head: u32, key: Buffer, value: Buffer) -> bool {
        let (key, value) = (key.to_vec(), value.to_vec());
        let mut lines = Stream::at(stream).heads[head as usize].borrow_mut();
        lines.retain(|(name, _)| *name != key);
        if !value.is_empty() {
            lines.push((key, value));
        }
        true
    }

    fn envoy_dynamic_module_callback_http_add_header(stream: *mut Stream, head: u32, key: Buffer, value: Buffer) -> bool {
        Stream::at(stream).heads[head as usize].borrow_mut().push((key.to_vec(), value.to_vec()));
        true
    }

    fn envoy_dynamic_module_callback_http_get_body_chunks_size(stream: *mut Stream, body: u32) -> usize {
        Stream::at(stream).bodies[body as usize].borrow().len()
    }

    fn envoy_dynamic_module_callback_http_get_body_chunks(stream: *mut Stream, body: u32, chunks: *mut Buffer) -> bool {
        for (index, chunk) in Stream::at(stream).bodies[body as usize].borrow().iter().enumerate() {
            // SAFETY: the module provides room for as many chunks as this test has counted.
            unsafe { *chunks.add(index) = Buffer::new(chunk) };
        }
        true
    }

    fn envoy_dynamic_module_callback_http_get_body_size(stream: *mut Stream, body: u32) -> usize {
        Stream::at(stream).bodies[body as usize].borrow().iter().map(Vec::len).sum()
    }

    fn envoy_dynamic_module_callback_http_drain_body(stream: *mut Stream, body: u32, _count: usize) -> bool {
        Stream::at(stream).bodies[body as usize].borrow_mut().clear();
        true
    }

    fn envoy_dynamic_module_callback_http_append_body(stream: *mut Stream, body: u32, data: Buffer) -> bool {
        Stream::at(stream).bodies[body as usize].borrow_mut().push(data.to_vec());
        true
    }

    fn envoy_dynamic_module_callback_http_send_response_headers(
        stream: *mut Stream, lines: *const Line, count: usize, end: bool,
    ) {
        let stream = Stream::at(stream);
        // SAFETY: the module lends as many lines as it states.
        let lines = unsafe { std::slice::from_raw_parts(lines, count) };
        must(!stream.head_out.replace(true), "two answers");
        *stream.heads[2].borrow_mut() = lines.iter().map(|line| (line.key.to_vec(), line.value.to_vec())).collect();
        // A response that is sent also passes the filters.
        hooks::call(std::ptr::from_ref(stream).cast_mut(), stream.filter.get(), Hook::ResponseHead(end));
        if end {
            stream.end();
        }
    }

    fn envoy_dynamic_module_callback_http_send_response_data(stream: *mut Stream, data: Buffer, end: bool) {
        let stream = Stream::at(stream);
        must(stream.head_out.get() && !stream.ended.get(), "data behind the end, or before a head");
        *stream.bodies[2].borrow_mut() = vec![data.to_vec()];
        hooks::call(std::ptr::from_ref(stream).cast_mut(), stream.filter.get(), Hook::ResponseBody(end));
        if end {
            stream.end();
        }
    }

    fn envoy_dynamic_module_callback_http_send_response_trailers(stream: *mut Stream, _lines: *const Line, _count: usize) {
        let stream = Stream::at(stream);
        must(stream.head_out.get() && !stream.ended.get(), "trailers behind the end, or before a head");
        hooks::call(std::ptr::from_ref(stream).cast_mut(), stream.filter.get(), Hook::ResponseTrailers);
        stream.end();
    }

    fn envoy_dynamic_module_callback_http_filter_reset_stream(stream: *mut Stream, _reason: u32, _details: Buffer) {
        let stream = Stream::at(stream);
        stream.reset.set(true);
        stream.complete_and_destroy();
    }

    fn envoy_dynamic_module_callback_http_filter_continue_encoding(stream: *mut Stream) {
        let stream = Stream::at(stream);
        must(stream.is_paused.take(), "a response goes on that was not held back");
        stream.head_out.set(true);
    }

    fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        stream: *mut Stream, attribute: u32, value: *mut Buffer,
    ) -> bool {
        let text: &[u8] = match attribute {
            10 if Stream::at(stream).http2.get() => b"HTTP/2",
            10 => b"HTTP/1.1",
            _ => Stream::at(stream).details.get().unwrap_or("upstream_reset_after_response_started{}").as_bytes(),
        };
        // SAFETY: the module gives room for one buffer.
        unsafe { *value = Buffer::new(text) };
        true
    }

    fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
        stream: *mut Stream, _namespace: Buffer, pairs: *const Line, count: usize,
    ) {
        let mut noted = Stream::at(stream).noted.borrow_mut();
        // SAFETY: the module lends as many pairs as it states.
        for pair in unsafe { std::slice::from_raw_parts(pairs, count) } {
            let [key, value] = [pair.key, pair.value].map(|text| String::from_utf8_lossy(&text.to_vec()).into_owned());
            must(!key.is_empty(), "a pair without a key");
            noted.insert(key, value);
        }
    }

    fn envoy_dynamic_module_callback_http_get_active_span(stream: *mut Stream) -> *mut c_void {
        Stream::at(stream);
        std::ptr::null_mut()
    }

    fn envoy_dynamic_module_callback_http_span_set_tag(_span: *mut c_void, _key: Buffer, _value: Buffer) {}

    fn envoy_dynamic_module_callback_http_filter_scheduler_new(stream: *mut Stream) -> *mut c_void {
        Stream::at(stream);
        SCHEDULERS.fetch_add(1, Ordering::SeqCst);
        Box::into_raw(Box::new(stream.addr())).cast()
    }

    fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: *mut c_void, event: u64) {
        // SAFETY: the module commits no scheduler that it has deleted.
        let stream = unsafe { *scheduler.cast::<usize>() };
        EVENTS.lock().expect("no panic under the lock").push((stream, event));
    }

    fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void) {
        SCHEDULERS.fetch_sub(1, Ordering::SeqCst);
        // SAFETY: it was made above, and the module deletes it once.
        drop(unsafe { Box::from_raw(scheduler.cast::<usize>()) });
    }
}
