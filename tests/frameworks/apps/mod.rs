//! The same routes on each framework, with the layer at the place that the manual recommends.

mod axum;
mod hyper;
mod poem;
mod salvo;
mod tonic;
mod warp;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::StreamBody;

use crate::client::Protocol::{self, Http1, Http2};

pub(crate) struct App {
    pub(crate) name: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) protocols: &'static [Protocol],
    pub(crate) start: fn() -> BoxFuture<'static, SocketAddr>,
}

macro_rules! apps {
    ($($name:literal, $prefix:literal, $protocols:expr => $start:path),* $(,)?) => {
        pub(crate) const APPS: &[App] = &[
            $(App { name: $name, prefix: $prefix, protocols: &$protocols, start: || $start().boxed() }),*
        ];
    };
}

apps! {
    "axum", "", [Http1, Http2] => axum::plain,
    "axum, nested, `from_fn` inside and outside", "/api", [Http1, Http2] => axum::nested,
    "hyper-util, HTTP/1", "", [Http1] => hyper::start,
    "hyper-util, HTTP/2", "", [Http2] => hyper::start,
    "tonic's HTTP side", "", [Http1, Http2] => tonic::start,
    "warp", "", [Http1, Http2] => warp::start,
    "poem on hyper-util", "", [Http1, Http2] => poem::on_hyper,
    "poem's server", "", [Http1, Http2] => poem::on_its_own,
    "salvo", "", [Http1, Http2] => salvo::start,
}

/// Returns a body whose trailer repeats the request's trailer.
fn summed(trailers: Option<&HeaderMap>) -> impl Body<Data = Bytes, Error = Infallible> + Send + Sync + use<> {
    let sum = trailers.and_then(|trailers| trailers.get("content-digest")).cloned();
    let sum = sum.unwrap_or(HeaderValue::from_static("none"));
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("content-digest"), sum)]);
    // The body has no known length, because HTTP/1 has no place for trailers after a content-length.
    StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from("summed"))), Ok(Frame::trailers(trailers))]))
}
