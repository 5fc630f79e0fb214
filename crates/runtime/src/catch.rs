//! Panics of the user's code, kept as their text (rule F2).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the user's code; a panic becomes its text (F2). A payload is not `Sync`, its text is. Nothing can be caught with
/// `panic = "abort"`.
///
/// Values that the code used are dropped afterwards, or the user keeps them consistent, as across any await.
///
/// # Errors
///
/// The panic's text.
pub fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Box<str>> {
    catch_unwind(AssertUnwindSafe(code)).map_err(text)
}

/// A value of the user's, dropped inside a catch wherever its last owner is.
pub struct DropGuarded<T>(Option<T>);

impl<T> DropGuarded<T> {
    /// Guards a value.
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value; `None` only while it is being dropped.
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
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).into(),
        (_, Some(text)) => text.as_str().into(),
        _ => "a panic without a text".into(),
    };
    // A payload's own drop may panic again; that panic's text is not needed.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    text
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
