//! All responses that a scheme may cause, for documents that list them.

use serde_json::{Value, json};

use super::compile::{Check, Scheme};
use super::outcome::{AuthFailure, Rejection};
use crate::fault::Fault;

impl Scheme {
    /// Returns one fault for each way in which a request's credentials may be wrong.
    pub(crate) fn faults(&self) -> impl Iterator<Item = Fault> {
        self.failures().into_iter().map(|why| self.fault(&Rejection::from(why)))
    }

    /// Returns the scheme in the format of OpenAPI's `securitySchemes`.
    pub(crate) fn as_openapi(&self) -> Value {
        match &self.check {
            #[cfg(feature = "auth")]
            Check::Key(keys) => match &keys.header {
                Some(header) => json!({ "type": "apiKey", "in": "header", "name": header.as_str() }),
                None => json!({ "type": "http", "scheme": "bearer" }),
            },
            #[cfg(feature = "jwt")]
            Check::Jwt(_) => json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }),
            Check::Certificate => json!({ "type": "mutualTLS" }),
            Check::Custom => self.challenges.as_openapi(),
        }
    }

    fn failures(&self) -> Vec<AuthFailure> {
        use AuthFailure::{Expired, Invalid, Malformed, Missing, NoEmail, Unavailable};
        match &self.check {
            #[cfg(feature = "auth")]
            Check::Key(keys) => {
                let mut failures = vec![Missing, Malformed, Invalid, Expired];
                failures.extend(keys.id_header.as_ref().map(|_| AuthFailure::OtherId));
                failures
            }
            #[cfg(feature = "jwt")]
            Check::Jwt(tokens) => {
                let mut failures = vec![Missing, Malformed, Invalid, Expired];
                failures.extend(tokens.require_verified_email().then_some(NoEmail));
                failures.extend(tokens.remote_keys().map(|_| Unavailable));
                failures
            }
            Check::Certificate => vec![Missing, Invalid],
            Check::Custom => vec![Missing, Malformed, Invalid, Expired, NoEmail, Unavailable],
        }
    }
}
