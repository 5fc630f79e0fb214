//! Catches panics of user code, and returns their text (rule F2).

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// The text of this thread's last panic, and its place in the code. The value is `None` unless [`log_panic_places`]
    /// was called.
    static LAST: RefCell<Option<(Box<str>, String)>> = const { RefCell::new(None) };
}

/// Runs user code. If the code panics, returns the panic's text (F2). The panic's payload is not returned, because it
/// is not `Sync`. With `panic = "abort"`, nothing can be caught.
///
/// After a panic, the caller must drop the values that the code used, or the values must still be consistent, as at any
/// `await`.
///
/// # Errors
///
/// Returns the text of the panic.
pub fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Box<str>> {
    catch_unwind(AssertUnwindSafe(code)).map_err(text)
}

/// Adds to the log the place in the code at which a panic happened. The cause in the log then ends in `(at
/// src/orders.rs:41)`.
///
/// This function wraps the process's panic hook, which is still called. Call it once at the start, after you set your
/// own hook, because a hook that is set later replaces the wrapped hook. Further calls have no effect. If a panic of
/// another thread is resumed, its place is unknown. Requests that do not panic have no extra cost.
///
/// ```
/// tower_error_envelope::middleware::log_panic_places();
/// ```
///
/// # Panics
///
/// Panics if the calling thread is panicking.
pub fn log_panic_places() {
    static WRAPPED: Once = Once::new();

    WRAPPED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            note_place(panic);
            earlier(panic);
        }));
    });
}

fn note_place(panic: &PanicHookInfo<'_>) {
    let Some(place) = panic.location() else { return };
    let noted = (text_of(panic.payload()), format!("{}:{}", place.file(), place.line()));
    // This fails if the thread is ending, because its local variables no longer exist.
    let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = Some(noted)));
}

/// Returns the place of the panic with this text, if it was the last panic of this thread. The hook is not called for a
/// panic that is resumed.
fn place_of(text: &str) -> Option<String> {
    let last = LAST.try_with(|last| last.try_borrow_mut().ok()?.take()).ok()??;
    (*last.0 == *text).then_some(last.1)
}

/// A value from user code, whose drop may panic. The value is always dropped inside `catch`.
pub struct DropGuarded<T>(Option<T>);

impl<T> DropGuarded<T> {
    /// Guards a value.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// Returns the value. Returns `None` only while the value is being dropped.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Drop for DropGuarded<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let _ = catch(|| drop(value));
    }
}

fn text(payload: Box<dyn Any + Send>) -> Box<str> {
    let text = text_of(&*payload);
    // Dropping a panic's payload may panic again. The payload of that second panic is leaked, because dropping it might
    // panic, too.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    match place_of(&text) {
        Some(place) => format!("{text} (at {place})").into(),
        None => text,
    }
}

fn text_of(payload: &(dyn Any + Send)) -> Box<str> {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).into(),
        (_, Some(text)) => text.as_str().into(),
        _ => "a panic without a text".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_a_drop_that_panics_goes_no_further_while_another_panic_unwinds() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }

        let caught = catch(|| {
            let _bomb = DropGuarded::new(Bomb);
            panic!("first");
        });
        assert_eq!(caught, Err::<(), _>("first".into()));
        drop(DropGuarded::new(Bomb));
    }

    #[test]
    fn f2_a_panic_is_its_text() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }

        assert_eq!(catch(|| 1), Ok(1));
        assert_eq!(catch(|| panic!("one")), Err::<(), _>("one".into()));
        assert_eq!(catch(|| panic!("{}", 2)), Err::<(), _>("2".into()));
        assert_eq!(catch(|| std::panic::panic_any(Bomb)), Err::<(), _>("a panic without a text".into()));
    }
}
