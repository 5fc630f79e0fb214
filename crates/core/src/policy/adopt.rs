//! Applies the policy's settings for a code to a fault that the service returned.

use http::StatusCode;

use super::Policy;
use crate::fault::Fault;

/// A service's fault, after the policy's settings were applied.
pub(crate) struct Adopted {
    pub(crate) fault: Fault,
    /// The status that the policy sets for the code, if the fault has another one. Only for the first such fault of
    /// each code.
    pub(crate) other_status: Option<StatusCode>,
}

impl Policy {
    /// Gives a fault the message, the gRPC status and the retry advice of its `[[code]]`, wherever the fault was
    /// created. If it has a message or a status of its own, that stays.
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
