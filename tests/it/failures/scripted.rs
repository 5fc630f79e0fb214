//! Services, bodies and errors that fail where a test tells them to. A service fails only the first time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::Service;
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;

/// The text of each panic and error, which only the log may contain.
pub(super) const TEXT: &str = "n0t-for-clients";

/// The place where something panics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    Ready,
    Clone,
    Call,
    Future,
    FutureDrop,
    BodyPoll,
    BodyDrop,
    BodySize,
    BodyEnd,
}

/// The behaviour for the first request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) panics: Option<At>,
    pub(super) status: u16,
    pub(super) error: Option<fn() -> BoxError>,
    pub(super) not_ready: Option<fn() -> BoxError>,
    pub(super) reads: bool,
    pub(super) hangs: bool,
    pub(super) body_hangs: bool,
    pub(super) body_fails: bool,
    pub(super) body_says_nothing: bool,
}

/// A service that follows its script once, and responds with 200 from then on.
#[derive(Debug)]
pub(super) struct Scripted {
    script: Script,
    armed: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

/// The body of a response or of a request.
#[derive(Debug)]
pub(super) struct Scene {
    frames: VecDeque<Result<Bytes, BoxError>>,
    panics: Option<At>,
    hangs: bool,
}

/// An error with a part that panics.
#[derive(Debug)]
pub(super) enum Tricky {
    Display,
    Source,
    Drop,
    /// A drop that panics while another panic unwinds aborts the process.
    SourceAndDrop,
}

impl Script {
    pub(super) const fn fine() -> Self {
        Self {
            panics: None,
            status: 200,
            error: None,
            not_ready: None,
            reads: false,
            hangs: false,
            body_hangs: false,
            body_fails: false,
            body_says_nothing: false,
        }
    }

    pub(super) const fn panics(at: At) -> Self {
        Self { panics: Some(at), ..Self::fine() }
    }

    pub(super) const fn fails(error: fn() -> BoxError) -> Self {
        Self { error: Some(error), ..Self::fine() }
    }

    pub(super) const fn says(status: u16) -> Self {
        Self { status, ..Self::fine() }
    }

    fn body(&self) -> Scene {
        if self.body_says_nothing {
            return Scene::saying_nothing("");
        }
        let mut frames = VecDeque::from([Ok(Bytes::from_static(b"begun"))]);
        if self.body_fails {
            frames.push_back(Err(TEXT.into()));
        }
        Scene { frames, panics: self.panics, hangs: self.body_hangs }
    }
}

impl Scripted {
    pub(super) fn new(script: Script) -> Self {
        Self { script, armed: Arc::new(AtomicBool::new(true)), calls: Arc::default() }
    }

    pub(super) fn calls(&self) -> Arc<AtomicUsize> {
        self.calls.clone()
    }

    fn panics_at(&self, at: At) {
        if self.script.panics == Some(at) && self.armed.swap(false, Ordering::SeqCst) {
            panic!("{TEXT}");
        }
    }
}

impl Clone for Scripted {
    fn clone(&self) -> Self {
        self.panics_at(At::Clone);
        Self { script: self.script, armed: self.armed.clone(), calls: self.calls.clone() }
    }
}

impl Service<Request<RequestBody<Scene>>> for Scripted {
    type Response = Response<Scene>;
    type Error = BoxError;
    type Future = Played;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.panics_at(At::Ready);
        match self.script.not_ready {
            Some(error) if self.armed.swap(false, Ordering::SeqCst) => Poll::Ready(Err(error())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<RequestBody<Scene>>) -> Played {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.panics_at(At::Call);
        let script = if self.armed.swap(false, Ordering::SeqCst) { self.script } else { Script::fine() };
        let body = script.reads.then(|| request.into_body());
        Played { panics: script.panics, play: Box::pin(play(script, body)) }
    }
}

async fn play(script: Script, body: Option<RequestBody<Scene>>) -> Result<Response<Scene>, BoxError> {
    if let Some(body) = body {
        body.collect().await?;
    }
    assert!(script.panics != Some(At::Future), "{TEXT}");
    match script {
        Script { hangs: true, .. } => std::future::pending::<Result<_, Infallible>>().await.map_err(Into::into),
        Script { error: Some(error), .. } => Err(error()),
        _ => Ok(Response::builder().status(script.status).body(script.body())?),
    }
}

/// A service's future. Its drop may panic, whether the future has ended or not.
pub(super) struct Played {
    panics: Option<At>,
    play: Pin<Box<dyn Future<Output = Result<Response<Scene>, BoxError>> + Send>>,
}

impl Future for Played {
    type Output = Result<Response<Scene>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.play.as_mut().poll(cx)
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        assert!(self.panics != Some(At::FutureDrop), "{TEXT}");
    }
}

impl Scene {
    pub(super) fn empty() -> Self {
        Self { frames: VecDeque::new(), panics: None, hangs: false }
    }

    pub(super) fn new(frames: impl IntoIterator<Item = Result<Bytes, BoxError>>) -> Self {
        Self { frames: frames.into_iter().collect(), panics: None, hangs: false }
    }

    pub(super) fn hanging() -> Self {
        Self { frames: VecDeque::new(), panics: None, hangs: true }
    }

    /// Makes a body of empty frames that are ready at once, more than any budget has bytes, and that then hangs.
    pub(super) fn saying_nothing(first: &'static str) -> Self {
        let first = Bytes::from_static(first.as_bytes());
        let frames = std::iter::once(first).chain(std::iter::repeat_n(Bytes::new(), 100_000));
        Self { frames: frames.map(Ok).collect(), panics: None, hangs: true }
    }

    pub(super) fn panicking(mut self, at: At) -> Self {
        self.panics = Some(at);
        self
    }
}

impl Body for Scene {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        assert!(self.panics != Some(At::BodyPoll), "{TEXT}");
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame.map(Frame::data))),
            None if self.hangs => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        assert!(self.panics != Some(At::BodyEnd), "{TEXT}");
        self.frames.is_empty() && !self.hangs && self.panics.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        assert!(self.panics != Some(At::BodySize), "{TEXT}");
        SizeHint::default()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        assert!(self.panics != Some(At::BodyDrop), "{TEXT}");
    }
}

impl fmt::Display for Tricky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!matches!(self, Self::Display), "{TEXT}");
        f.write_str(TEXT)
    }
}

impl Error for Tricky {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        assert!(!matches!(self, Self::Source | Self::SourceAndDrop), "{TEXT}");
        None
    }
}

impl Drop for Tricky {
    fn drop(&mut self) {
        assert!(!matches!(self, Self::Drop | Self::SourceAndDrop), "{TEXT}");
    }
}
