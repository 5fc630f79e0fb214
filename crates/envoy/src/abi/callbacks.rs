//! Envoy's callbacks, as `abi.h` declares them.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

use std::ffi::c_void;

use crate::buffer::{Buffer, Line};

unsafe extern "C" {
    pub(super) fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    pub(super) fn envoy_dynamic_module_callback_log_enabled(level: u32) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: *mut c_void,
        name: Buffer,
        labels: *const Buffer,
        labels_length: usize,
        id: *mut usize,
    ) -> u32;
    pub(super) fn envoy_dynamic_module_callback_http_filter_config_increment_counter(
        config: *mut c_void,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub(super) fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(config: *mut c_void) -> *mut c_void;
    pub(super) fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: *mut c_void, event: u64);
    pub(super) fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void);
    pub(super) fn envoy_dynamic_module_callback_http_get_headers_size(stream: *mut c_void, head: u32) -> usize;
    pub(super) fn envoy_dynamic_module_callback_http_get_headers(
        stream: *mut c_void,
        head: u32,
        lines: *mut Line,
    ) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_set_header(
        stream: *mut c_void,
        head: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_add_header(
        stream: *mut c_void,
        head: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_get_body_chunks_size(stream: *mut c_void, body: u32) -> usize;
    pub(super) fn envoy_dynamic_module_callback_http_get_body_chunks(
        stream: *mut c_void,
        body: u32,
        chunks: *mut Buffer,
    ) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_get_body_size(stream: *mut c_void, body: u32) -> usize;
    pub(super) fn envoy_dynamic_module_callback_http_drain_body(stream: *mut c_void, body: u32, count: usize) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_append_body(stream: *mut c_void, body: u32, data: Buffer) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_send_response_headers(
        stream: *mut c_void,
        lines: *const Line,
        count: usize,
        end: bool,
    );
    pub(super) fn envoy_dynamic_module_callback_http_send_response_data(stream: *mut c_void, data: Buffer, end: bool);
    pub(super) fn envoy_dynamic_module_callback_http_send_response_trailers(
        stream: *mut c_void,
        lines: *const Line,
        count: usize,
    );
    pub(super) fn envoy_dynamic_module_callback_http_filter_reset_stream(
        stream: *mut c_void,
        reason: u32,
        details: Buffer,
    );
    pub(super) fn envoy_dynamic_module_callback_http_filter_continue_encoding(stream: *mut c_void);
    pub(super) fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        stream: *mut c_void,
        attribute: u32,
        value: *mut Buffer,
    ) -> bool;
    pub(super) fn envoy_dynamic_module_callback_http_set_dynamic_metadata_string_batch(
        stream: *mut c_void,
        namespace: Buffer,
        pairs: *const Line,
        count: usize,
    );
    pub(super) fn envoy_dynamic_module_callback_http_get_active_span(stream: *mut c_void) -> *mut c_void;
    pub(super) fn envoy_dynamic_module_callback_http_span_set_tag(span: *mut c_void, key: Buffer, value: Buffer);
    pub(super) fn envoy_dynamic_module_callback_http_filter_scheduler_new(stream: *mut c_void) -> *mut c_void;
    pub(super) fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: *mut c_void, event: u64);
    pub(super) fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void);
}
