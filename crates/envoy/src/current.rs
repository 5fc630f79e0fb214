//! Tracks the stream whose hook runs on this thread. Counts and log lines of this thread belong to this stream, and no
//! panic leaves the hook (V4).
#![allow(unsafe_code, reason = "Envoy holds a raw pointer to the filter")]

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use error_envelope_runtime as runtime;

use crate::abi::Stream;
use crate::config::FilterModule;
use crate::count::Counters;
use crate::filter::Filter;

/// A stream's filter, as Envoy keeps it.
pub(crate) struct Slot {
    filter: Filter,
    gone: Cell<bool>,
}

impl Slot {
    pub(crate) fn new(module: Arc<FilterModule>) -> Self {
        Self { filter: Filter::new(module), gone: Cell::new(false) }
    }

    /// Called when Envoy destroys the stream.
    pub(crate) fn destroy(&self) {
        self.gone.set(true);
        self.filter.stop_timers();
    }
}

thread_local! {
    /// The stream whose hook runs on this thread. Counts are added to the stream's configuration.
    static CURRENT: Cell<*const Slot> = const { Cell::new(ptr::null()) };
}

/// Returns the counters of the stream whose hook runs on this thread.
pub(crate) fn counters() -> Option<Arc<Counters>> {
    let slot = CURRENT.get();
    // SAFETY: the pointer is null, or `in_hook` keeps the slot alive until it has restored the previous pointer.
    unsafe { slot.as_ref() }.map(|slot| slot.filter.module.counters.clone())
}

/// Runs a hook. The filter responds to a panic, which must not unwind further, because that would end Envoy.
///
/// # Safety
///
/// `slot` must be null, or from `on_http_filter_new` and not yet destroyed. `raw` must be the stream of `slot`.
pub(crate) unsafe fn in_hook<T>(
    raw: *mut c_void,
    slot: *const Slot,
    panicked: T,
    work: impl FnOnce(&Filter, &Stream<'_>) -> T,
) -> T {
    struct Inside(*const Slot);

    impl Drop for Inside {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }

    if slot.is_null() {
        return panicked;
    }
    // SAFETY: the pointer is from an `Rc` that Envoy holds. The second owner keeps the filter until this hook ends,
    // since a callback may make Envoy destroy it.
    let entry = unsafe {
        Rc::increment_strong_count(slot);
        Rc::from_raw(slot)
    };
    let outcome = {
        let _inside = Inside(CURRENT.replace(slot));
        // SAFETY: `raw` is the stream of `slot`, by the contract of this function.
        let stream = || unsafe { Stream::new(raw, &entry.gone) };
        let ran = runtime::catch(|| work(&entry.filter, &stream()));
        ran.unwrap_or_else(|text| {
            if runtime::catch(|| entry.filter.panicked(&stream(), text)).is_err() {
                stream().reset("error_envelope_panicked_twice");
            }
            panicked
        })
    };
    let _ = runtime::catch(|| drop(entry));
    outcome
}
