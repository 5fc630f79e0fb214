//! Calls the methods of user-defined bodies and errors, and catches their panics (rule F2).

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::session::{BodyFacts, BoxError, Failure, keep_checksums};
use error_envelope_runtime::catch;

/// Returns what a body reports about itself. If it panics, it is treated as reporting nothing. The text of the panic is
/// also returned, because the body may not panic again when it is read.
pub(super) fn facts<B: Body>(body: &B) -> (BodyFacts, Option<Box<str>>) {
    let facts = catch(|| {
        let size = body.size_hint();
        BodyFacts { ended: body.is_end_stream(), lower: size.lower(), upper: size.upper() }
    });
    facts.map_or_else(|panic| (BodyFacts::default(), Some(panic)), |facts| (facts, None))
}

/// Returns true if a body reports its end.
pub(super) fn has_ended<B: Body>(body: &B) -> bool {
    catch(|| body.is_end_stream()).unwrap_or(false)
}

/// Returns the size that a body reports.
pub(super) fn size_hint<B: Body>(body: &B) -> SizeHint {
    catch(|| body.size_hint()).unwrap_or_default()
}

/// Returns the failure that an error stands for, and the error. If inspecting the error panics, returns the panic's
/// text.
pub(super) fn inspected(
    error: BoxError,
    failure_of: impl FnOnce(&(dyn Error + 'static)) -> Option<Failure>,
) -> Result<(Failure, BoxError), Box<str>> {
    match catch(|| failure_of(&*error)) {
        Ok(failure) => Ok((failure.unwrap_or_else(Failure::panicked), error)),
        Err(panic) => {
            let _ = catch(|| drop(error));
            Err(panic)
        }
    }
}

/// Polls for a body's next frame. Its data is copied into `Bytes`, so that message framing can be parsed. Of its
/// trailers, only checksums pass (R6). A panic becomes an error (F2).
pub(super) fn poll_bytes<B>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body<Error: Into<BoxError>>,
{
    let polled = catch(|| {
        body.poll_frame(cx).map(|frame| match frame? {
            Ok(mut frame) => {
                if let Some(trailers) = frame.trailers_mut() {
                    keep_checksums(trailers);
                    if trailers.is_empty() {
                        return None;
                    }
                }
                Some(Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))))
            }
            Err(error) => Some(Err(error.into())),
        })
    });
    polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(panicked(panic)))))
}

/// Polls for a body's next frame, drops it and returns its length. A panic becomes an error (F2).
pub(super) fn poll_dropped<B>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>
where
    B: Body<Error: Into<BoxError>>,
{
    let polled = catch(|| {
        let length = |frame: Frame<B::Data>| frame.data_ref().map_or(0, Buf::remaining);
        body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map(length).map_err(Into::into)))
    });
    polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(panicked(panic)))))
}

/// Makes the error for a panic. It is a fault, so that it is not mistaken for a broken body of the client (F1, F2).
pub(super) fn panicked(panic: Box<str>) -> BoxError {
    Fault::new(ErrorCode::INTERNAL_ERROR).with_source(format!("a body panicked: {panic}")).into()
}
