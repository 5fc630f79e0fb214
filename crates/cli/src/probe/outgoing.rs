//! The request bodies: none is held in memory as a whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::request::SentRequest;

const CHUNK: usize = 16 * 1024;

/// A text, or a JSON string that never ends.
pub(super) enum Outgoing {
    Text(Bytes),
    Fill { left: u64, begun: bool, text: bool },
}

impl Outgoing {
    pub(super) fn new(sent: &SentRequest) -> Self {
        match sent {
            SentRequest::Nothing | SentRequest::Unsent(_) => Self::Text(Bytes::new()),
            SentRequest::Text(text) => Self::Text(text.clone()),
            SentRequest::Filled(length) => Self::Fill { left: *length, begun: false, text: true },
            SentRequest::Chunked(length) => Self::Fill { left: *length, begun: false, text: false },
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = match &mut *self {
            Self::Text(text) => std::mem::take(text),
            Self::Fill { left, begun, .. } => {
                let length = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
                *left -= length as u64;
                // JSON, so that a decoder reads on to its end.
                let mut data = vec![b'a'; length];
                if let Some(first) = data.first_mut().filter(|_| !*begun) {
                    (*first, *begun) = (b'"', true);
                }
                data.into()
            }
        };
        Poll::Ready((!data.is_empty()).then(|| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Fill { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Fill { left, text: true, .. } => SizeHint::with_exact(*left),
            Self::Fill { .. } => SizeHint::new(),
        }
    }
}
