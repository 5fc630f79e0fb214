//! The faults that consist only of their code, and the faults of each body limit. Each fault is created once, when the
//! policy is built, and keeps its prepared reply. The layer's own errors, and inner errors without fields, copy that
//! reply. An inner error that has fields copies only the head of the reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit;

/// The faults of a policy.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFaults {
    /// The faults of the catalogue, in its order.
    catalogue: Box<[Fault]>,
    /// The faults for bodies that are too large, sorted by limit.
    too_large: Box<[(u64, Fault)]>,
    /// One flag for each code of the policy. The flag is true if it was already reported that a service uses another
    /// status for the code.
    reported: Arc<[AtomicBool]>,
}

impl PolicyFaults {
    /// Creates the faults. `limits` are the body limits of all routes. `own_codes` is the number of codes that the
    /// policy defines.
    pub(super) fn new(limits: impl Iterator<Item = u64>, own_codes: usize) -> Self {
        let mut limits: Vec<u64> = limits.collect();
        limits.sort_unstable();
        limits.dedup();
        Self {
            catalogue: ErrorCode::ALL.iter().map(|code| Fault::new(code.clone()).with_stored_reply()).collect(),
            too_large: limits
                .into_iter()
                .map(|limit| (limit, body_limit::too_large(limit).with_stored_reply()))
                .collect(),
            reported: (0..own_codes).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Returns the fault for a code of the catalogue. The fault consists only of the code.
    #[inline]
    pub(crate) fn of_code(&self, code: &ErrorCode) -> Option<&Fault> {
        self.catalogue.get(code.place()?)
    }

    /// Returns the policy's own copy of a fault if the fault consists only of its code. Otherwise returns the fault.
    #[inline(always)]
    pub(crate) fn prepared<'f>(&'f self, fault: &'f Fault) -> &'f Fault {
        if fault.is_stock() { self.of_code(fault.code()).unwrap_or(fault) } else { fault }
    }

    /// Returns the fault for a body that is over this limit (G4).
    pub(crate) fn too_large(&self, limit: u64) -> Fault {
        match self.too_large.binary_search_by_key(&limit, |(limit, _)| *limit) {
            Ok(at) => self.too_large[at].1.clone(),
            Err(_) => body_limit::too_large(limit),
        }
    }

    /// Returns true only at the first call for the code at this index, so that the caller reports only once that a
    /// service uses another status for the code.
    pub(super) fn is_first(&self, place: usize) -> bool {
        self.reported.get(place).is_none_or(|reported| !reported.swap(true, Ordering::Relaxed))
    }
}
