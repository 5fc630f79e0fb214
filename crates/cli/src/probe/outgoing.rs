//! The request bodies. They are generated in pieces, so that none is in memory as a whole.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::request::SentRequest;

const CHUNK: u64 = 16 * 1024;

pub(super) type Outgoing = UnsyncBoxBody<Bytes, Infallible>;

/// A text, or a JSON string that never ends.
pub(super) fn body_of(sent: &SentRequest) -> Outgoing {
    let length = match sent {
        SentRequest::Nothing | SentRequest::Unsent(_) => return Full::default().boxed_unsync(),
        SentRequest::Text(text) => return Full::new(text.clone()).boxed_unsync(),
        SentRequest::Filled(length) | SentRequest::Chunked(length) => *length,
    };
    let chunks = (0..length.div_ceil(CHUNK)).map(move |index| {
        let mut data = vec![b'a'; usize::try_from(CHUNK.min(length - index * CHUNK)).unwrap_or_default()];
        // The body begins a JSON string, so that a decoder reads on to the end.
        if index == 0 {
            data[0] = b'"';
        }
        Ok(Frame::data(data.into()))
    });
    StreamBody::new(stream::iter(chunks)).boxed_unsync()
}
