//! Any RPC call and any response to it: nothing panics, no gRPC client reads a body that is no message, messages are
//! measured as a naive reader measures them, and tonic or a Connect client reads whatever the layer wrote (P1-P3, F4, E7).
#![no_main]

use error_envelope_core::session::{BodyMeter, RequestStep, Session};
use libfuzzer_sys::fuzz_target;

mod call;
#[path = "../../../tests/it/choices.rs"]
mod choices;
mod inner;
mod metered;
mod reading;
mod responded;
mod sent;

// What the request is, what its body is, what the service sends, what becomes of its body: in that order.
fuzz_target!(|bytes: &[u8]| {
    let choices = &mut choices::Choices::new(bytes);
    let call = call::RpcCall::chosen(choices);
    let mut body = call::body(choices, call.protocol);
    let inner = inner::Inner::chosen(choices, call.protocol);
    let Some((session, meter)) = forwarded(&call, body.is_empty()) else { return };
    // Whatever is left comes when the head of the response is out.
    let late = body.split_off(body.len().min(choices.below(9)));
    let mut metered = metered::Metered::new(meter, &call);
    metered.take(&body);
    responded::check(&call, &inner, session, metered, &late);
});

/// What reaches the service; an answer is checked at once.
fn forwarded(call: &call::RpcCall, is_empty: bool) -> Option<(Session, Option<BodyMeter>)> {
    match call.begin(is_empty) {
        (session, RequestStep::Forward(meter)) => Some((session, meter)),
        (_, RequestStep::Send(reply)) => {
            sent::Sent::from_reply(*reply).check(call);
            None
        }
        (_, step) => panic!("{step:?}"),
    }
}
