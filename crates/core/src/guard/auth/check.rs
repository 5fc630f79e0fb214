//! Checks one scheme against the headers of a request (rule G2).

use std::time::SystemTime;

use error_envelope_fault::identity::{Identity, Proof};

use super::certificate::{ClientCertificate, Sent};
use super::compile::{Check, Scheme};
use super::forward::header_value;
use super::outcome::{AuthFailure, Checked, Granted, Rejection};
#[cfg(feature = "jwt")]
use super::sent::bearer_token;

impl Scheme {
    /// Checks the scheme. `now` is called if a key or a token has an expiry.
    pub(super) fn check(&self, sent: Sent<'_>, now: &dyn Fn() -> SystemTime) -> Checked {
        match self.decide_locally(sent, now) {
            None => Checked::NeedsVerifier,
            Some(Err(rejection)) if rejection.unless_keys_change && self.may_get_new_keys() => Checked::NeedsVerifier,
            Some(decided) => decided.into(),
        }
    }

    /// Decides without a verifier; `None` if only a verifier can decide.
    #[cfg_attr(
        not(feature = "keys"),
        allow(unused_variables, reason = "without keys and tokens verifiers alone decide")
    )]
    pub(super) fn decide_locally(
        &self,
        sent: Sent<'_>,
        now: &dyn Fn() -> SystemTime,
    ) -> Option<Result<Granted, Rejection>> {
        match &self.check {
            Check::Custom => None,
            Check::Certificate => Some(self.judge_certificate(sent.certificate)),
            #[cfg(feature = "keys")]
            Check::Key(keys) => Some(keys.check(sent.headers, now).map(|known| known.pass(self.forward_id.as_ref()))),
            #[cfg(feature = "jwt")]
            Check::Jwt(tokens) => {
                let verified = bearer_token(sent.headers).and_then(|token| tokens.check(token, now));
                Some(verified.and_then(|token| self.pass(token.subject.as_deref(), Proof::Claims(token.claims))))
            }
        }
    }

    fn judge_certificate(&self, certificate: Option<&ClientCertificate>) -> Result<Granted, Rejection> {
        let name = certificate.ok_or(AuthFailure::Missing)?.name();
        let nameless = || Rejection::from(AuthFailure::Invalid).with_cause("the client's certificate has no name");
        let name = Some(name).filter(|name| !name.is_empty()).ok_or_else(nameless)?;
        self.pass(Some(name), Proof::IdAlone)
    }

    /// Whether newer keys may be available soon.
    fn may_get_new_keys(&self) -> bool {
        #[cfg(feature = "jwt")]
        return self.remote_keys().is_some_and(|keys| !keys.is_resting());
        #[cfg(not(feature = "jwt"))]
        false
    }

    /// Lets in the caller that a token or a verifier has identified. If the inner service is to get the caller's id,
    /// the id must exist.
    pub(super) fn pass(&self, id: Option<&str>, proof: Proof) -> Result<Granted, Rejection> {
        let id = id.filter(|id| !id.is_empty());
        let forward = match &self.forward_id {
            None => None,
            Some(name) => {
                let cause = "the token's subject cannot be sent in a header, which forward_id requires";
                let value =
                    id.and_then(header_value).ok_or(Rejection::token(AuthFailure::Invalid).with_cause(cause))?;
                Some((name.clone(), value))
            }
        };
        Ok(Granted { identity: Identity::proved_by(self.name.clone(), id, proof), forward })
    }
}
