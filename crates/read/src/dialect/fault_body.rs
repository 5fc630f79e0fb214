//! Writes a fault outside of a response, for example in a message of a WebSocket or as an item of a batch.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::outgoing::{Docs, Outgoing, WrittenAdvice};
use super::outward_form::OutwardForm;
use super::{Dialect, standard};
use crate::details::with_issues;
use crate::fault::{BodyForm, Fault};
use crate::request_id::RequestId;
use crate::rpc;
use crate::rpc::details::DOMAIN;

/// Returns the body that a route with this dialect would send, without the `[[map]]` and `[[outward]]` rules of a
/// policy. If the body contains a time, it is the time in the id. If the dialect is a policy's shape without a template
/// (`Policy::dialects`), the body is the canonical envelope.
impl BodyForm for Dialect {
    fn body_of(&self, fault: &Fault, id: RequestId) -> Bytes {
        let dialect = if self.is_written() { *self } else { Self::Standard };
        let fault = if dialect.spec().always_lists_issues { with_issues(fault.clone()) } else { fault.clone() };
        let id_text = id.text();
        let body = match dialect {
            Self::Standard => {
                let advice = advice(&fault);
                standard::write(fault.code().as_str(), &fault.message(), fault.details_json(), &advice, &id_text)
            }
            _ => in_dialect(dialect, &fault, id, str::from_utf8(&id_text).unwrap_or_default()),
        };
        body.into()
    }
}

fn in_dialect(dialect: Dialect, fault: &Fault, id: RequestId, id_text: &str) -> Vec<u8> {
    let spec = dialect.spec();
    let began = SystemTime::UNIX_EPOCH + Duration::from_millis(id.timestamp_ms());
    let outward = OutwardForm::new(fault, fault.status(), dialect, None, || None);
    spec.write(&Outgoing {
        status: outward.status,
        canonical: fault.code(),
        code: &outward.name,
        message: &outward.text,
        details: outward.details(fault, spec.always_lists_issues).as_deref(),
        kept: None,
        request_id: id_text,
        now: began,
        domain: DOMAIN,
        retry_after: spec.has_wait.then(|| rpc::retry_after(fault.headers(), || began)).flatten(),
        advice: &advice(fault),
        call: None,
    })
}

/// Returns the advice that does not depend on a policy. The only such advice is the address of a custom code's page.
fn advice(fault: &Fault) -> WrittenAdvice<'_> {
    WrittenAdvice { retry: None, docs: fault.code().docs().map(Docs::Address) }
}
