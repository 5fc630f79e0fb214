//! Passes the requests of a connection to the layer, and returns the responses to hyper.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::Either;
use http::header::{CONNECTION, DATE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use pin_project_lite::pin_project;
use tower::ServiceExt;
use tower::util::Oneshot;
use tower_error_envelope::auth::ClientCertificate;

use super::access::{AccessRecord, Recording};
use super::client::{Client, ClientBody, ClientRequest, Inbound};
use super::config::ClientLimits;
use super::connection_state::{ActiveRequest, ConnectionState};
use super::headers;
use super::pace::UnsentBody;
use super::response_body::ResponseBody;

/// The number of headers that the gateway and the layer add to a request: three headers that describe the client, and
/// the request id.
pub(super) const ADDED: usize = 4;

/// The service that hyper calls for the requests of one connection. It passes requests to the layer, together with the
/// facts about the client that the layer and the inner service need.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) client: Box<Client>,
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) recording: Recording,
    pub(super) address: IpAddr,
    pub(super) limits: Arc<ClientLimits>,
    pub(super) state: Arc<ConnectionState>,
}

impl<S> Requests<S> {
    fn inbound(&self, mut request: Request<Incoming>) -> (Inbound, AccessRecord) {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let record = self.recording.begin(self.address, self.client.span(), &self.client.tracker, &mut request);
        let (mut head, body) = request.into_parts();
        self.state.reset.saw_request(head.version);
        self.state.bind(&mut head);
        // Space for the added headers is reserved, so that the map grows only once.
        head.headers.reserve(ADDED);
        headers::drop_named(&mut head.headers);
        let body = ClientBody::new(body, &head, &self.limits, &self.state, &record);
        self.client.hop.apply(&mut head.headers);
        (Request::from_parts(head, body), record)
    }
}

impl<S, B> Service<Request<Incoming>> for Requests<S>
where
    S: tower::Service<Inbound, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = Answer<Either<S::Future, Oneshot<S, Inbound>>, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (active, going) =
            (self.state.begin(request.version()), self.client.begin(request.method(), request.version()));
        let (request, record) = self.inbound(request);
        let mut service = self.service.clone();
        // Over HTTP/1, hyper drops the answer before it polls it if the client closes its side at once. The layer sees
        // such a request only if it is called here (F2). Over HTTP/2, the answer runs on a task of its own.
        let is_http1 = request.version() < Version::HTTP_2;
        let is_ready = is_http1 && service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
        let response =
            if is_ready { Either::Left(service.call(request)) } else { Either::Right(service.oneshot(request)) };
        Answer::new(response, AnswerContext { request: going, active, record })
    }
}

pin_project! {
    /// The future of the response to a request. It is ready when the head of the response can be sent.
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
                context.request.end(|| {
                    this.response.set(None);
                    drop(unread);
                });
                context.record.lost(false, true);
            }
        }
    }
}

/// The parts of a request that the gateway keeps while the layer handles the request.
pub(super) struct AnswerContext {
    pub(super) request: ClientRequest,
    pub(super) active: ActiveRequest,
    pub(super) record: AccessRecord,
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
    record.answered();
    let progress = active.begin_response(record);
    let status = response.status();
    Poll::Ready(Ok(response.map(|body| ResponseBody::new(body, status, request, progress))))
}

/// Adds the header `date` to a service's response that lacks it. hyper would add the latest date that it has seen. If
/// the clock was set back, that date is in the future.
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
/// skipped, and the connection stays open. Otherwise the response gets `connection: close`.
struct UnreadRest<B> {
    response: Response<B>,
    rest: Incoming,
    polls: u8,
    bytes: usize,
}

impl<B> UnreadRest<B> {
    /// The most polls of the rest while it is pending. Between two polls, hyper reads from the socket once more.
    const MOST_POLLS: u8 = 3;
    const MOST_BYTES: usize = 64 * 1024;

    /// Skips the rest of the request's body. Returns true if the rest was read to its end, and false if it was too long
    /// or has not arrived.
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
