//! Checks the schemes of a route against the headers of one request. One scheme that accepts the request is enough
//! (rule G2).

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use error_envelope_fault::identity::{Identity, Proof};

use super::compile::{Check, Scheme};
#[cfg(feature = "jwt")]
use super::keys::bearer_token;
use super::outcome::{AuthCause, AuthFailure, Granted, Rejection};
use super::refusal::AuthRefusal;
use super::scheme::{ClientCertificate, Sent, header_value};
use super::verified::{Verified, VerifierFailure};
use crate::code::ErrorCode;
use crate::fault::Fault;

/// The decision of the schemes of a route about a request.
#[derive(Debug)]
pub(crate) enum SchemesOutcome {
    In(Granted),
    /// The request has no credentials, and the route does not require any.
    Anonymous,
    Refused(AuthRefusal),
    /// The decision depends on verifiers that must be called first.
    Open(AwaitingVerifiers),
}

/// A decision that is still open. No scheme without a verifier lets the request in, but a verifier may let it in.
#[derive(Debug)]
pub(crate) struct AwaitingVerifiers {
    schemes: Box<[Arc<Scheme>]>,
    /// The results of the schemes, in their order. A result is `None` if the scheme's verifier has not been called yet.
    rejections: Box<[Option<Rejection>]>,
}

/// Runs all schemes that need no verifier.
pub(crate) fn check_without_wait<'a>(
    schemes: &[Arc<Scheme>],
    sent: impl Into<Sent<'a>>,
    now: &dyn Fn() -> SystemTime,
) -> SchemesOutcome {
    let sent = sent.into();
    if let [only] = schemes {
        match only.check(sent, now) {
            Some(Ok(passed)) => return SchemesOutcome::In(passed),
            Some(Err(rejection)) => {
                return SchemesOutcome::Refused(AuthRefusal::One((only.clone(), rejection)));
            }
            None => {
                return AwaitingVerifiers { schemes: schemes.into(), rejections: Box::new([None]) }.refused_or_open();
            }
        }
    }
    let mut rejections = Vec::new();
    for scheme in schemes {
        match scheme.check(sent, now) {
            Some(Ok(passed)) => return SchemesOutcome::In(passed),
            Some(Err(rejection)) => rejections.push(Some(rejection)),
            None => rejections.push(None),
        }
    }
    AwaitingVerifiers { schemes: schemes.into(), rejections: rejections.into() }.refused_or_open()
}

impl AwaitingVerifiers {
    /// Returns the scheme whose verifier is to be called next.
    pub(crate) fn next(&self) -> Option<&Arc<Scheme>> {
        self.schemes.iter().zip(&self.rejections).find_map(|(scheme, rejection)| rejection.is_none().then_some(scheme))
    }

    /// Continues with the result of a scheme's verifier. If keys were fetched instead, the scheme is checked again. A
    /// result for another scheme is ignored.
    pub(crate) fn verified(
        mut self,
        (of, outcome): (&Arc<Scheme>, &Result<Verified, VerifierFailure>),
        sent: Sent<'_>,
        now: &dyn Fn() -> SystemTime,
    ) -> SchemesOutcome {
        for (scheme, rejection) in self.schemes.iter().zip(&mut self.rejections) {
            if rejection.is_none() && Arc::ptr_eq(scheme, of) {
                match scheme.decide_locally(sent, now).unwrap_or_else(|| scheme.result_of_verifier(outcome)) {
                    Ok(passed) => return SchemesOutcome::In(passed),
                    Err(refused) => *rejection = Some(refused),
                }
            }
        }
        self.refused_or_open()
    }

    fn refused_or_open(self) -> SchemesOutcome {
        if self.next().is_some() {
            return SchemesOutcome::Open(self);
        }
        let schemes = self.schemes.into_iter().zip(self.rejections);
        let refused = schemes.filter_map(|(scheme, rejection)| Some((scheme, rejection?)));
        SchemesOutcome::Refused(AuthRefusal::Several(refused.collect()))
    }
}

