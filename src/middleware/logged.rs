//! Layers around layers of one process: the error of a request is logged and counted once, by the innermost layer that
//! decided about it (L1).

use std::borrow::BorrowMut;
use std::error::Error;
use std::iter::successors;

use http::Extensions;

use super::broken::ResponseBodyError;
use error_envelope_core::session::Event;
use error_envelope_runtime as runtime;

/// The mark of a response whose error is logged. Only responses to an outer layer have it, because it costs an
/// allocation.
#[derive(Clone, Copy)]
struct Logged {
    is_observed: bool,
}

/// Logs the error of a response with these extensions, unless an inner layer has. Its observer may be the first.
pub(super) fn log_once(mut event: impl BorrowMut<Event>, extensions: &mut Extensions) {
    let event = event.borrow_mut();
    let before = extensions.get::<Logged>().copied();
    let was_observed = before.is_some_and(|it| it.is_observed);
    let is_observed = was_observed || event.observer().is_some();
    match before {
        None => runtime::log_event(&mut *event),
        // Dropping the cause runs user code (F2).
        Some(_) if was_observed => drop(runtime::catch(|| drop(event.take_cause()))),
        Some(_) => runtime::observe_event(event),
    }
    // What an inner layer only observed, an outer one may decide otherwise.
    if event.is_nested() && event.would_be().is_none() {
        extensions.insert(Logged { is_observed });
    }
}

/// Whether the error of a body comes from an inner layer, which has logged it.
pub(super) fn is_logged(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
        .any(|error| error.is::<ResponseBodyError>())
}
