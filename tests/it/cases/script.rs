//! The service of a case in process, and the response that each service of a case sends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;

use super::always::SECRET;
use super::body_script::{ScriptBody, Step};
use super::failures::{BoxError, Opaque, body_failure, failure, fault};
use super::format::{Fails, Inner, InnerFraming};
use super::seen::{Call, Sent};
use super::wire::{self, Headers};

/// The wrapped service, which does what `[case.inner]` states.
#[derive(Clone)]
pub(super) struct Scripted {
    inner: Arc<Inner>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Scripted {
    pub(super) fn new(inner: &Inner) -> Self {
        Self { inner: Arc::new(inner.clone()), calls: Arc::default() }
    }

    /// The panics that cases request do not poison the lock, because none happens under it.
    pub(super) fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn answer<B>(self, request: Request<B>, index: usize) -> Result<Response<ScriptBody>, BoxError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let mut status = self.inner.status();
        if self.inner.answers_first {
            let reading: Reading = Box::pin(self.clone().read_late(body, index));
            return Ok(self.respond_to(&parts, status, index, Some(reading)));
        }
        if self.inner.reads_body
            && let Err(error) = self.read(body, index).await
        {
            match self.inner.on_body_error {
                Some(on_body_error) => status = on_body_error,
                None if self.inner.fails != Some(Fails::Panic) => return Err(error),
                None => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(self.inner.delay_ms)).await;
        assert!(self.inner.fails != Some(Fails::Panic), "{SECRET}");
        if let Some(error) = failure(&self.inner) {
            return Err(error);
        }
        Ok(self.respond_to(&parts, status, index, None))
    }

    fn respond_to(
        &self,
        parts: &http::request::Parts,
        status: u16,
        index: usize,
        reading: Option<Reading>,
    ) -> Response<ScriptBody> {
        let sent = sent(&self.inner, status, &headers_of(&parts.headers));
        self.calls()[index].sent = Some(sent.clone());
        self.respond(sent, parts.method == Method::HEAD, reading)
    }

    /// Reads the request's body while the response is being sent.
    async fn read_late<B>(self, body: B, index: usize) -> Result<(), BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let read = self.read(body, index).await;
        if self.inner.on_body_error.is_some() { Ok(()) } else { read }
    }

    async fn read<B>(&self, body: B, index: usize) -> Result<(), BoxError>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut body = std::pin::pin!(body);
        let mut read = Vec::new();
        let end = loop {
            match body.frame().await {
                Some(Ok(frame)) => read.extend(frame.into_data().unwrap_or_default()),
                Some(Err(error)) => break Err(error.into()),
                None => break Ok(()),
            }
        };
        let mut calls = self.calls();
        calls[index].body = Some(read);
        calls[index].body_error = end.as_ref().err().map(|error: &BoxError| error.to_string());
        end
    }

    fn respond(&self, sent: Sent, head: bool, reading: Option<Reading>) -> Response<ScriptBody> {
        let bodiless = head || matches!(sent.status, 100..200 | 204 | 304);
        let body = if bodiless { ScriptBody::default() } else { body_of(&self.inner, &sent.body, reading) };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(sent.status).expect("looked at before the run");
        for (name, value) in &sent.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("looked at before the run");
            response.headers_mut().append(name, HeaderValue::from_bytes(value).expect("looked at before the run"));
        }
        if let Some(phrase) = self.inner.raw().and_then(|raw| wire::response_in(&raw)?.0.reason_phrase()) {
            response.extensions_mut().insert(phrase);
        }
        if let Some(inner_fault) = &self.inner.fault {
            response.extensions_mut().insert(fault(inner_fault));
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
        // A service that reads or waits first panics in its future.
        let at_once = !self.inner.reads_body && self.inner.delay_ms == 0;
        assert!(self.inner.fails != Some(Fails::Panic) || !at_once, "{SECRET}");
        Box::pin(self.clone().answer(request, index))
    }
}

/// Returns what the service sends: its head, with `seen-` echoes and a length, and its whole body.
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
    let length = inner.framed() == InnerFraming::Length;
    let has_length = !wire::values(&headers, "content-length").is_empty();
    if let Some(body) = &body
        && length
        && !has_length
        && !matches!(status, 100..200 | 204 | 304)
    {
        headers.push(("content-length".into(), promised(inner, body).to_string().into_bytes()));
    }
    Sent { status, headers, body: body.unwrap_or_default() }
}

/// The reading of a request's body to its end.
type Reading = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

fn body_of(inner: &Inner, bytes: &[u8], reading: Option<Reading>) -> ScriptBody {
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
    steps.extend(reading.map(Step::Until));
    match inner.fails {
        Some(Fails::PanicInBody) => steps.push(Step::Panic),
        Some(Fails::ErrorInBody) => steps.push(Step::Error(body_failure(inner))),
        _ if inner.cut_after.is_some() => steps.push(Step::Error(body_failure(inner))),
        _ if inner.stalls => steps.push(Step::Hang),
        _ if !inner.trailers().is_empty() => steps.push(Step::Trailers(map_of(&inner.trailers()))),
        _ => {}
    }
    let length = inner.framed() == InnerFraming::Length;
    ScriptBody::new(steps, length.then_some(promised(inner, bytes) as u64))
}

/// A body that never ends promises a further byte, because its declared length would end it.
fn promised(inner: &Inner, bytes: &[u8]) -> usize {
    bytes.len() + usize::from(inner.stalls)
}

pub(super) fn map_of(headers: &Headers) -> http::HeaderMap {
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        map.append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    map
}

pub(super) fn headers_of(headers: &http::HeaderMap) -> Headers {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