impl Scheme {
    fn result_of_verifier(&self, outcome: &Result<Verified, VerifierFailure>) -> Result<Granted, Rejection> {
        let why = match outcome {
            Err(failed) => {
                let cause = Some(AuthCause::Failed(failed.clone()));
                return Err(Rejection { cause, ..AuthFailure::Unavailable.into() });
            }
            // If an id cannot be forwarded, that is a mistake of the verifier and not of the client.
            Ok(Verified::Granted(caller)) => {
                let proof = caller.data.clone().map_or(Proof::IdAlone, Proof::Data);
                return self
                    .pass(Some(&caller.id), proof)
                    .map_err(|refused| Rejection { why: AuthFailure::Unavailable, ..refused });
            }
            Ok(Verified::Missing) => return Err(AuthFailure::Missing.into()),
            Ok(Verified::Malformed) => AuthFailure::Malformed,
            Ok(Verified::Invalid) => AuthFailure::Invalid,
            Ok(Verified::Expired) => AuthFailure::Expired,
            Ok(Verified::NoEmail) => AuthFailure::NoEmail,
        };
        Err(Rejection::token(why))
    }

    /// Returns the fault for malformed credentials. The default text of the code mentions `authorization`, which not
    /// every scheme reads.
    fn malformed_fault(&self) -> Fault {
        let fault = Fault::new(ErrorCode::AUTH_MALFORMED);
        match (&self.check, self.key_header()) {
            (Check::Custom, _) => fault.with_stock_message("The credentials are badly formed."),
            (_, Some(header)) => fault.with_stock_message(format!("The header {header} is badly formed or repeated.")),
            (_, None) => fault,
        }
    }

    pub(super) fn fault(&self, rejection: &Rejection) -> Fault {
        let words = &self.words;
        let (code, word) = match rejection.why {
            AuthFailure::Missing => (ErrorCode::AUTH_MISSING, &words.missing),
            AuthFailure::Malformed => (ErrorCode::AUTH_MALFORMED, &words.malformed),
            AuthFailure::Invalid => (ErrorCode::AUTH_INVALID, &words.invalid),
            AuthFailure::Expired => (ErrorCode::AUTH_EXPIRED, &words.expired),
            AuthFailure::NoEmail => (ErrorCode::AUTH_NO_EMAIL, &words.no_email),
            #[cfg(feature = "auth")]
            AuthFailure::OtherId => (ErrorCode::FORBIDDEN, &None),
            AuthFailure::Unavailable => (self.unavailable_code.clone(), &words.unavailable),
        };
        let fault = match word {
            Some(word) => Fault::new(code).with_message(word.clone()),
            None if rejection.why == AuthFailure::Malformed => self.malformed_fault(),
            None => Fault::new(code),
        };
        let cause = format!("scheme {}: {}", self.name, rejection.why.as_str());
        match &rejection.cause {
            None => fault.with_source(cause),
            Some(AuthCause::Known(known)) => fault.with_source(format!("{cause}: {known}")),
            // The error value is kept, so that the log can list its causes.
            Some(AuthCause::Failed(error)) => fault.with_source(SchemeFailure(cause, error.clone())),
        }
    }
}

/// The failure of a verifier, with the error that it returned.
#[derive(Debug)]
struct SchemeFailure(String, Arc<dyn Error + Send + Sync>);

impl fmt::Display for SchemeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SchemeFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.1)
    }
}

impl Scheme {
    /// Checks the scheme. Returns `None` if a verifier of the user must decide, or if keys must be fetched first. `now`
    /// is called if a key or a token has an expiry.
    pub(super) fn check(&self, sent: Sent<'_>, now: &dyn Fn() -> SystemTime) -> Option<Result<Granted, Rejection>> {
        let waits = |rejection: &Rejection| rejection.unless_keys_change && self.may_get_new_keys();
        self.decide_locally(sent, now).filter(|decided| !decided.as_ref().is_err_and(waits))
    }

    /// Decides without a verifier. Returns `None` if only a verifier can decide.
    #[cfg_attr(
        not(feature = "auth"),
        allow(unused_variables, reason = "without keys and tokens, only verifiers decide")
    )]
    pub(super) fn decide_locally(
        &self,
        sent: Sent<'_>,
        now: &dyn Fn() -> SystemTime,
    ) -> Option<Result<Granted, Rejection>> {
        match &self.check {
            Check::Custom => None,
            Check::Certificate => Some(self.judge_certificate(sent.certificate)),
            #[cfg(feature = "auth")]
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

    /// Returns true if newer keys may be available soon.
    fn may_get_new_keys(&self) -> bool {
        #[cfg(feature = "jwt")]
        return self.remote_keys().is_some_and(|keys| !keys.is_resting());
        #[cfg(not(feature = "jwt"))]
        false
    }

    /// Lets in the caller that a token or a verifier has identified. If the policy forwards the caller's id to the
    /// inner service, the id must exist.
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
