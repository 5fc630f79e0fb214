//! Tests that no spelling of a request passes a closed route (rule G0). For each policy and request that some bytes
//! choose, the exchange decides as a naive matcher does.
//!
//! Proptest and the fuzz target `paths` provide the bytes.

mod naive;
mod route_request;
mod world;

use std::sync::Arc;
use std::time::SystemTime;

use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
use http::Request;
use http::request::Parts;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{Mode, Policy, RequestId, RouteRule};

use self::route_request::RouteRequest;
use self::world::World;
use crate::choices::Choices;

/// Builds a policy and a request from the bytes, compares both decisions, and panics if they differ.
pub(crate) fn check(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let world = World::chosen(choices);
    let route_request = RouteRequest::chosen(choices);
    let Some((head, length)) = route_request.request() else { return };
    let policy = match (world.policy(), naive::is_refused(&world)) {
        (Ok(policy), false) => Arc::new(policy),
        (Err(_), true) => return,
        (Ok(_), true) => panic!("accepted, and two scopes or routes clash: {world:#?}"),
        (Err(refused), false) => panic!("{refused} for {world:#?}"),
    };
    let expected = naive::status(&world, &route_request);
    let found = status(policy, head, length);
    assert_eq!(found, expected, "found and expected for {route_request:#?} under {world:#?}");
}

/// Spells the path of a closed route in a way that the bytes choose, and panics if it passes.
pub(crate) fn check_respelt(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let path = respelt(choices.one_of(&["/a", "/a/b", "/a/b/c", "/a/.b/ü"]), choices);
    let policy = Policy::builder()
        .header("tenant", RequiredHeader::new("x-tenant"))
        .route(RouteRule::new("/{*all}").require_headers([""; 0]))
        .route(RouteRule::new("/x/{*open}").require_headers([""; 0]).mode(Mode::Off))
        .route(RouteRule::new("/a/{*closed}").require_headers(["tenant"]))
        .build()
        .expect("a policy");
    let head = Request::builder().uri(&path).body(()).expect("a request").into_parts().0;
    assert_eq!(status(Arc::new(policy), head, 0), Some(400), "{path}");
}

/// Returns another spelling of the same path, for a server that decodes once and normalises.
fn respelt(path: &str, choices: &mut Choices<'_>) -> String {
    const BETWEEN: [&str; 12] =
        ["/", "/", "//", "/./", "\\", "%2f", "%5C", "/x/../", "/%2e/", "/x\\..%2f", "/../a/../", "/%2E%2e/"];
    const AFTER: [&str; 8] = ["", "", "/", "//", "/.", "/x/..", "%2F", "\\x\\.."];
    let mut spelt = String::new();
    for (at, segment) in path.split('/').skip(1).enumerate() {
        // Only before the first segment, a climbing piece stays at the root.
        let between = if at == 0 { &BETWEEN[..] } else { &BETWEEN[..10] };
        spelt.push_str(choices.one_of(between));
        for byte in segment.bytes() {
            match choices.below(4) {
                0 => spelt.push_str(&format!("%{byte:02x}")),
                1 => spelt.push_str(&format!("%{byte:02X}")),
                _ if byte.is_ascii() => spelt.push(char::from(byte)),
                _ => spelt.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    spelt.push_str(choices.one_of(&AFTER));
    if spelt.starts_with('/') { spelt } else { format!("/{spelt}") }
}

/// Returns the status of the response, or `None` if the request is forwarded.
pub(crate) fn status(policy: Arc<Policy>, mut head: Parts, length: u64) -> Option<u16> {
    let body = BodyFacts { ended: length == 0, lower: length, upper: Some(length) };
    let config = SessionConfig::new(policy, || SystemTime::UNIX_EPOCH).into();
    match Session::begin(config, &mut head, body, || RequestId::from_parts(1, 1)).1 {
        RequestStep::Forward(..) => None,
        RequestStep::Send(answered) => Some(answered.reply.status().as_u16()),
        other => panic!("nothing here waits: {other:?}"),
    }
}
