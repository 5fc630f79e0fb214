//! The service and the bodies of a case, in process: every wait on tokio's clock, every failure on purpose.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::always::SECRET;
use super::format::{Fails, Inner, InnerFraming};
use super::seen::{Call, Sent};
use super::wire::{self, Headers};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

pub(super) enum Step {
    Data(Bytes),
    Wait(Duration),
    Error,
    Panic,
    Hang,
}

/// A body that does as it is told.
#[derive(Default)]
pub(super) struct ScriptBody {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    length: Option<u64>,
    watch: Arc<Watch>,
}

/// What became of a body, seen from outside.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) polled: AtomicBool,
    pub(super) left: AtomicUsize,
}

impl ScriptBody {
    pub(super) fn new(steps: impl IntoIterator<Item = Step>, length: Option<u64>) -> Self {
        let steps: VecDeque<Step> = steps.into_iter().collect();
        let left = steps.iter().map(|step| if let Step::Data(data) = step { data.len() } else { 0 }).sum();
        let watch = Arc::new(Watch { polled: AtomicBool::new(false), left: AtomicUsize::new(left) });
        Self { steps, sleep: None, length, watch }
    }

    /// The bytes in pieces as a socket would give them.
    pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Step> {
        bytes.chunks(16 * 1024).map(|piece| Step::Data(Bytes::copy_from_slice(piece)))
    }

    pub(super) fn watch(&self) -> Arc<Watch> {
        self.watch.clone()
    }

    fn waited(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(()) };
        std::task::ready!(sleep.as_mut().poll(context));
        self.sleep = None;
        Poll::Ready(())
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.watch.polled.store(true, Ordering::Relaxed);
        loop {
            std::task::ready!(self.waited(context));
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Data(data)) => {
                    self.watch.left.fetch_sub(data.len(), Ordering::Relaxed);
                    self.length = self.length.map(|length| length.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Error) => return Poll::Ready(Some(Err(Opaque.into()))),
                Some(Step::Panic) => panic!("{SECRET}"),
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length),
            None if self.steps.is_empty() => SizeHint::with_exact(0),
            None => SizeHint::new(),
        }
    }
}

/// The wrapped service: what `[case.inner]` says.
#[derive(Clone)]
pub(super) struct Scripted {
    inner: Arc<Inner>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Scripted {
    pub(super) fn new(inner: &Inner) -> Self {
        Self { inner: Arc::new(inner.clone()), calls: Arc::default() }
    }

    /// Not poisoned by the panics that cases ask for: none happens under the lock.
    pub(super) fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn answer<B>(self, request: Request<B>, index: usize) -> Result<Response<ScriptBody>, BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let mut status = self.inner.status();
        if self.inner.reads_body
            && let Err(error) = self.read(body, index).await
        {
            match self.inner.on_body_error {
                Some(on_body_error) => status = on_body_error,
                None => return Err(error),
            }
        }
        tokio::time::sleep(Duration::from_millis(self.inner.delay_ms)).await;
        if let Some(error) = failure(self.inner.fails) {
            return Err(error);
        }
        let sent = sent(&self.inner, status, &headers_of(&parts.headers));
        self.calls()[index].sent = Some(sent.clone());
        Ok(self.respond(sent, parts.method == Method::HEAD))
    }

