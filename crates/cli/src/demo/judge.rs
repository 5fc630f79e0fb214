//! Checks whether a row of the demo is as it should be.

use std::collections::HashSet;

use tower_error_envelope::RequestId;

use super::acts::{DemoCase, Expect, UpstreamBehaviour};
use super::visit::DemoResponse;

/// Returns the error of a row; `ids` are those of other rows.
pub(super) fn judge(act: &DemoCase, got: &DemoResponse, ids: &mut HashSet<String>) -> Result<(), String> {
    let id = got.header("x-request-id");
    ensure(id.starts_with("req_") && id.parse::<RequestId>().is_ok(), || format!("x-request-id is {id:?}"))?;
    ensure(ids.insert(id.to_owned()), || format!("{id} is the id of another request"))?;
    let (status, broken) = match act.expect {
        Expect::Broken(status) => (status, true),
        Expect::Error(status, ..) | Expect::Head(status, _) | Expect::Passed(status) | Expect::Empty(status) => {
            (status, false)
        }
    };
    ensure(got.status == status, || format!("status {} instead of {status}", got.status.as_u16()))?;
    ensure(got.broken == broken, || format!("broken off: {}", got.broken))?;
    as_expected(act, got)?;
    body(act, got, id)
}

/// All headers of the service arrive, in their order; the layer adds only the id.
fn as_expected(act: &DemoCase, got: &DemoResponse) -> Result<(), String> {
    let UpstreamBehaviour::Responds(_, headers, ..) = act.play else { return Ok(()) };
    for (name, _) in headers.iter().filter(|(name, _)| *name != "x-request-id") {
        let sent = headers.iter().filter(|(each, _)| each == name).map(|(_, value)| *value);
        let came = got.headers.get_all(*name).iter().map(|value| value.to_str().unwrap_or_default());
        ensure(sent.eq(came), || format!("{name} differs from the service's value"))?;
    }
    Ok(())
}

fn body(act: &DemoCase, got: &DemoResponse, id: &str) -> Result<(), String> {
    let code = got.code();
    match act.expect {
        Expect::Error(_, wanted, message) => envelope(got, id, wanted, message),
        Expect::Head(_, wanted) => ensure(code == wanted && got.body.is_empty(), || format!("code {code:?}")),
        Expect::Passed(status) => passed(act, got, status),
        Expect::Broken(_) => ensure(code.is_empty(), || "an error code in a successful response".into()),
        Expect::Empty(_) => ensure(got.body.is_empty(), || "a body".into()),
    }
}

fn envelope(got: &DemoResponse, id: &str, wanted: &str, message: &str) -> Result<(), String> {
    let in_body = got.member("/error/message");
    ensure(got.header("content-type") == "application/json", || "not application/json".into())?;
    ensure(got.code() == wanted, || format!("x-error-code {:?} instead of {wanted:?}", got.code()))?;
    ensure(got.member("/error/code") == wanted, || format!("body {}", String::from_utf8_lossy(&got.body)))?;
    ensure(got.member("/request_id") == id, || "the body has another id".into())?;
    ensure(!in_body.is_empty() && (message.is_empty() || in_body == message), || format!("message {in_body:?}"))
}

/// An error that keeps its protocol's shape has a code in its head (R10).
fn passed(act: &DemoCase, got: &DemoResponse, status: u16) -> Result<(), String> {
    ensure(got.code().is_empty() == (status < 400), || format!("x-error-code {:?}", got.code()))?;
    match act.play {
        UpstreamBehaviour::Responds(_, _, _, body) => ensure(got.body == body.as_bytes(), || "another body".into()),
        _ => ensure(!got.body.is_empty(), || "no body".into()),
    }
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}
