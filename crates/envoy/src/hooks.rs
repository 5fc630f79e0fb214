//! The functions that Envoy calls (`abi.h`, version `v0.2.0`); [`abi`] states the rules for all these functions.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

use std::ffi::{c_char, c_void};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use error_envelope_runtime as runtime;

use crate::abi::{self, Counting, Defining, Level};
use crate::buffer::Buffer;
use crate::config::FilterModule;
use crate::current::{Slot, in_hook};
use crate::filter::{BodyStatus, Filter, HeadStatus};
use crate::recorder;

/// The version of the ABI, as Envoy writes it.
const VERSION: &[u8] = b"v0.2.0\0";

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// # Safety
///
/// Envoy calls this hook with a configuration that is being created, and with texts that are valid for the call.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    config: *mut c_void,
    _name: Buffer,
    text: Buffer,
) -> *const FilterModule {
    // SAFETY: the text is valid for the call, and no callback here makes it invalid.
    let text = unsafe { text.bytes() };
    let made = runtime::catch(|| {
        // SAFETY: this is the hook that creates the configuration.
        let module = FilterModule::new(text, &unsafe { Defining::new(config) })?;
        recorder::install();
        Some(module)
    });
    made.ok().flatten().map_or(ptr::null(), |module| Arc::into_raw(Arc::new(module)))
}

/// # Safety
///
/// Envoy calls this hook once, with the pointer that `config_new` returned.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(module: *const FilterModule) {
    if !module.is_null() {
        // SAFETY: the pointer is from the `Arc` of `config_new`, and is released only once; streams that still run have
        // their own `Arc`.
        let module = unsafe { Arc::from_raw(module) };
        let _ = runtime::catch(|| module.counters.end());
        let _ = runtime::catch(|| drop(module));
    }
}

/// # Safety
///
/// Envoy calls this hook with a configuration, and with the pointer that `config_new` returned for it and that is not
/// yet destroyed.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    config: *mut c_void,
    module: *const FilterModule,
    _event: u64,
) {
    // SAFETY: the pointer is null, or from the `Arc` of `config_new`, which Envoy holds until the hook returns.
    if let Some(module) = unsafe { module.as_ref() } {
        // SAFETY: this is a hook of the configuration.
        let counting = unsafe { Counting::new(config) };
        let _ = runtime::catch(|| module.counters.flush_to_envoy(&counting));
    }
}

/// Refuses a configuration of Envoy's routes, because the policy has its own routes.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(_: Buffer, _: Buffer) -> *const c_void {
    abi::log(Level::Error, b"error_envelope: per-route configuration is not supported; set routes in the policy file");
    ptr::null()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(_: *const c_void) {}

/// # Safety
///
/// Envoy calls this hook with the pointer that `config_new` returned and that is not yet destroyed.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    module: *const FilterModule,
    _: *mut c_void,
) -> *const Slot {
    if module.is_null() {
        return ptr::null();
    }
    // SAFETY: Envoy holds one reference of the `Arc`; this adds another.
    let module = unsafe {
        Arc::increment_strong_count(module);
        Arc::from_raw(module)
    };
    runtime::catch(|| Rc::new(Slot::new(module))).map_or(ptr::null(), Rc::into_raw)
}

/// # Safety
///
/// Envoy calls this hook once, on the same thread, with the pointer that `filter_new` returned.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_destroy(slot: *const Slot) {
    if slot.is_null() {
        return;
    }
    // SAFETY: the pointer is from the `Rc` of `filter_new`, and is released only once. A running hook has its own `Rc`.
    let slot = unsafe { Rc::from_raw(slot) };
    let _ = runtime::catch(|| slot.destroy());
    let _ = runtime::catch(|| drop(slot));
}

