//! The body of an event stream: the exchange inspects what passes, and ends a stream that breaks off (rule F6).

use bytes::Bytes;
use http_body::Frame;

use super::broken::{BodyAction, Broken, end_of};
use error_envelope_core::exchange::{BodyContext, EventStream};

/// An event stream until its end.
pub(super) struct EventBody(Option<Box<EventStream>>);

impl EventBody {
    pub(super) fn new(stream: Box<EventStream>) -> Self {
        Self(Some(stream))
    }

    pub(super) fn passed(&mut self, frame: &mut Frame<Bytes>) {
        let Some(stream) = &mut self.0 else { return };
        match frame.data_mut() {
            Some(data) => {
                if let Some(readdressed) = stream.response_data(data) {
                    *data = readdressed;
                }
            }
            None => stream.response_trailers(),
        }
    }

    pub(super) fn failed(&mut self, broken: Broken) -> BodyAction {
        end_of(self.0.take(), broken, EventStream::failure_of, EventStream::failed)
    }

    pub(super) fn take_tail(&mut self) -> Option<BodyContext> {
        self.0.take().map(|stream| stream.into_body_context())
    }
}
