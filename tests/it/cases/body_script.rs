//! A body that follows a script: each wait uses tokio's clock, and each failure is deliberate.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::always::SECRET;
use super::failures::BoxError;

pub(super) enum Step {
    Data(Bytes),
    /// Waits for this future. An error of the future is the body's error.
    Until(Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>),
    Trailers(HeaderMap),
    Wait(Duration),
    Error(BoxError),
    Panic,
    Hang,
}

/// A body that follows a script.
#[derive(Default)]
pub(super) struct ScriptBody {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    length: Option<u64>,
    watch: Arc<Watch>,
}

/// Shows from outside what happened to a body.
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

    /// Cuts the bytes into pieces as a socket would return them.
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
                Some(Step::Until(mut work)) => match work.as_mut().poll(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Pending => {
                        self.steps.push_front(Step::Until(work));
                        return Poll::Pending;
                    }
                },
                Some(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Error(error)) => return Poll::Ready(Some(Err(error))),
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
