//! Tests the gateway's embedded service, which misbehaves in every way of the contract.

use std::time::Duration;

use bytes::Bytes;
use error_envelope_gateway::UpstreamLimits;
use futures_util::{StreamExt, stream};
use hyper::body::Incoming;
use tower_error_envelope::middleware::RequestBody;
use tower_layer::Layer;

use super::ask::Ask;
use super::command::demo::acts::{ACTS, DemoCase, Expect, HandlerBehaviour, UpstreamBehaviour};
use super::command::demo::stage;
use super::site::{Sites, layer, serve};
use super::{judge, rounds};

/// The time for the head. It is shorter than that of the slow response, and enough for the others on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);
/// With more at once on one thread, time-outs would also strike fast requests.
const AT_ONCE: usize = 8;
const MIB: usize = 1024 * 1024;

const POLICY: &str = r#"
version = 1
[defaults]
mode = "MODE"
[inspect]
timeout = "3s"
[header.tenant]
name = "x-tenant"
missing = "Missing X-Tenant"
[[code]]
code = "name_taken"
status = 409
message = "Somebody has this name."
[[route]]
match = "PUT /upload"
json = true
[[route]]
match = "PATCH /{*any}"
require_headers = ["tenant"]
[[map]]
status = 409
message = "Name is taken."
to = "name_taken"
[[map]]
content_type = "text/html"
to = "media_gone"
"#;

#[test]
fn m1_observe_leaves_the_embedded_service_as_it_is_and_foretells_enforce() {
    let (rounds, log) = rounds(async {
        let sites = sites().await;
        stream::iter(asks()).map(|ask| sites.round(ask)).buffer_unordered(AT_ONCE).collect().await
    });
    let wrong: Vec<_> = rounds.iter().flat_map(|round| judge(round, &log)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rounds.len(), wrong.join("\n"));
    assert!(rounds.len() > 90);
}

/// In `enforce`, the status would decide after the policy's three seconds. Here, the first byte passes when it arrives.
#[test]
fn m1_observe_passes_an_errors_first_byte_while_the_rest_is_not_there() {
    rounds(async {
        let sites = sites().await;
        let ask = Ask::new("GET", "/trickle").enough(1);
        for ask in [ask.clone(), ask.over_http2()] {
            assert!(ask.send(sites.observed).await.unwrap().code().is_none());
        }
        Vec::new()
    });
}

async fn sites() -> Sites {
    let (bare, _) = stage::start::<Incoming>(TIMEOUT, UpstreamLimits::default()).await.unwrap();
    let (observed, _) = stage::start::<RequestBody<Incoming>>(TIMEOUT, UpstreamLimits::default()).await.unwrap();
    let (enforced, _) = stage::start::<RequestBody<Incoming>>(TIMEOUT, UpstreamLimits::default()).await.unwrap();
    Sites {
        bare: serve(bare).await,
        observed: serve(layer(POLICY, true).layer(observed)).await,
        enforced: serve(layer(POLICY, false).layer(enforced)).await,
    }
}

/// Returns requests for each of its misbehaviours, and requests that the layer would refuse.
fn asks() -> Vec<Ask> {
    let acts = ACTS.iter().filter(|act| !breaks_within(act));
    let asks: Vec<_> = acts.clone().map(ask).chain(refused()).collect();
    let http2 = acts.filter(|act| !matches!(act.play, UpstreamBehaviour::Switches)).map(ask).chain(refused());
    asks.into_iter().chain(http2.map(Ask::over_http2)).collect()
}

/// Returns true for a panic within a body. Without the layer, it breaks the connection at that point.
fn breaks_within(act: &DemoCase) -> bool {
    matches!(act.play, UpstreamBehaviour::Inside(HandlerBehaviour::PanicsInBody))
}

fn ask(act: &DemoCase) -> Ask {
    let get = |method| Ask::new(method, act.path);
    match act.play {
        UpstreamBehaviour::Goes(_, _, 0) => get("GET").enough(256 * 1024),
        UpstreamBehaviour::Goes(..) => get("GET").enough(4),
        UpstreamBehaviour::Switches => get("GET").header("connection", "upgrade").header("upgrade", "echo"),
        UpstreamBehaviour::Reads => get("POST").chunked(ended(act.path.len() * 1000)),
        _ if matches!(act.expect, Expect::Head(..)) => get("HEAD"),
        _ => get("GET"),
    }
}

fn refused() -> Vec<Ask> {
    let json = |ask: Ask| ask.header("content-type", "application/json");
    vec![
        Ask::new("POST", "/upload").declared(ended(2 * MIB)),
        Ask::new("POST", "/upload").chunked(ended(2 * MIB)),
        Ask::new("POST", "/upload").chunked(ended(MIB - 5)),
        Ask::new("PUT", "/upload").header("content-type", "text/plain").declared(ended(100)),
        Ask::new("PUT", "/upload").declared(ended(100)),
        Ask::new("PUT", "/upload").chunked(ended(100)),
        json(Ask::new("PUT", "/upload")).chunked(ended(100)),
        json(Ask::new("PUT", "/upload")).declared(ended(2 * MIB)),
        Ask::new("PATCH", "/ok"),
        Ask::new("PATCH", "/ok").header("x-tenant", "a"),
        Ask::new("PATCH", "/text-400"),
        Ask::new("PATCH", "/text-400").header("x-tenant", "a"),
        Ask::new("GET", "/no-such-act"),
    ]
}

/// Returns this number of bytes, and the end that the service waits for.
fn ended(bytes: usize) -> Bytes {
    Bytes::from([&vec![b'a'; bytes][..], b"0\r\n\r\n"].concat())
}
