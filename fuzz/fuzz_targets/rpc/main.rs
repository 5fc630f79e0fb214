//! Tests any RPC call and any response to it (P1-P3, F4, E7). Nothing panics, and no gRPC client reads a body that is
//! not a message. Messages are measured as a naive reader measures them. tonic or a Connect client reads everything
//! that the layer wrote.
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

// The bytes choose, in this order, the request, its body, the service's response, and the fate of the response's body.
fuzz_target!(|bytes: &[u8]| {
    let choices = &mut choices::Choices::new(bytes);
    let call = call::RpcCall::chosen(choices);
    let mut body = call::body(choices, call.protocol);
    let inner = inner::Inner::chosen(choices, call.protocol);
    let Some((session, meter)) = forwarded(&call, body.is_empty()) else { return };
    // The rest of the body comes after the head of the response was sent.
    let late = body.split_off(body.len().min(choices.below(9)));
    let mut metered = metered::Metered::new(meter, &call);
    metered.take(&body);
    responded::check(&call, &inner, session, metered, &late);
});

/// Returns the session of a forwarded request. A response of the layer is checked at once.
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
