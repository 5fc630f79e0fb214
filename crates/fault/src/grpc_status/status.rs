//! Converts a status of tonic into a fault (F1, R3, E8, E9). The status is from an upstream that a handler
//! called, or an error of the service itself.
//!
//! 1. If the status was made from a `Fault` in this process, it becomes that fault again.
//! 2. The code is the reason, if the reason is a known code or from the layer's own domain. Otherwise the code is the
//!    code for the status.
//! 3. The client gets the text if the code was recognised, or if the status is a client error. A text that repeats an
//!    error's cause is not sent. The text of another layer passes unchanged (E7). Metadata and violations pass under
//!    the same conditions, as details.

use std::borrow::Cow;
use std::error::Error;
use std::time::SystemTime;

use http::header::RETRY_AFTER;
use tonic::{Code, Status, TimeoutExpired};

use crate::cause::{chain, find};
use crate::code::{CodeSet, ErrorCode, is_identifier};
use crate::fault::Fault;
use crate::rpc;
use crate::rpc::details::{DOMAIN, RpcDetails};
use crate::rpc::{ReportedStatus, status};
use error_envelope_text::message;

/// Returns the fault for a status among the causes of an error. `UNKNOWN` is skipped, because tonic uses it for errors
/// that it does not recognise, and the other causes are more precise.
#[must_use]
pub fn fault_of_cause(error: &(dyn Error + 'static)) -> Option<Fault> {
    let status = find::<Status>(error)?;
    let parts = StatusParts::new(status);
    (status.code() != Code::Unknown || parts.recognised.is_some()).then(|| parts.fault(status))
}

/// Returns the fault for a status. The fault has no source, unless the causes of the status contain a `Fault`.
pub(super) fn of_status(status: &Status) -> Fault {
    match find::<Fault>(status) {
        Some(fault) => fault.clone(),
        None => StatusParts::new(status).fault(status),
    }
}

struct StatusParts<'a> {
    reported: ReportedStatus<'a>,
    recognised: Option<ErrorCode>,
}

impl<'a> StatusParts<'a> {
    fn new(status: &'a Status) -> Self {
        // A `Code` is never negative, nor greater than 16.
        let number = u8::try_from(i32::from(status.code())).unwrap_or(u8::MAX);
        let message = Cow::Borrowed(status.message());
        let reported = ReportedStatus {
            status: status::Status::new(number),
            message,
            rich: RpcDetails::from_bytes(status.details()),
        };
        let recognised = rpc::recognised(&reported, &CodeSet::default(), DOMAIN);
        Self { reported, recognised }
    }

    fn fault(&self, status: &Status) -> Fault {
        let fault = match &self.recognised {
            Some(code) if !code.is_foreign() => Fault::new(code.clone()),
            // tonic returns CANCELLED if its client waited too long.
            None if find::<TimeoutExpired>(status).is_some() => return Fault::new(ErrorCode::GATEWAY_TIMEOUT),
            _ => Fault::new(rpc::code_of(&self.reported, &CodeSet::default(), DOMAIN))
                .with_status(self.reported.status.http()),
        };
        let fault = self.with_text(fault, status);
        let fault = if self.passes() { self.with_details(fault) } else { fault };
        self.with_wait(fault, status)
    }

    fn rich(&self) -> Option<&RpcDetails> {
        self.reported.rich.as_ref()
    }

    /// Returns true if a service with the layer wrote the status, so that it is treated like an envelope (E7).
    fn is_canonical(&self) -> bool {
        self.recognised.is_some() && self.rich().is_some_and(|rich| rich.domain == DOMAIN)
    }

    fn passes(&self) -> bool {
        match &self.recognised {
            Some(code) => self.is_canonical() || *code != ErrorCode::INTERNAL_ERROR,
            None => self.reported.status.http().is_client_error(),
        }
    }

    fn with_text(&self, fault: Fault, status: &Status) -> Fault {
        let text = match &self.recognised {
            _ if !self.passes() => None,
            Some(_) if self.is_canonical() => message::clean(&self.reported.message),
            Some(_) => message::of_recognised_text(&self.reported.message),
            None if repeats_a_cause(status) => None,
            None => message::from_foreign_text(&self.reported.message),
        };
        match text {
            Some(text) => fault.with_clean_message(text.into_owned()),
            None => fault,
        }
    }

    fn with_details(&self, fault: Fault) -> Fault {
        let Some(rich) = self.rich() else { return fault };
        let unknown = self.recognised.is_none() && is_identifier(&rich.reason);
        fault.with_raw_details(rich.to_json(Some(&*rich.reason).filter(|_| unknown)))
    }

    /// Sets the `retry-after` of the upstream, or otherwise the delay in its details, in whole seconds.
    fn with_wait(&self, fault: Fault, status: &Status) -> Fault {
        let headers = status.metadata().as_ref();
        // The header is only checked for validity, which needs no clock.
        let sent = headers.get(RETRY_AFTER).filter(|_| rpc::retry_after(headers, || SystemTime::UNIX_EPOCH).is_some());
        match (sent, self.rich().and_then(|rich| rich.retry_delay)) {
            (Some(sent), _) => fault.with_header(RETRY_AFTER, sent),
            (None, Some(delay)) => fault.with_retry_after(delay),
            (None, None) => fault,
        }
    }
}

/// Returns true if the status repeats the text of a cause. tonic turns errors of connections into CANCELLED and other
/// client errors, and uses their text, which was not written for clients.
fn repeats_a_cause(status: &Status) -> bool {
    let texts = chain(status).skip(1).map(ToString::to_string);
    texts.filter(|text| !text.is_empty()).any(|text| status.message().contains(&text))
}
