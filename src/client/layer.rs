//! A `tower` client that parses its error responses.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::bodies::{BodyReader, ReadBody, ResponseBody};
use super::reader::ErrorReader;

/// Reads the bodies of error responses, within an [`ErrorReader`]'s limits. The layer puts the
/// [`ClientError`](super::ClientError) into the response's extensions, and leaves the body unchanged.
///
/// So a [`RetryPolicy`](super::RetryPolicy) around this layer finds the code even if the code is only in the body.
/// Responses that are not errors pass unread. [`ErrorReader::check`] describes which responses the caller must read to
/// their end.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ReadErrorLayer {
    reader: ErrorReader,
}

impl ReadErrorLayer {
    /// Creates a layer that reads errors with `reader`.
    pub fn new(reader: ErrorReader) -> Self {
        Self { reader }
    }
}

impl<S> Layer<S> for ReadErrorLayer {
    type Service = ReadError<S>;

    fn layer(&self, inner: S) -> ReadError<S> {
        ReadError { inner, reader: self.reader.clone() }
    }
}

/// The client that [`ReadErrorLayer`] makes.
#[derive(Clone, Debug)]
pub struct ReadError<S> {
    inner: S,
    reader: ErrorReader,
}

impl<S, Q, B> Service<Request<Q>> for ReadError<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        ResponseFuture { state: State::Calling { future: self.inner.call(request) }, reader: self.reader.clone() }
    }
}

pin_project! {
    /// The response of a [`ReadError`].
    ///
    /// # Panics
    ///
    /// Panics if an error response arrives outside a `tokio` runtime with time enabled.
    pub struct ResponseFuture<F, B> where B: Body {
        #[pin]
        state: State<F, B>,
        reader: ErrorReader,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> where B: Body {
        Calling { #[pin] future: F },
        Reading { reading: BodyReader<B> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Calling { future } => {
                    let response = ready!(future.poll(cx))?;
                    if !this.reader.fails(&response) {
                        return Poll::Ready(Ok(response.map(ResponseBody::pass)));
                    }
                    let (head, body) = response.into_parts();
                    this.state.set(State::Reading { reading: this.reader.reading(head, body) });
                }
                StateProj::Reading { reading } => {
                    let read = ready!(reading.poll(cx));
                    let error = this.reader.error_of(&read);
                    let ReadBody { mut head, data, rest } = read;
                    head.extensions.insert(error);
                    return Poll::Ready(Ok(Response::from_parts(head, ResponseBody::replay(data, rest))));
                }
            }
        }
    }
}

impl<F, B: Body> std::fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
