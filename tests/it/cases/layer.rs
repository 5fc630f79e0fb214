//! The layer in process, on a clock that stands still: a trickle of minutes costs nothing, and a hang is seen at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, Version as HttpVersion};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tower::util::BoxCloneService;
use tower::{Service, ServiceBuilder, ServiceExt as _};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use super::drive::{Driver, Outcome};
use super::format::{Case, RequestFraming, Version};
use super::logs;
use super::policy;
use super::script::{BoxError, ScriptBody, Scripted, Step, Watch, headers_of};
use super::seen::{End, Exchanged, Facts, Response, Run};
use super::wire::{Framing, Wire};

pub(super) struct Layer;

/// On tokio's clock; longer than anything that the contract waits for.
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
        let (run, log) = logs::captured(|| match policy::of(case) {
            Ok(policies) => run(case, policies),
            Err(text) => Run { refused: Some(text), ..Run::default() },
        });
        Outcome::Ran(Run { log, ..run })
    }
}

/// What only a socket, a process or its environment can show.
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
        (raw_unread, "an inner response that is none in process"),
        (odd_head, "an inner head that `http` cannot say"),
        (!case.env.is_empty(), "the environment is the whole process's"),
        (case.reload.is_some(), "a reload is of the gateway"),
        (case.expect.refused.is_none() && request(case).is_none(), "a request that `http` cannot say"),
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

/// One type for every depth of the chain.
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
        let request = request(case).expect("looked at before the run");
        let watch = request.body().watch();
        let request = request.map(BodyExt::boxed_unsync);
        let response = tokio::time::timeout(PATIENCE, one(&mut service, request, &watch)).await;
        let response = response.unwrap_or_else(|_| Err(format!("none after {PATIENCE:?}")));
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
        // A server sends 100 Continue when the body is asked for before the head is there.
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

/// The request as hyper would hand it over; `None` where hyper would not get that far, or `http` cannot say it.
pub(super) fn request(case: &Case) -> Option<Request<ScriptBody>> {
    if let Some(raw) = case.request.raw() {
        return parsed(&raw);
    }
    let asked = &case.request;
    let version = match asked.version.unwrap_or(Version::Http11) {
        Version::Http10 => HttpVersion::HTTP_10,
        Version::Http11 => HttpVersion::HTTP_11,
        Version::Http2 => HttpVersion::HTTP_2,
    };
    let mut headers = asked.headers.clone();
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, host)| host.clone());
    let host = host.unwrap_or_else(|| super::HOST.to_owned());
    let mut path = asked.path().to_owned();
    if version == HttpVersion::HTTP_2 {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        if path.starts_with('/') {
            path = format!("http://{host}{path}");
        }
    } else if !asked.has_header("host") {
        headers.insert(0, ("host".into(), host));
    }
    let body = asked.body().unwrap_or_default();
    match asked.framed() {
        RequestFraming::Length if !asked.has_header("content-length") => {
            headers.push(("content-length".into(), body.len().to_string()));
        }
        RequestFraming::Chunked if version == HttpVersion::HTTP_11 && !asked.has_header("transfer-encoding") => {
            headers.push(("transfer-encoding".into(), "chunked".into()));
        }
        _ => {}
    }
    let declared = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let declared = declared.and_then(|(_, value)| value.parse::<u64>().ok());
    // A client that promises more than it sends: hyper would wait for the rest.
    let missing = declared.is_some_and(|declared| declared > body.len() as u64);
    let rest = missing.then_some(Step::Hang);
    let empty_chunked = asked.framed() == RequestFraming::Chunked && body.is_empty();
    // An empty chunked body is not known to be empty before its end has come.
    let unseen_end = empty_chunked.then(|| Step::Data(Bytes::new()));
    let steps = ScriptBody::pieces(&body).chain(rest).chain(unseen_end);
    let mut request = Request::new(ScriptBody::new(steps, declared));
    *request.method_mut() = Method::from_bytes(asked.method().as_bytes()).ok()?;
    *request.uri_mut() = path.parse::<Uri>().ok()?;
    *request.version_mut() = version;
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}

/// A raw request that is a proper one as far as it goes; what it lacks of its body never comes.
fn parsed(raw: &[u8]) -> Option<Request<ScriptBody>> {
    let mut wire = Wire::new(raw);
    let head = wire.head().ok()?;
    let mut parts = head.first_line.split(' ');
    let (method, path, version) = (parts.next()?, parts.next()?, parts.next()?);
    let mut body = Vec::new();
    let framing = head.framing(Framing::None).ok()?;
    let end = wire.body(framing, |piece| body.extend_from_slice(piece));
    let rest = match end {
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Some(Step::Hang),
        Err(_) => return None,
    };
    let length = if let Framing::Length(length) = framing { Some(length) } else { None };
    let mut request = Request::new(ScriptBody::new(ScriptBody::pieces(&body).chain(rest), length));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = path.parse().ok()?;
    *request.version_mut() = match version {
        "HTTP/1.1" => HttpVersion::HTTP_11,
        "HTTP/1.0" => HttpVersion::HTTP_10,
        _ => return None,
    };
    for (name, value) in head.headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, http::HeaderValue::from_bytes(&value).ok()?);
    }
    // Without it hyper answers 400 by itself, as it does for more than one.
    (version == "HTTP/1.0" || request.headers().get_all("host").iter().count() == 1).then_some(request)
}
