//! A connection of hyper's client, over HTTP/1 or HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

pub(crate) type Upload = BoxBody<Bytes, Infallible>;

pub(crate) enum Client {
    Http1(http1::SendRequest<Upload>),
    Http2(http2::SendRequest<Upload>),
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, protocol: Protocol) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        match protocol {
            Protocol::Http1 => {
                let (client, connection) = http1::handshake(stream).await.unwrap();
                tokio::spawn(connection);
                Self::Http1(client)
            }
            Protocol::Http2 => {
                let (client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
                tokio::spawn(connection);
                Self::Http2(client)
            }
        }
    }

    /// Sends a request to a path. Over HTTP/2 it is sent to the whole URI, which HTTP/2 needs.
    pub(crate) async fn send(&mut self, mut request: Request<Upload>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(client) => {
                request.headers_mut().insert("host", http::HeaderValue::from_static("test"));
                client.ready().await?;
                client.send_request(request).await
            }
            Self::Http2(client) => {
                *request.uri_mut() = format!("http://test{}", request.uri()).parse().unwrap();
                client.ready().await?;
                client.send_request(request).await
            }
        }
    }
}
