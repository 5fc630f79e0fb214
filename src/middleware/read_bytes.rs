//! The bytes read of a body.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// The bytes read so far: a single chunk as it came, or several chunks joined.
#[derive(Default)]
pub(super) struct ReadBytes {
    first: Bytes,
    all: BytesMut,
    pub(super) trailers: Option<Box<HeaderMap>>,
}

impl ReadBytes {
    pub(super) fn push_data(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.into_parts().0
    }

    pub(super) fn into_parts(self) -> (Bytes, Option<Box<HeaderMap>>) {
        let body = if self.all.is_empty() { self.first } else { self.all.freeze() };
        (body, self.trailers)
    }
}
