//! Calls the module's hooks, as Envoy does.

use std::ffi::c_void;

use error_envelope::buffer::Buffer;

use crate::callbacks::Stream;

#[allow(improper_ctypes, reason = "the test defines both sides, which only pass a pointer to the stream")]
unsafe extern "C" {
    fn envoy_dynamic_module_on_http_filter_config_new(config: *mut c_void, name: Buffer, text: Buffer)
    -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_config_destroy(config: *const c_void);
    fn envoy_dynamic_module_on_http_filter_config_scheduled(config: *mut c_void, module: *const c_void, event: u64);
    fn envoy_dynamic_module_on_http_filter_new(config: *const c_void, stream: *mut Stream) -> *const c_void;
    fn envoy_dynamic_module_on_http_filter_destroy(filter: *const c_void);
    fn envoy_dynamic_module_on_http_filter_request_headers(s: *mut Stream, f: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_body(s: *mut Stream, f: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_request_trailers(s: *mut Stream, f: *const c_void) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_headers(s: *mut Stream, f: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_body(s: *mut Stream, f: *const c_void, end: bool) -> u32;
    fn envoy_dynamic_module_on_http_filter_response_trailers(s: *mut Stream, f: *const c_void) -> u32;
    fn envoy_dynamic_module_on_http_filter_stream_complete(s: *mut Stream, f: *const c_void);
    fn envoy_dynamic_module_on_http_filter_scheduled(s: *mut Stream, f: *const c_void, event: u64);
    fn envoy_dynamic_module_on_http_filter_local_reply(
        s: *mut Stream,
        f: *const c_void,
        status: u32,
        details: Buffer,
        reset: bool,
    ) -> u32;
}

pub(crate) type Config = *const c_void;

pub(crate) fn configure(text: &[u8]) -> Option<Config> {
    configure_as(0, text)
}

/// Makes a configuration with this number as Envoy's pointer.
pub(crate) fn configure_as(number: usize, text: &[u8]) -> Option<Config> {
    let envoys = std::ptr::without_provenance_mut(number);
    // SAFETY: the text is lent for the call, and the callbacks of this test never follow Envoy's pointer.
    let config =
        unsafe { envoy_dynamic_module_on_http_filter_config_new(envoys, Buffer::new(b"name"), Buffer::new(text)) };
    // The module's panic hook only logs the place of a panic. Without the hook, the messages of failed assertions are
    // printed as well.
    drop(std::panic::take_hook());
    (!config.is_null()).then_some(config)
}

/// Runs the requested hook, as Envoy's main thread does.
pub(crate) fn on_main_thread(config: Config) {
    // SAFETY: the pointer came from `configure`, and was not given back.
    unsafe { envoy_dynamic_module_on_http_filter_config_scheduled(std::ptr::null_mut(), config, 0) };
}

pub(crate) fn unconfigure(config: Config) {
    // SAFETY: the pointer came from `configure`, and each test gives it back once.
    unsafe { envoy_dynamic_module_on_http_filter_config_destroy(config) };
}

/// A hook and its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    RequestHead(bool),
    RequestBody(bool),
    RequestTrailers,
    ResponseHead(bool),
    ResponseBody(bool),
    ResponseTrailers,
    Completed,
    Scheduled(u64),
    LocalReply(u32),
}

pub(crate) fn make(config: Config, stream: *mut Stream) -> *const c_void {
    // SAFETY: the configuration was not given back, and the stream outlives its filter.
    unsafe { envoy_dynamic_module_on_http_filter_new(config, stream) }
}

pub(crate) fn destroy(filter: *const c_void) {
    // SAFETY: `World` destroys each filter once.
    unsafe { envoy_dynamic_module_on_http_filter_destroy(filter) };
}

pub(crate) fn call(stream: *mut Stream, filter: *const c_void, hook: Hook) -> u32 {
    // SAFETY: `World` calls no hook of a filter that it has destroyed, and its stream lives longer.
    unsafe {
        match hook {
            Hook::RequestHead(end) => envoy_dynamic_module_on_http_filter_request_headers(stream, filter, end),
            Hook::RequestBody(end) => envoy_dynamic_module_on_http_filter_request_body(stream, filter, end),
            Hook::RequestTrailers => envoy_dynamic_module_on_http_filter_request_trailers(stream, filter),
            Hook::ResponseHead(end) => envoy_dynamic_module_on_http_filter_response_headers(stream, filter, end),
            Hook::ResponseBody(end) => envoy_dynamic_module_on_http_filter_response_body(stream, filter, end),
            Hook::ResponseTrailers => envoy_dynamic_module_on_http_filter_response_trailers(stream, filter),
            Hook::Completed => {
                envoy_dynamic_module_on_http_filter_stream_complete(stream, filter);
                0
            }
            Hook::Scheduled(event) => {
                envoy_dynamic_module_on_http_filter_scheduled(stream, filter, event);
                0
            }
            Hook::LocalReply(status) => {
                let details = Buffer::new(b"some_details");
                envoy_dynamic_module_on_http_filter_local_reply(stream, filter, status, details, false)
            }
        }
    }
}