macro_rules! hooks {
    ($($name:ident($($argument:ident: $type:ty),*) -> $status:ident = $work:path;)*) => {$(
        /// # Safety
        ///
        /// Envoy calls this hook with a stream, and with the pointer that `filter_new` returned for it and that is not
        /// yet destroyed.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(raw: *mut c_void, slot: *const Slot, $($argument: $type),*) -> u32 {
            // SAFETY: this hook requires the same as `in_hook`.
            unsafe { in_hook(raw, slot, $status::Stop, |filter, stream| $work(filter, stream, $($argument),*)) as u32 }
        }
    )*};
}

hooks! {
    envoy_dynamic_module_on_http_filter_request_headers(end: bool) -> HeadStatus = Filter::request_head;
    envoy_dynamic_module_on_http_filter_request_body(end: bool) -> BodyStatus = Filter::request_body;
    envoy_dynamic_module_on_http_filter_request_trailers() -> HeadStatus = Filter::request_trailers;
    envoy_dynamic_module_on_http_filter_response_headers(end: bool) -> HeadStatus = Filter::response_head;
    envoy_dynamic_module_on_http_filter_response_body(end: bool) -> BodyStatus = Filter::response_body;
    envoy_dynamic_module_on_http_filter_response_trailers() -> HeadStatus = Filter::response_trailers;
}

/// # Safety
///
/// The requirements are the same as for the other hooks of a stream.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(raw: *mut c_void, slot: *const Slot) {
    // SAFETY: this hook requires the same as `in_hook`.
    unsafe { in_hook(raw, slot, (), |filter, stream| filter.completed(stream)) };
}

/// # Safety
///
/// The requirements are the same as for the other hooks of a stream.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(raw: *mut c_void, slot: *const Slot, event: u64) {
    // SAFETY: this hook requires the same as `in_hook`.
    unsafe { in_hook(raw, slot, (), |filter, stream| filter.scheduled(stream, event)) };
}

/// # Safety
///
/// The requirements are the same as for the other hooks of a stream. The details must be valid for the call.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_on_http_filter_local_reply(
    raw: *mut c_void,
    slot: *const Slot,
    status: u32,
    details: Buffer,
    _reset_imminent: bool,
) -> u32 {
    const CONTINUE: u32 = 0;

    // SAFETY: the details are valid for the call, and copied before any callback.
    let details = unsafe { details.bytes() };
    // SAFETY: this hook requires the same as `in_hook`.
    unsafe { in_hook(raw, slot, (), |filter, stream| filter.local_reply(stream, status, details)) };
    CONTINUE
}

/// Hooks that Envoy requires, but that this module never requests.
macro_rules! unused {
    ($($name:ident($($type:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $type),*) {}
    )*};
}

type Raw = *const c_void;

unused! {
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(Raw, Raw);
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(Raw, Raw);
    envoy_dynamic_module_on_http_filter_http_callout_done(Raw, Raw, u64, u32, Raw, usize, Raw, usize);
    envoy_dynamic_module_on_http_filter_http_stream_headers(Raw, Raw, u64, Raw, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_data(Raw, Raw, u64, Raw, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_trailers(Raw, Raw, u64, Raw, usize);
    envoy_dynamic_module_on_http_filter_http_stream_complete(Raw, Raw, u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(Raw, Raw, u64, u32);
    envoy_dynamic_module_on_http_filter_config_http_callout_done(Raw, Raw, u64, u32, Raw, usize, Raw, usize);
    envoy_dynamic_module_on_http_filter_config_http_stream_headers(Raw, Raw, u64, Raw, usize, bool);
    envoy_dynamic_module_on_http_filter_config_http_stream_data(Raw, Raw, u64, Raw, usize, bool);
    envoy_dynamic_module_on_http_filter_config_http_stream_trailers(Raw, Raw, u64, Raw, usize);
    envoy_dynamic_module_on_http_filter_config_http_stream_complete(Raw, Raw, u64);
    envoy_dynamic_module_on_http_filter_config_http_stream_reset(Raw, Raw, u64, u32);
}
