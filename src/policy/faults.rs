//! The faults that the layer answers with itself, each made once, when the policy is built; and what the policy says of a
//! service's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;

use super::Policy;
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
    /// Of each of the policy's own codes, whether it was reported that a service gives it another status.
    reported: Arc<[AtomicBool]>,
}

impl Faults {
    /// `limits` are those of all routes; `own_codes` is the number of codes that the policy defines.
    pub(super) fn new(limits: impl Iterator<Item = u64>, own_codes: usize) -> Self {
        let mut limits: Vec<u64> = limits.collect();
        limits.sort_unstable();
        limits.dedup();
        Self {
            catalogue: ErrorCode::ALL.iter().map(|code| Fault::new(code.clone()).kept()).collect(),
            too_large: limits.into_iter().map(|limit| (limit, body_limit::too_large(limit).kept())).collect(),
            reported: (0..own_codes).map(|_| AtomicBool::new(false)).collect(),
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

/// A service's fault as the policy has it.
pub(crate) struct Adopted {
    pub(crate) fault: Fault,
    /// The policy's status of its code, where the fault has another, for the first such fault of each code.
    pub(crate) other_status: Option<StatusCode>,
}

impl Policy {
    /// Gives a fault the message, gRPC status and retry advice of its `[[code]]`, wherever the fault was made. Its own
    /// message and its own status stay.
    pub(crate) fn adopt(&self, fault: Fault) -> Adopted {
        let Some((place, code)) = self.codes.defined(fault.code()) else {
            return Adopted { fault, other_status: None };
        };
        let differs = fault.status_code() != code.status();
        let reported = || self.faults.reported.get(place).is_some_and(|known| known.swap(true, Ordering::Relaxed));
        let other_status = (differs && !reported()).then(|| code.status());
        Adopted { fault: fault.with_code(code), other_status }
    }
}
