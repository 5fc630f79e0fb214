//! Data of a response that hyper has got: notes whether the client takes it.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::connection_state::ResponseProgress;

/// A piece of data that hyper has got.
pub(crate) struct TrackedData {
    data: Bytes,
    progress: Arc<ResponseProgress>,
}

impl TrackedData {
    pub(crate) fn new(data: Bytes, progress: Arc<ResponseProgress>) -> Self {
        progress.gave(data.len());
        Self { data, progress }
    }
}

impl Buf for TrackedData {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.progress.took(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.progress.took(length);
        self.data.copy_to_bytes(length)
    }
}

impl Drop for TrackedData {
    fn drop(&mut self) {
        if self.data.has_remaining() {
            self.progress.lost(self.data.len());
        }
    }
}
