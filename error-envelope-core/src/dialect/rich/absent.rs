//! In a build without the feature `protobuf`.

use super::{Detail, Rich, RpcError};

impl RpcError<'_> {
    pub(crate) fn to_bytes(self, _: usize) -> Vec<u8> {
        Vec::new()
    }

    pub(crate) fn details(self, _: usize) -> Option<Vec<Detail>> {
        None
    }
}

impl Rich {
    pub(crate) fn from_bytes(_: &[u8]) -> Option<Self> {
        None
    }

    pub(crate) fn add(&mut self, _: &str, _: &[u8]) {}
}
