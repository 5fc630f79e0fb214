//! The policy's settings for a service's own fault, by the fault's code.

use http::StatusCode;

use super::Policy;
use crate::fault::Fault;

/// A service's fault with the policy's settings.
pub(crate) struct Adopted {
    pub(crate) fault: Fault,
    /// The policy's status of its code, if the fault has another, for the first such fault of each code.
    pub(crate) other_status: Option<StatusCode>,
}

impl Policy {
    /// Gives a fault the message, gRPC status and retry advice of its `[[code]]`, wherever the fault was made. Its own
    /// message and its own status stay.
    #[inline]
    pub(crate) fn adopt(&self, fault: Fault) -> Adopted {
        let Some((place, code)) = self.codes.defined(fault.code()) else {
            return Adopted { fault, other_status: None };
        };
        let differs = fault.status_code() != code.status();
        let other_status = (differs && self.faults.is_first(place)).then(|| code.status());
        Adopted { fault: fault.with_code(code), other_status }
    }
}
