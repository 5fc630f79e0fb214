//! All responses with which the guards of a route may answer, for documents that list them.

use std::sync::Arc;

use http::request::Parts;

use super::{Policy, RouteSettings};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::auth::Scheme;

impl Policy {
    /// The faults that may answer requests of a route before the service gets them, and those for a service that fails.
    pub(crate) fn refusals(&self, head: &Parts, has_body: bool) -> Vec<Fault> {
        let settings = &self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        let mut faults = Vec::new();
        if !settings.auth_observe {
            let refused = settings.auth.iter().flat_map(|scheme| scheme.faults());
            let may_be_missing = settings.auth_optional;
            faults.extend(refused.filter(|fault| !may_be_missing || *fault.code() != ErrorCode::AUTH_MISSING));
        }
        faults.extend([ErrorCode::HEADERS_TOO_LARGE, ErrorCode::INTERNAL_ERROR].map(Fault::new));
        if settings.mode.is_enforced() {
            faults.extend(self.unmet(settings, has_body));
        }
        faults
    }

    /// The schemes of a route, and whether requests without credentials may pass.
    pub(crate) fn credentials_at(&self, head: &Parts) -> (Vec<Arc<Scheme>>, bool) {
        let settings = &self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        (settings.auth.to_vec(), settings.auth_observe || settings.auth_optional)
    }

    /// The faults of those guards that a mode may turn off (G0, G1, G3, G4).
    fn unmet(&self, settings: &RouteSettings, has_body: bool) -> Vec<Fault> {
        let mut faults: Vec<Fault> = settings.require_headers.iter().map(|guard| guard.refusal()).collect();
        // For a path that can be read in several ways.
        faults.push(Fault::new(ErrorCode::BAD_REQUEST));
        if has_body {
            faults.extend(settings.content_types.get().map(|types| types.refusal()));
            faults.extend(settings.body_limit.map(|limit| self.too_large(limit)));
        }
        faults
    }
}
