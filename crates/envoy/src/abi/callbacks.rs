//! Envoy's callbacks, as `abi.h` declares them.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

use std::ffi::c_void;

use crate::buffer::{Buffer, Line};

/// An object of Envoy.
type Raw = *mut c_void;

/// Declares callbacks. In Envoy, `envoy_dynamic_module_callback_` is in front of each name.
macro_rules! callbacks {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C" {$(
            #[link_name = concat!("envoy_dynamic_module_callback_", stringify!($name))]
            pub(super) fn $name($($argument: $type),*) $(-> $result)?;
        )*}
    };
}

callbacks! {
    fn log(level: u32, message: Buffer);
    fn log_enabled(level: u32) -> bool;
    fn http_filter_config_define_counter(
        config: Raw, name: Buffer, labels: *const Buffer, count: usize, id: *mut usize
    ) -> u32;
    fn http_filter_config_increment_counter(
        config: Raw, id: usize, labels: *const Buffer, count: usize, value: u64
    ) -> u32;
    fn http_filter_config_scheduler_new(config: Raw) -> Raw;
    fn http_filter_config_scheduler_commit(scheduler: Raw, event: u64);
    fn http_filter_config_scheduler_delete(scheduler: Raw);
    fn http_get_headers_size(stream: Raw, head: u32) -> usize;
    fn http_get_headers(stream: Raw, head: u32, lines: *mut Line) -> bool;
    fn http_set_header(stream: Raw, head: u32, key: Buffer, value: Buffer) -> bool;
    fn http_add_header(stream: Raw, head: u32, key: Buffer, value: Buffer) -> bool;
    fn http_get_body_chunks_size(stream: Raw, body: u32) -> usize;
    fn http_get_body_chunks(stream: Raw, body: u32, chunks: *mut Buffer) -> bool;
    fn http_get_body_size(stream: Raw, body: u32) -> usize;
    fn http_drain_body(stream: Raw, body: u32, count: usize) -> bool;
    fn http_append_body(stream: Raw, body: u32, data: Buffer) -> bool;
    fn http_send_response_headers(stream: Raw, lines: *const Line, count: usize, end: bool);
    fn http_send_response_data(stream: Raw, data: Buffer, end: bool);
    fn http_send_response_trailers(stream: Raw, lines: *const Line, count: usize);
    fn http_filter_reset_stream(stream: Raw, reason: u32, details: Buffer);
    fn http_filter_continue_encoding(stream: Raw);
    fn http_filter_get_attribute_string(stream: Raw, attribute: u32, value: *mut Buffer) -> bool;
    fn http_set_dynamic_metadata_string_batch(stream: Raw, namespace: Buffer, pairs: *const Line, count: usize);
    fn http_get_active_span(stream: Raw) -> Raw;
    fn http_span_set_tag(span: Raw, key: Buffer, value: Buffer);
    fn http_filter_scheduler_new(stream: Raw) -> Raw;
    fn http_filter_scheduler_commit(scheduler: Raw, event: u64);
    fn http_filter_scheduler_delete(scheduler: Raw);
}
