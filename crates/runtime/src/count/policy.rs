//! Sets a gauge that shows which policy is active. Its label is the hash of the policy's files (rule L2).

use std::sync::{Mutex, PoisonError};

use metrics::{Gauge, describe_gauge, gauge};

const POLICY: &str = "error_envelope_policy_info";

/// The hash of the policy that became active last. It is stored because a recorder may be installed later.
static ACTIVE: Mutex<Option<Box<str>>> = Mutex::new(None);

/// Records that the policy with this hash is active from now on. `hash` is `None` for a policy without a file.
pub(crate) fn record_policy(hash: Option<&str>) {
    let hash = hash.unwrap_or("none");
    let before = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).replace(hash.into());
    // A recorder cannot remove a series, so the series of the old policy is set to 0.
    if let Some(before) = before.filter(|before| **before != *hash) {
        gauge_of(&before).set(0.0);
    }
    gauge_of(hash).set(1.0);
}

pub(super) fn describe() {
    describe_gauge!(POLICY, "1 for the active policy, 0 for an earlier one; the hash of its files is a label.");
    if let Some(hash) = &*ACTIVE.lock().unwrap_or_else(PoisonError::into_inner) {
        gauge_of(hash).set(1.0);
    }
}

fn gauge_of(hash: &str) -> Gauge {
    gauge!(POLICY, "hash" => hash.to_owned())
}
