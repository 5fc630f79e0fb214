//! Finds out whether a metrics recorder is installed. Without a recorder, nothing is counted, timed or looked up.
//!
//! If no recorder is installed, the crate `metrics` uses a stand-in, which is a static recorder that does nothing. The
//! first request that finds such a recorder starts a short-lived thread, which finds out the stand-in's address. A
//! thread-local recorder of size zero might have the same address, and would be mistaken for the stand-in. So install a
//! recorder of size zero for the whole process.

use std::sync::OnceLock;
use std::thread;

use metrics::Recorder;

/// Returns the address of the recorder that this thread uses, or `None` if no recorder is installed. The address is
/// looked up for each request and each error, because a recorder may be installed at any time, and a thread may have
/// its own recorder.
#[inline]
pub(super) fn find() -> Option<usize> {
    let (address, has_size) = metrics::with_recorder(|recorder| (address(recorder), size_of_val(recorder) != 0));
    (has_size || !is_stand_in(address)).then_some(address)
}

#[inline]
pub(super) fn address(recorder: &dyn Recorder) -> usize {
    std::ptr::from_ref(recorder).addr()
}

/// Calls `look` with the recorder of the process. Returns `None` if no thread can be started.
pub(super) fn from_process<T: Send + 'static>(look: fn(&dyn Recorder) -> T) -> Option<T> {
    // A new thread has no thread-local recorder, so it uses the recorder of the process.
    let looking = thread::Builder::new().spawn(move || metrics::with_recorder(look));
    looking.ok().and_then(|found| found.join().ok())
}

/// Returns true if this is the address of the stand-in that `metrics` uses if no recorder is installed. The stand-in
/// has size zero. A user's recorder may also have size zero, so only the address identifies the stand-in. Until a
/// recorder is installed, the stand-in is the recorder of the process.
#[inline]
fn is_stand_in(address: usize) -> bool {
    static STAND_IN: OnceLock<usize> = OnceLock::new();

    *STAND_IN.get_or_init(|| from_process(address_in_program).unwrap_or(0)) == address
}

/// Returns the address of a recorder if it is a static of size zero, and otherwise 0. An installed recorder is boxed.
/// If a boxed recorder has size zero, its address equals its alignment.
pub(super) fn address_in_program(recorder: &dyn Recorder) -> usize {
    let address = address(recorder);
    if size_of_val(recorder) != 0 || address == align_of_val(recorder) { 0 } else { address }
}
