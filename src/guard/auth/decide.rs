//! Several schemes and one request: one that lets in is enough (rule G2).

use std::sync::Arc;
use std::time::SystemTime;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode};

use super::challenge::TokenError;
use super::compile::Scheme;
use super::outcome::{Cause, Checked, Not, Passed, Why};
use super::verified::{Failed, Verified};
use crate::code::ErrorCode;
use crate::fault::Fault;

/// What the schemes of a route say of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    In(Passed),
    Refused(Fault),
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
            // What is told of a cause is of one request alone.
            Checked::Not(not) if not.cause.is_none() => {
                let make = || refusal(schemes, std::slice::from_ref(&not));
                return Verdict::Refused(only.refusals.of(not.why as usize, not.token_sent, make));
            }
            Checked::Not(not) => return Verdict::Refused(refusal(schemes, &[not])),
            Checked::Ask => {}
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
        let said: Vec<Not> = self.said.into_iter().flatten().collect();
        Verdict::Refused(refusal(&self.schemes, &said))
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

    fn fault(&self, not: &Not) -> Fault {
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

/// What a client is told that nobody let in. A verifier that failed might have let it in: 401 would tell a client to
/// throw good credentials away, and so 503 goes first. Else the first scheme whose credentials were sent decides, else
/// the first.
fn refusal(schemes: &[Arc<Scheme>], said: &[Not]) -> Fault {
    let first = |is: fn(&Not) -> bool| schemes.iter().zip(said).find(|(_, not)| is(not));
    let decisive = first(|not| not.why == Why::Unavailable)
        .or_else(|| first(|not| not.why != Why::Missing))
        .or_else(|| schemes.iter().zip(said).next());
    // A list without a scheme has let the request in.
    let Some((scheme, not)) = decisive else { return Fault::new(ErrorCode::AUTH_MISSING) };
    let fault = scheme.fault(not);
    if fault.status_code() == StatusCode::UNAUTHORIZED { challenged(fault, schemes, said) } else { fault }
}

/// Adds a line for each scheme, equal ones once.
fn challenged(mut fault: Fault, schemes: &[Arc<Scheme>], said: &[Not]) -> Fault {
    for (scheme, not) in schemes.iter().zip(said) {
        let line = scheme.challenges.line(match not {
            Not { why: Why::Expired, .. } => TokenError::Expired,
            Not { token_sent: true, .. } => TokenError::Invalid,
            _ => TokenError::NoToken,
        });
        if !fault.headers().get_all(WWW_AUTHENTICATE).iter().any(|other| *other == line) {
            fault = fault.header(WWW_AUTHENTICATE, line);
        }
    }
    fault
}
