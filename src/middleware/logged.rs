//! Handles several layers in one process. The innermost layer that decided about a request's error writes the log lines
//! of that error (L1).

use std::error::Error;

use http::Extensions;

use super::broken::ResponseBodyError;
use error_envelope_core::cause::find;
use error_envelope_core::session::{LocalReply, RequestRecord};

/// Marks a response whose error an inner layer writes. A layer adds this mark only if an outer layer exists, because
/// the mark costs an allocation.
#[derive(Clone, Copy)]
struct Written {
    is_observed: bool,
}

/// Notes in the record whether an inner layer already writes the error of this response, and whether an observer has
/// already got the error. Marks the response for an outer layer.
#[inline]
pub(super) fn mark(record: &mut RequestRecord, extensions: &mut Extensions) {
    if record.is_nested() || !extensions.is_empty() {
        mark_anew(record, extensions);
    }
}

/// Does the same for a reply of the layer itself. The reply is borrowed, because it is expensive to move.
#[inline]
pub(super) fn mark_reply(answered: &mut LocalReply) {
    mark(&mut answered.record, answered.reply.extensions_mut());
}

fn mark_anew(record: &mut RequestRecord, extensions: &mut Extensions) {
    let before = extensions.get::<Written>().copied();
    let is_outers = before.is_none() && record.written_elsewhere().is_some();
    if let Some(Written { is_observed }) = before {
        record.note_written_elsewhere(is_observed);
    }
    let is_observed = before.is_some_and(|it| it.is_observed) || record.observer().is_some();
    // An error that an inner layer only observed is not marked, because an outer layer may decide otherwise. Nor is an
    // error that this layer leaves to an outer one.
    if record.is_nested() && record.would_be().is_none() && !is_outers {
        extensions.insert(Written { is_observed });
    }
}

/// Returns true if the error of a body comes from an inner layer, which logs the error itself.
pub(super) fn is_written(error: &(dyn Error + 'static)) -> bool {
    find::<ResponseBodyError>(error).is_some()
}
