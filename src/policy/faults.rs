//! The faults that the layer answers with itself, each made once, when the policy is built.

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit;

/// A policy's own faults.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    /// In the order of the catalogue.
    catalogue: Box<[Fault]>,
    /// By their limits.
    too_large: Box<[(u64, Fault)]>,
}

impl Faults {
    /// `limits` are those of all routes.
    pub(super) fn new(limits: impl Iterator<Item = u64>) -> Self {
        let mut limits: Vec<u64> = limits.collect();
        limits.sort_unstable();
        limits.dedup();
        Self {
            catalogue: ErrorCode::ALL.iter().map(|code| Fault::new(code.clone()).kept()).collect(),
            too_large: limits.into_iter().map(|limit| (limit, body_limit::too_large(limit).kept())).collect(),
        }
    }

    /// That of a code of the catalogue, which says nothing of its own.
    pub(super) fn of(&self, code: &ErrorCode) -> Option<&Fault> {
        self.catalogue.get(code.place()?)
    }

    /// The fault of a body over that limit.
    pub(super) fn too_large(&self, limit: u64) -> Fault {
        match self.too_large.binary_search_by_key(&limit, |(limit, _)| *limit) {
            Ok(at) => self.too_large[at].1.clone(),
            Err(_) => body_limit::too_large(limit),
        }
    }
}
