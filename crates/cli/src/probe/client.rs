//! Sends one request on a connection of its own, within limits of time and of bytes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::target::Target;
use crate::text::with_causes;

/// Every error is shorter.
const MAX_BODY: usize = 256 * 1024;

pub(super) enum NoAnswer {
    Unreachable(String),
    /// The rule that is broken, and how.
    Broken(&'static str, String),
}

/// The service, and how long each response may take.
pub(super) struct Service {
    pub(super) target: Target,
    pub(super) patience: Duration,
}

impl Service {
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let late = |_| Err(NoAnswer::Broken("F1", format!("no response within {} s", self.patience.as_secs_f32())));
        timeout(self.patience, self.exchange(request)).await.unwrap_or_else(late)
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let broken = |error: hyper::Error| NoAnswer::Broken("F1", with_causes(&error));
        let unreachable = |what| NoAnswer::Unreachable(format!("{}: {what}", self.target.url()));
        let stream = TokioIo::new(self.target.connect().await.map_err(unreachable)?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(outgoing(request.clone())).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| NoAnswer::Broken("F4", format!("the body was cut off: {error}")))?;
        let closes = head.headers.contains_key(header::CONNECTION);
        // hyper reads no body of a response to HEAD: bytes that follow it break the next response on the connection.
        if request.method() == Method::HEAD && !closes {
            let is_ready = sender.ready().await;
            let again =
                if is_ready.is_ok() { sender.send_request(outgoing(request)).await.map(drop) } else { is_ready };
            let followed = |error: &hyper::Error| error.is_parse() || error.to_string().contains("unexpected message");
            if let Err(error) = again
                && (followed(&error) || matches!(connection.await, Ok(Err(error)) if followed(&error)))
            {
                return Err(NoAnswer::Broken("E5", "bytes follow the response to HEAD".to_owned()));
            }
            return Ok(Response::from_parts(head, body.to_bytes()));
        }
        connection.abort();
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// hyper sends a body of unknown length in chunks.
fn outgoing(request: Request<Bytes>) -> Request<UnsyncBoxBody<Bytes, Infallible>> {
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    request.map(|body| match chunked {
        true => StreamBody::new(futures_util::stream::iter([Ok(Frame::data(body))])).boxed_unsync(),
        false => Full::new(body).boxed_unsync(),
    })
}