    async fn read<B>(&self, body: B, index: usize) -> Result<(), BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut body = std::pin::pin!(body);
        while let Some(frame) = body.frame().await {
            match frame.map_err(Into::into) {
                Ok(frame) => self.calls()[index].body.extend(frame.into_data().unwrap_or_default()),
                Err(error) => {
                    self.calls()[index].body_error = Some(error.to_string());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn respond(&self, sent: Sent, head: bool) -> Response<ScriptBody> {
        let bodiless = head || matches!(sent.status, 100..200 | 204 | 304);
        let body = if bodiless { ScriptBody::default() } else { body_of(&self.inner, &sent.body) };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(sent.status).expect("looked at before the run");
        for (name, value) in &sent.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("looked at before the run");
            response.headers_mut().append(name, HeaderValue::from_bytes(value).expect("looked at before the run"));
        }
        response
    }
}

impl<B> tower_service::Service<Request<B>> for Scripted
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ScriptBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ScriptBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.inner.fails {
            Some(Fails::NotReady) => Poll::Ready(Err(Opaque.into())),
            Some(Fails::PanicInReady) => panic!("{SECRET}"),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = Call { headers: headers_of(request.headers()), ..Call::default() };
        let index = {
            let mut calls = self.calls();
            calls.push(call);
            calls.len() - 1
        };
        assert!(self.inner.fails != Some(Fails::Panic), "{SECRET}");
        Box::pin(self.clone().answer(request, index))
    }
}

/// What the service sends: its head, `seen-` echoes and a length included, and its whole body.
pub(super) fn sent(inner: &Inner, status: u16, request: &Headers) -> Sent {
    if let Some((head, body, _)) = inner.raw().and_then(|raw| wire::response_in(&raw)) {
        let status = head.status().expect("a parsed head");
        return Sent { status, headers: head.headers, body };
    }
    let failed = inner.on_body_error == Some(status) && inner.status() != status;
    let body = if failed { None } else { inner.body() };
    let mut headers: Headers =
        inner.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes())).collect();
    for name in inner.echo() {
        let values = wire::values(request, &name.to_ascii_lowercase()).into_iter();
        headers.extend(values.map(|value| (format!("seen-{}", name.to_ascii_lowercase()), value.to_vec())));
    }
    let length = inner.framing.unwrap_or(InnerFraming::Length) == InnerFraming::Length;
    let told = !wire::values(&headers, "content-length").is_empty();
    if let Some(body) = &body
        && length
        && !told
        && !matches!(status, 100..200 | 204 | 304)
    {
        headers.push(("content-length".into(), promised(inner, body).to_string().into_bytes()));
    }
    Sent { status, headers, body: body.unwrap_or_default() }
}

fn body_of(inner: &Inner, bytes: &[u8]) -> ScriptBody {
    let cut = inner.cut_after.unwrap_or(bytes.len()).min(bytes.len());
    let mut steps: Vec<Step> = match inner.trickle {
        None => ScriptBody::pieces(&bytes[..cut]).collect(),
        Some(trickle) => {
            let wait = Duration::from_millis(trickle.every_ms);
            let pieces = bytes[..cut].chunks(trickle.bytes.max(1));
            let mut steps = pieces.flat_map(|piece| [Step::Wait(wait), Step::Data(Bytes::copy_from_slice(piece))]);
            steps.by_ref().take(1).for_each(drop);
            steps.collect()
        }
    };
    match inner.fails {
        Some(Fails::PanicInBody) => steps.push(Step::Panic),
        Some(Fails::ErrorInBody) => steps.push(Step::Error),
        _ if inner.cut_after.is_some() => steps.push(Step::Error),
        _ if inner.stalls => steps.push(Step::Hang),
        _ => {}
    }
    let length = inner.framing.unwrap_or(InnerFraming::Length) == InnerFraming::Length;
    ScriptBody::new(steps, length.then_some(promised(inner, bytes) as u64))
}

/// A body that never ends has a byte to come, or its declared length would end it.
fn promised(inner: &Inner, bytes: &[u8]) -> usize {
    bytes.len() + usize::from(inner.stalls)
}

pub(super) fn failure(fails: Option<Fails>) -> Option<BoxError> {
    match fails? {
        Fails::Error => Some(Opaque.into()),
        Fails::Timeout => Some(Wrapped(Box::new(tower::timeout::error::Elapsed::new())).into()),
        Fails::Overloaded => Some(Box::new(tower::load_shed::error::Overloaded::new())),
        Fails::Refused => Some(refused()),
        Fails::Panic | Fails::NotReady | Fails::PanicInReady | Fails::PanicInBody | Fails::ErrorInBody => None,
    }
}

/// What hyper-util's client says of a closed port. On a thread of its own, because the clock stands still on this one.
fn refused() -> BoxError {
    use hyper_util::client::legacy::Client;
    let connect = || {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<http_body_util::Empty<Bytes>>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(client.get(format!("http://{port}/").parse().expect("a URI")))
    };
    let answer = std::thread::spawn(connect).join().expect("no panic");
    answer.expect_err("nobody listens there").into()
}

pub(super) fn headers_of(headers: &http::HeaderMap) -> Headers {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// An error that nobody knows.
#[derive(Debug)]
struct Opaque;

impl fmt::Display for Opaque {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SECRET)
    }
}

impl Error for Opaque {}

/// An error that says nothing itself, so that only the chain of sources can.
#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SECRET)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
