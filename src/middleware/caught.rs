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

/// Returns what a body reports about its end and size. If the body panics, the facts are the defaults, and the panic's
/// text is returned, too. The text is kept because the body may not panic again when it is read.
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

/// Returns the failure as which `failure_of` classifies an error, and the error itself. If `failure_of` panics, returns
/// the panic's text.
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

/// Polls for a body's next frame. The frame's data is copied into `Bytes`, so that message framing can be parsed. All
/// trailers except checksums are removed (R6). A panic becomes an error (F2).
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

/// Polls for a body's next frame, drops the frame and returns its length. A panic becomes an error (F2).
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

/// Makes the error for a panic of a body. The error is a fault, so that it is not mistaken for a broken body of the
/// client (F1, F2).
pub(super) fn panicked(panic: Box<str>) -> BoxError {
    Fault::new(ErrorCode::INTERNAL_ERROR).with_source(format!("a body panicked: {panic}")).into()
}
