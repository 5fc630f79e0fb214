//! Runs the layer in process, with a clock that stands still: slow bodies cost no time, and a hang is seen at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version as HttpVersion};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt as _};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use super::body_script::Watch;
use super::drive::{Driver, Outcome};
use super::failures::BoxError;
use super::format::Case;
use super::logs;
use super::policy;
use super::request;
use super::script::{Scripted, headers_of};
use super::seen::{End, Exchanged, Facts, Response, Run};

pub(super) struct Layer;

/// A time on tokio's clock that exceeds each wait of the contract.
const PATIENCE: Duration = Duration::from_secs(90);

impl Driver for Layer {
    type Session = ();

    fn name(&self) -> &'static str {
        "layer"
    }

    fn run(&self, (): &mut (), case: &Case) -> Outcome {
        if let Some(why) = not_here(case) {
            return Outcome::NotMine(why);
        }
        let (run, log) = logs::captured(|| match policy::from_case(case) {
            Ok(policies) => run(case, policies),
            Err(text) => Run { refused: Some(text), ..Run::default() },
        });
        Outcome::Ran(Run { log, ..run })
    }
}

/// Returns the reason if only a socket, a process or its environment can show the case.
fn not_here(case: &Case) -> Option<&'static str> {
    let upgrades = case.request.upgrade_send.is_some() || case.inner.upgraded.is_some();
    let raw_unread =
        case.inner.raw().is_some_and(|raw| super::wire::response_in(&raw).is_none_or(|(_, _, whole)| !whole));
    let odd_head = case.inner.headers.iter().any(|(name, value)| {
        http::HeaderName::from_bytes(name.as_bytes()).is_err() || http::HeaderValue::from_str(value).is_err()
    });
    [
        (upgrades, "an upgraded connection is a socket"),
        (case.request.pipelined, "pipelining is of a socket"),
        (case.inner.drops.is_some(), "a connection to the service is a socket"),
        (raw_unread, "an inner response that is none in process"),
        (odd_head, "an inner head that `http` cannot say"),
        (case.reload.is_some(), "a reload is of the gateway"),
        (case.limits_its_service(), "a time limit of a scope's service is of the gateway"),
        (case.expect.refused.is_none() && request::from_case(case).is_none(), "a request that `http` cannot say"),
    ]
    .into_iter()
    .find_map(|(applies, why)| applies.then_some(why))
}

fn run(case: &Case, policies: impl Fn() -> Policy) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let scripted = Scripted::new(&case.inner);
    let layer = |policy| ErrorEnvelopeLayer::new().policy(policy);
    let exchanges = runtime.expect("a runtime").block_on(async {
        if case.chain == 1 {
            return exchanges(case, ServiceBuilder::new().layer(layer(policies())).service(scripted.clone())).await;
        }
        let mut service = boxed(scripted.clone());
        for _ in 0..case.chain {
            let inside = service.map_request(erased::<RequestBody<AnyBody>>);
            service = boxed(ServiceBuilder::new().layer(layer(policies())).service(inside));
        }
        exchanges(case, service).await
    });
    let calls = std::mem::take(&mut *scripted.calls());
    Run { exchanges, calls, facts: Facts { processes: 1, ..Facts::default() }, ..Run::default() }
}

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

fn erased<B: Body<Data = Bytes, Error = BoxError> + Send + 'static>(request: Request<B>) -> Request<AnyBody> {
    request.map(BodyExt::boxed_unsync)
}

/// Boxes a service, so that a chain of any depth has one type.
fn boxed<S, R>(service: S) -> BoxCloneService<Request<AnyBody>, http::Response<AnyBody>, BoxError>
where
    S: Service<Request<AnyBody>, Response = http::Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let erase = |response: http::Response<R>| response.map(|body| body.map_err(Into::into).boxed_unsync());
    BoxCloneService::new(service.map_response(erase).map_err(Into::into))
}

async fn exchanges<S, R>(case: &Case, mut service: S) -> Vec<Exchanged>
where
    S: Service<Request<AnyBody>, Response = http::Response<R>>,
    S::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let mut exchanges = Vec::new();
    for _ in 0..case.request.times {
        let request = request::from_case(case).expect("looked at before the run");
        let watch = request.body().watch();
        let request = request.map(BodyExt::boxed_unsync);
        let patience = case.request.leaves_after_ms.map_or(PATIENCE, Duration::from_millis);
        let response = tokio::time::timeout(patience, one(&mut service, request, &watch)).await;
        let response = response.unwrap_or_else(|_| Err(format!("none after {patience:?}")));
        let invited = !case.request.has_header("expect") || watch.polled.load(Ordering::Relaxed);
        let reset = invited && response.as_ref().is_ok_and(|response| would_reset(response, &watch));
        exchanges.push(Exchanged { response, reset });
    }
    exchanges
}

/// A server that closes with bytes of the request unread makes the kernel reset the connection (G5).
fn would_reset(response: &Response, watch: &Watch) -> bool {
    response.header("connection").as_deref() == Some("close") && watch.left.load(Ordering::Relaxed) > 0
}

async fn one<S, R>(service: &mut S, request: Request<AnyBody>, watch: &Watch) -> Result<Response, String>
where
    S: Service<Request<AnyBody>, Response = http::Response<R>>,
    S::Error: Into<BoxError>,
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let failed = |error: S::Error| format!("the service failed: {}", error.into());
    let expects = request.headers().contains_key("expect") && request.version() < HttpVersion::HTTP_2;
    let start = Instant::now();
    let answer = service.ready().await.map_err(failed)?.call(request).await;
    let (parts, body) = answer.map_err(|error| format!("the service failed: {}", error.into()))?.into_parts();
    let mut response = Response {
        status: parts.status.as_u16(),
        headers: headers_of(&parts.headers),
        head_at: start.elapsed(),
        // A server sends 100 Continue when the service reads the body before the head of the response is there.
        interim: if expects && watch.polled.load(Ordering::Relaxed) { vec![100] } else { Vec::new() },
        ..Response::default()
    };
    let read = read(body, &mut response, start);
    if tokio::time::timeout(PATIENCE / 2, read).await.is_err() {
        response.end = End::Unfinished;
    }
    response.whole_at = start.elapsed();
    Ok(response)
}

async fn read<R>(body: R, response: &mut Response, start: Instant)
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let mut body = std::pin::pin!(body);
    let claimed = body.size_hint().exact();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => {
                response.first_at.get_or_insert_with(|| start.elapsed());
                response.body.extend_from_slice(&data);
            }
            Ok(Err(trailers)) => {
                response.trailers = trailers.into_trailers().map(|map| headers_of(&map)).unwrap_or_default()
            }
            Err(error) => return response.end = End::Aborted(error.into().to_string()),
        }
    }
    if claimed.is_some_and(|claimed| claimed != response.body.len() as u64) {
        response.end = End::Aborted(format!("size_hint said {claimed:?}"));
    }
}
