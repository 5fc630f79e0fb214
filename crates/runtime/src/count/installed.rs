//! Finds out whether a recorder is installed. Without one nothing is counted, timed or looked up.
//!
//! The first request without a recorder starts a short-lived thread. The thread finds the address of the stand-in that
//! `metrics` uses in that case. A thread-local recorder of size zero might have the same address, and would be mistaken
//! for the stand-in. So install a recorder of size zero for the whole process.

use std::sync::OnceLock;
use std::thread;

use metrics::Recorder;

/// Returns the address of this thread's recorder, or `None` if no recorder is installed, so that nothing is recorded.
/// The address is looked up for each request and each error, because a recorder may be installed at any time, and a
/// thread may have its own.
#[inline]
pub(super) fn find() -> Option<usize> {
    let (address, has_size) = metrics::with_recorder(|recorder| (address(recorder), size_of_val(recorder) != 0));
    (has_size || !is_stand_in(address)).then_some(address)
}

#[inline]
pub(super) fn address(recorder: &dyn Recorder) -> usize {
    std::ptr::from_ref(recorder).addr()
}

/// Returns the result of `look` at the recorder of the process, or `None` if no thread can be started.
pub(super) fn from_process<T: Send + 'static>(look: fn(&dyn Recorder) -> T) -> Option<T> {
    // A new thread has no recorder of its own.
    let looking = thread::Builder::new().spawn(move || metrics::with_recorder(look));
    looking.ok().and_then(|found| found.join().ok())
}

/// Returns true if this is the address of the stand-in. That is a static recorder that `metrics` uses if none is
/// installed; it does nothing, and has size zero. A user's recorder may also have size zero, so only the address
/// identifies the stand-in. Until a recorder is installed, the stand-in is the recorder of the process.
#[inline]
fn is_stand_in(address: usize) -> bool {
    static STAND_IN: OnceLock<usize> = OnceLock::new();

    *STAND_IN.get_or_init(|| from_process(address_in_program).unwrap_or(0)) == address
}

/// Returns the address of a static recorder of size zero, and 0 for any other recorder. An installed recorder is boxed,
/// and if its size is zero, its address is only its alignment.
pub(super) fn address_in_program(recorder: &dyn Recorder) -> usize {
    let address = address(recorder);
    if size_of_val(recorder) != 0 || address == align_of_val(recorder) { 0 } else { address }
}
