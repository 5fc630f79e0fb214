//! Layers around layers of one process: the views of a request's error are written once, by the innermost layer that decided
//! about it (L1).

use std::error::Error;
use std::iter::successors;

use http::Extensions;

use super::broken::ResponseBodyError;
use error_envelope_core::session::RequestRecord;

/// The mark of a response whose error an inner layer writes. Only responses to an outer layer have it, because it costs an
/// allocation.
#[derive(Clone, Copy)]
struct Written {
    is_observed: bool,
}

/// Notes which layer writes the error of a response with these extensions. Its observer may be the first.
#[inline]
pub(super) fn mark(record: &mut RequestRecord, extensions: &mut Extensions) {
    if record.is_nested() || !extensions.is_empty() {
        mark_anew(record, extensions);
    }
}

fn mark_anew(record: &mut RequestRecord, extensions: &mut Extensions) {
    let before = extensions.get::<Written>().copied();
    if let Some(Written { is_observed }) = before {
        record.note_written_within(is_observed);
    }
    let is_observed = before.is_some_and(|it| it.is_observed) || record.observer().is_some();
    // What an inner layer only observed, an outer one may decide otherwise.
    if record.is_nested() && record.would_be().is_none() {
        extensions.insert(Written { is_observed });
    }
}

/// Whether the error of a body comes from an inner layer, which writes it.
pub(super) fn is_written(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
        .any(|error| error.is::<ResponseBodyError>())
}
