//! The response to a client's request, until its head leaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, DATE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::access::AccessRecord;
use super::client::ClientRequest;
use super::connection_state::{ActiveRequest, ConnectionState};
use super::in_flight::loggable_request_id;
use super::pace::UnsentBody;
use super::response_body::ResponseBody;

pin_project! {
    /// The response to a request, as a future that ends with its head.
    pub(super) struct Answer<F, B: Body> {
        #[pin]
        response: Option<F>,
        context: Option<AnswerContext>,
        unread: Option<Box<UnreadRest<B>>>,
    }

    impl<F, B: Body> PinnedDrop for Answer<F, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(context) = this.context {
                let unread = this.unread.take();
                let lost = unread.as_ref().and_then(|unread| unread.lost_id());
                context.request.end(lost.as_ref(), || {
                    this.response.set(None);
                    drop(unread);
                });
            }
        }
    }
}

/// The context of a request around the layer.
pub(super) struct AnswerContext {
    pub(super) request: ClientRequest,
    pub(super) active: ActiveRequest,
    pub(super) record: Option<AccessRecord>,
}

impl<F, B: Body> Answer<F, B> {
    pub(super) fn new(response: F, context: AnswerContext) -> Self {
        Self { response: Some(response), context: Some(context), unread: None }
    }
}

impl<F, B> Future for Answer<F, B>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(response) = this.response.as_mut().as_pin_mut() {
            let Some(context) = this.context else { return Poll::Pending };
            let Ok(mut response) = ready!(context.request.span.in_scope(|| response.poll(cx)));
            this.response.set(None);
            if context.request.closes_connection() {
                close_after(&mut response);
            }
            add_date(response.headers_mut());
            let ConnectionState { last_body, .. } = context.active.connection();
            let is_left = last_body.closes_connection(|| false);
            match is_left.then(|| last_body.take_rest()).flatten() {
                Some(rest) => *this.unread = Some(Box::new(UnreadRest { response, rest, polls: 0, bytes: 0 })),
                None => return leave(this.context, response),
            }
        }
        let Some(unread) = this.unread else { return Poll::Pending };
        let was_read = ready!(unread.poll_skip(cx));
        if let (true, Some(context)) = (was_read, &this.context) {
            context.active.connection().last_body.rest_was_read();
        }
        match this.unread.take() {
            Some(unread) => leave(this.context, unread.response),
            None => Poll::Pending,
        }
    }
}

fn leave<B: Body<Data = Bytes>>(
    context: &mut Option<AnswerContext>,
    mut response: Response<B>,
) -> Poll<Result<Response<ResponseBody<B>>, Infallible>> {
    let Some(AnswerContext { request, active, record }) = context.take() else { return Poll::Pending };
    let is_unsent = || response.extensions().get::<UnsentBody>().is_some();
    if active.connection().last_body.closes_connection(is_unsent) {
        close_after(&mut response);
    }
    if let Some(record) = &record {
        record.answered(&response);
    }
    let progress = active.begin_response(loggable_request_id(response.headers()), record);
    Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, request, progress))))
}

/// Adds a date to a service's response that has none. hyper would add the latest one that it has seen, which after the
/// clock was set back is in the future.
fn add_date(headers: &mut HeaderMap) {
    if !headers.contains_key(DATE)
        && let Ok(date) = httpdate::fmt_http_date(SystemTime::now()).try_into()
    {
        headers.insert(DATE, date);
    }
}

fn close_after<B>(response: &mut Response<B>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A response to a request whose body was not read to its end. If the rest of the body has already arrived, it is
/// skipped, and the connection stays open; otherwise the response has `connection: close`.
struct UnreadRest<B> {
    response: Response<B>,
    rest: Incoming,
    polls: u8,
    bytes: usize,
}

impl<B: Body> UnreadRest<B> {
    /// The request id to log if the client does not get the response.
    fn lost_id(&self) -> Option<HeaderValue> {
        loggable_request_id(self.response.headers()).filter(|_| !self.response.body().is_end_stream())
    }
}

impl<B> UnreadRest<B> {
    /// The most polls to wait for hyper, which reads once more between two of them.
    const MOST_POLLS: u8 = 3;
    const MOST_BYTES: usize = 64 * 1024;

    /// Skips the rest. Returns whether all of it was read, once that is certain.
    fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.bytes += frame.data_ref().map_or(0, Bytes::len);
                    if self.rest.is_end_stream() {
                        return Poll::Ready(true);
                    }
                    if self.bytes > Self::MOST_BYTES {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(ended) => return Poll::Ready(ended.is_none()),
                Poll::Pending if self.polls == Self::MOST_POLLS => return Poll::Ready(false),
                Poll::Pending => {
                    self.polls += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}
