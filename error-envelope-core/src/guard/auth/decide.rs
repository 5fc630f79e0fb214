//! Several schemes and one request: one that lets in is enough (rule G2).

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderMap;

use super::compile::Scheme;
use super::outcome::{Cause, Checked, Not, Passed, Why};
use super::refusal::Refusal;
use super::verified::{Failed, Verified};
use crate::code::ErrorCode;
use crate::fault::Fault;

/// What the schemes of a route say of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    In(Passed),
    Refused(Refusal),
    /// It depends on verifiers.
    Open(Undecided),
}

/// A request that none of the schemes that need no wait lets in, while others may.
#[derive(Debug)]
pub(crate) struct Undecided {
    schemes: Box<[Arc<Scheme>]>,
    /// In the order of the schemes; `None` where a verifier was not asked yet.
    said: Box<[Option<Not>]>,
}

/// Asks all schemes that need no wait.
pub(crate) fn at_once(schemes: &[Arc<Scheme>], headers: &HeaderMap, now: &dyn Fn() -> SystemTime) -> Verdict {
    if let [only] = schemes {
        match only.check(headers, now) {
            Checked::In(passed) => return Verdict::In(passed),
            Checked::Not(not) => return Verdict::Refused(Refusal::by_one(only.clone(), not)),
            Checked::Ask => return Undecided { schemes: schemes.into(), said: Box::new([None]) }.settled(),
        }
    }
    let mut said = Vec::new();
    for scheme in schemes {
        match scheme.check(headers, now) {
            Checked::In(passed) => return Verdict::In(passed),
            Checked::Not(not) => said.push(Some(not)),
            Checked::Ask => said.push(None),
        }
    }
    Undecided { schemes: schemes.into(), said: said.into() }.settled()
}

impl Undecided {
    /// The scheme whose verifier is to be asked next.
    pub(crate) fn next(&self) -> Option<&Arc<Scheme>> {
        self.schemes.iter().zip(&self.said).find_map(|(scheme, said)| said.is_none().then_some(scheme))
    }

    /// Takes what the verifier of a scheme said. One that is not asked for here changes nothing.
    pub(crate) fn verified(mut self, of: &Arc<Scheme>, outcome: &Result<Verified, Failed>) -> Verdict {
        for (scheme, said) in self.schemes.iter().zip(&mut self.said) {
            if said.is_none() && Arc::ptr_eq(scheme, of) {
                match scheme.take(outcome) {
                    Ok(passed) => return Verdict::In(passed),
                    Err(not) => *said = Some(not),
                }
            }
        }
        self.settled()
    }

    fn settled(self) -> Verdict {
        if self.next().is_some() {
            return Verdict::Open(self);
        }
        let schemes = self.schemes.into_iter().zip(self.said);
        Verdict::Refused(Refusal::by_several(schemes.filter_map(|(scheme, said)| Some((scheme, said?))).collect()))
    }
}

impl Scheme {
    fn take(&self, outcome: &Result<Verified, Failed>) -> Result<Passed, Not> {
        let why = match outcome {
            Err(failed) => {
                return Err(Not { cause: Some(Cause::Failed(failed.0.clone())), ..Why::Unavailable.into() });
            }
            // An id that cannot be forwarded is the verifier's mistake, not the client's.
            Ok(Verified::Granted(id)) => {
                return self.pass(Some(id)).map_err(|not| Not { why: Why::Unavailable, ..not });
            }
            Ok(Verified::Missing) => return Err(Why::Missing.into()),
            Ok(Verified::Malformed) => Why::Malformed,
            Ok(Verified::Invalid) => Why::Invalid,
            Ok(Verified::Expired) => Why::Expired,
            Ok(Verified::NoEmail) => Why::NoEmail,
        };
        Err(Not::token(why))
    }

    pub(super) fn fault(&self, not: &Not) -> Fault {
        let words = &self.words;
        let (code, word) = match not.why {
            Why::Missing => (ErrorCode::AUTH_MISSING, &words.missing),
            Why::Malformed => (ErrorCode::AUTH_MALFORMED, &words.malformed),
            Why::Invalid => (ErrorCode::AUTH_INVALID, &words.invalid),
            Why::Expired => (ErrorCode::AUTH_EXPIRED, &words.expired),
            Why::NoEmail => (ErrorCode::AUTH_NO_EMAIL, &words.no_email),
            Why::Unavailable => (ErrorCode::SERVICE_UNAVAILABLE, &words.unavailable),
        };
        let fault = match (word, self.key_header()) {
            (Some(word), _) => Fault::new(code).message(word.clone()),
            // The code's own text speaks of `authorization`.
            (None, Some(header)) if not.why == Why::Malformed => {
                Fault::new(code).with_stock_message(format!("The header {header} is badly formed or repeated."))
            }
            (None, _) => Fault::new(code),
        };
        match &not.cause {
            None => fault,
            Some(Cause::Known(cause)) => fault.caused_by(*cause),
            Some(Cause::Failed(error)) => fault.caused_by(error.clone()),
        }
    }
}
