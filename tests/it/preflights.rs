//! Tests a preflight with an upgrade, with any one byte changed. A request that a service could answer with another
//! protocol never passes a guard without credentials (G0).

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::service_fn;
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tower_layer::Layer;

const PREFLIGHT: &[u8] = b"OPTIONS /in/x HTTP/1.1\r\n\
    Host: test.example\r\n\
    Origin: https://app.test.example\r\n\
    Access-Control-Request-Method: POST\r\n\
    Connection: upgrade\r\n\
    Upgrade: websocket\r\n\
    Content-Length: 0\r\n\
    \r\n";

type Head = http::request::Parts;

/// Makes a policy that closes everything.
fn policy() -> Policy {
    let bearer = AuthScheme::bearer().key(Key::of_secret("app", "app key"));
    Policy::builder().scheme("api", bearer).auth(["api"]).build().unwrap()
}

/// Returns the heads that reach the service, of all that a server reads in these bytes.
async fn forwarded(sent: &[u8]) -> Vec<Head> {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let service = service_fn(move |request: Request<RequestBody<Incoming>>| {
        seen.lock().unwrap().push(request.into_parts().0);
        async { Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new())) }
    });
    let service = TowerToHyperService::new(ErrorEnvelopeLayer::new().policy(policy()).layer(service));
    let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
    let connection = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(theirs), service);
    let client = async {
        ours.write_all(sent).await.unwrap();
        ours.shutdown().await.unwrap();
        let _ = ours.read_to_end(&mut Vec::new()).await;
    };
    let _ = tokio::join!(connection, client);
    std::mem::take(&mut *heads.lock().unwrap())
}

/// Returns true for what a browser sends before a request, and for nothing else.
fn is_preflight(head: &Head) -> bool {
    let has = |name: &str| head.headers.contains_key(name);
    head.method == Method::OPTIONS
        && has("origin")
        && has("access-control-request-method")
        && !has("upgrade")
        && !has("transfer-encoding")
        && head.headers.get("content-length").is_none_or(|length| length == "0")
}

#[track_caller]
fn assert_closed(sent: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for head in runtime.block_on(forwarded(sent)) {
        assert!(is_preflight(&head), "{}\n{head:?}", String::from_utf8_lossy(sent));
    }
}

#[tokio::test]
async fn g0_a_preflight_passes_and_one_with_an_upgrade_does_not() {
    assert_eq!(forwarded(PREFLIGHT).await.len(), 0);
    let upgrade = b"Upgrade: websocket\r\n";
    let at = PREFLIGHT.windows(upgrade.len()).position(|line| line == upgrade).unwrap();
    let without = [&PREFLIGHT[..at], &PREFLIGHT[at + upgrade.len()..]].concat();
    assert_eq!(forwarded(&without).await.len(), 1);
}

#[test]
fn g0_no_missing_byte_skips_authentication() {
    for at in 0..PREFLIGHT.len() {
        assert_closed(&[&PREFLIGHT[..at], &PREFLIGHT[at + 1..]].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn g0_no_other_byte_skips_authentication(at in 0..PREFLIGHT.len(), byte: u8, is_more: bool) {
        assert_closed(&[&PREFLIGHT[..at], &[byte], &PREFLIGHT[at + usize::from(!is_more)..]].concat());
    }
}
