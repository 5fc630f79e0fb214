//! A configuration: its counters, and the call that Envoy's main thread makes for it.
#![allow(unsafe_code, reason = "the ABI is C's")]

use std::ffi::c_void;

use super::callbacks as envoy;
use crate::buffer::Buffer;

/// A configuration of Envoy's, while it is made: counters may be defined.
pub(crate) struct Defining(*mut c_void);

impl Defining {
    /// # Safety
    ///
    /// The hook that makes this configuration runs for as long as this is there.
    pub(crate) const unsafe fn new(config: *mut c_void) -> Self {
        Self(config)
    }

    /// Defines a counter and returns its id; `None` if Envoy refuses it.
    pub(crate) fn counter(&self, name: &str, labels: &[&str]) -> Option<usize> {
        let labels: Vec<Buffer> = labels.iter().map(|label| Buffer::new(label.as_bytes())).collect();
        let (name, mut id) = (Buffer::new(name.as_bytes()), 0);
        // SAFETY: the pointer is that of the hook that runs; the texts are lent for the call, and `id` is written in it.
        let outcome = unsafe {
            envoy::envoy_dynamic_module_callback_http_filter_config_define_counter(
                self.0,
                name,
                labels.as_ptr(),
                labels.len(),
                &mut id,
            )
        };
        (outcome == 0).then_some(id)
    }

    /// The handle that makes Envoy's main thread call for [`Counting`], from any thread.
    pub(crate) fn scheduler(&self) -> Option<ConfigScheduler> {
        // SAFETY: the pointer is that of the hook that runs; the scheduler is the module's to delete.
        let scheduler = unsafe { envoy::envoy_dynamic_module_callback_http_filter_config_scheduler_new(self.0) };
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
        unsafe { envoy::envoy_dynamic_module_callback_http_filter_config_scheduler_commit(self.0, 0) };
    }
}

impl Drop for ConfigScheduler {
    fn drop(&mut self) {
        // SAFETY: it is deleted once.
        unsafe { envoy::envoy_dynamic_module_callback_http_filter_config_scheduler_delete(self.0) };
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
            envoy::envoy_dynamic_module_callback_http_filter_config_increment_counter(self.0, id, texts, length, value);
        }
    }
}
