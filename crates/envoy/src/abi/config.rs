//! A configuration's counters, and the call that Envoy's main thread makes for the configuration.
#![allow(unsafe_code, reason = "the ABI is a C interface")]

use std::ffi::c_void;

use super::callbacks as envoy;
use crate::buffer::Buffer;

/// An Envoy configuration that is being created. Counters may be defined.
pub(crate) struct Defining(*mut c_void);

impl Defining {
    /// # Safety
    ///
    /// The hook that creates this configuration must still run as long as this value exists.
    pub(crate) const unsafe fn new(config: *mut c_void) -> Self {
        Self(config)
    }

    /// Defines a counter and returns its id, or `None` if Envoy refuses it. A space separates the names of its labels.
    pub(crate) fn counter(&self, name: &str, labels: &str) -> Option<usize> {
        let labels: Vec<Buffer> = labels.split(' ').map(|label| Buffer::new(label.as_bytes())).collect();
        let (name, mut id) = (Buffer::new(name.as_bytes()), 0);
        // SAFETY: the pointer is from the running hook; the texts are valid for the whole call, which writes `id`.
        let outcome =
            unsafe { envoy::http_filter_config_define_counter(self.0, name, labels.as_ptr(), labels.len(), &mut id) };
        (outcome == 0).then_some(id)
    }

    /// Returns the handle with which any thread can make Envoy's main thread call the hook that gets a [`Counting`].
    pub(crate) fn scheduler(&self) -> Option<ConfigScheduler> {
        // SAFETY: the pointer is from the running hook; the module owns the scheduler and deletes it.
        let scheduler = unsafe { envoy::http_filter_config_scheduler_new(self.0) };
        (!scheduler.is_null()).then_some(ConfigScheduler(scheduler))
    }
}

/// Calls `on_http_filter_config_scheduled` on Envoy's main thread, if the configuration still exists then.
pub(crate) struct ConfigScheduler(*mut c_void);

// SAFETY: any thread may use it, for the reasons that are given at `Scheduler`.
unsafe impl Send for ConfigScheduler {}

impl ConfigScheduler {
    pub(crate) fn commit(&self) {
        // SAFETY: the scheduler still exists, because only `drop` deletes it.
        unsafe { envoy::http_filter_config_scheduler_commit(self.0, 0) };
    }
}

impl Drop for ConfigScheduler {
    fn drop(&mut self) {
        // SAFETY: the scheduler is deleted only here, and so only once.
        unsafe { envoy::http_filter_config_scheduler_delete(self.0) };
    }
}

/// An Envoy configuration while one of its hooks runs on Envoy's main thread. Counters may be increased.
pub(crate) struct Counting(*mut c_void);

impl Counting {
    /// # Safety
    ///
    /// A hook of this configuration must still run as long as this value exists.
    pub(crate) const unsafe fn new(config: *mut c_void) -> Self {
        Self(config)
    }

    /// Adds to a counter that the configuration has defined.
    pub(crate) fn count(&self, id: usize, labels: &[&str], value: u64) {
        let labels: Vec<Buffer> = labels.iter().map(|label| Buffer::new(label.as_bytes())).collect();
        let (texts, length) = (labels.as_ptr(), labels.len());
        // SAFETY: the pointer is from the running hook; the texts are valid for the whole call.
        unsafe { envoy::http_filter_config_increment_counter(self.0, id, texts, length, value) };
    }
}
