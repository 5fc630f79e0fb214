//! Sends one request on a new connection, and reads the result within a limit of time and of bytes.

use std::error::Error;
use std::time::Duration;

use http::uri::Scheme;
use http::{Method, Request, Response, Uri, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::answer::{ProbeError, ProbeResponse, ProbeResult};
use super::outgoing::{Outgoing, body_of};
use super::raw;
use super::request::{ProbeRequest, SentRequest};
use super::table::Wire;
use super::target::{Stream, Target};
use crate::text::with_causes;

/// The most bytes to read of a body: every error is shorter.
const MOST_OF_BODY: usize = 256 * 1024;

/// Sends the request and reads its response.
pub(super) async fn send_request(target: &Target, planned: &ProbeRequest, patience: Duration) -> ProbeResult {
    let answer = async {
        let stream = target.connect(planned.wire).await?;
        match (&planned.body, planned.wire) {
            (SentRequest::Unsent(_), _) => raw::send_request(stream, planned, patience).await,
            (_, Wire::Http1) if planned.method == Method::HEAD => raw::send_request(stream, planned, patience).await,
            (_, Wire::Http1) => over_http1(stream, planned).await,
            (_, Wire::Http2) => over_http2(stream, target, planned).await,
        }
    };
    timeout(patience, answer).await.unwrap_or(Err(ProbeError::Silent(patience)))
}

async fn over_http1(stream: Stream, planned: &ProbeRequest) -> ProbeResult {
    let handshake = http1::Builder::new().max_headers(256).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(broken)?;
    let driver = drive(connection);
    let mut request = request(planned, planned.path.clone().into(), Version::HTTP_11)?;
    request.headers_mut().extend(planned.body.framing());
    answered(sender.send_request(request), driver, broken).await
}

async fn over_http2(stream: Stream, target: &Target, planned: &ProbeRequest) -> ProbeResult {
    let failed = |error: hyper::Error| {
        // Over TLS, client and server have agreed on HTTP/2. Without TLS, a server that has only HTTP/1 answers the
        // preface with bytes that are not a frame.
        let agreed = target.scheme() == Scheme::HTTPS || is_the_servers(&error);
        if agreed { broken(error) } else { ProbeError::NoHttp2 }
    };
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(failed)?;
    let driver = drive(connection);
    let uri = Uri::builder().scheme(target.scheme()).authority(target.authority()).path_and_query(planned.path.clone());
    let uri = uri.build().map_err(|error| ProbeError::Broken(error.to_string()))?;
    let mut request = request(planned, uri, Version::HTTP_2)?;
    request.headers_mut().remove(header::HOST);
    answered(sender.send_request(request), driver, failed).await
}

async fn answered(
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    driver: JoinHandle<hyper::Result<()>>,
    failed: impl FnOnce(hyper::Error) -> ProbeError,
) -> ProbeResult {
    let got = match response.await {
        Ok(response) => Ok(read(response).await),
        Err(error) => Err(failed(error)),
    };
    driver.abort();
    got
}

/// A connection that makes progress while its response is awaited.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> JoinHandle<hyper::Result<()>> {
    tokio::spawn(connection)
}

fn request(planned: &ProbeRequest, uri: Uri, version: Version) -> Result<Request<Outgoing>, ProbeError> {
    let mut request = Request::new(body_of(&planned.body));
    *request.method_mut() = planned.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = version;
    *request.headers_mut() = planned.headers.clone();
    Ok(request)
}

async fn read(response: Response<Incoming>) -> ProbeResponse {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut got = ProbeResponse::new(head.status, head.headers);
    got.whole = loop {
        match incoming.frame().await.map(|frame| frame.map(hyper::body::Frame::into_data)) {
            Some(Ok(Ok(data))) if body.len() + data.len() <= MOST_OF_BODY => body.extend_from_slice(&data),
            Some(Ok(Err(frame))) => got.trailers = frame.into_trailers().ok(),
            last => break last.is_none_or(|last| last.is_ok()),
        }
    };
    got.body = body.into();
    got
}

/// Whether the server ended the call or the connection with a frame of HTTP/2.
fn is_the_servers(error: &hyper::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    let mut frames = causes.filter_map(|cause| cause.downcast_ref::<h2::Error>());
    frames.any(|error| error.is_remote() && (error.is_reset() || error.is_go_away()))
}

fn broken(error: hyper::Error) -> ProbeError {
    ProbeError::Broken(with_causes(&error))
}
