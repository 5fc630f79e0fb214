//! In a build without the feature `protobuf`.

use super::{PackedDetail, RpcDetails, RpcError};

impl RpcError<'_> {
    pub(crate) fn to_bytes(self, _: usize) -> Vec<u8> {
        Vec::new()
    }

    pub(crate) fn details(self, _: usize) -> Option<Vec<PackedDetail>> {
        None
    }
}

impl RpcDetails {
    pub(crate) fn from_bytes(_: &[u8]) -> Option<Self> {
        None
    }

    pub(crate) fn add(&mut self, _: &str, _: &[u8]) {}
}
