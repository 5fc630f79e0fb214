//! Sends requests to an admin address, in process.

use std::convert::Infallible;

use bytes::Bytes;
use error_envelope_admin::{Admin, AdminBody, PrometheusHandle};
use error_envelope_runtime::describe_metrics;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio_stream as stream;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::session::BoxError;

/// A response of the admin address.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Installs a recorder for the metrics of this thread, as long as the guard exists.
pub(crate) fn recording() -> (metrics::LocalRecorderGuard<'static>, PrometheusHandle) {
    let recorder = Box::leak(Box::new(error_envelope_admin::metrics_recorder()));
    let guard = metrics::set_default_local_recorder(recorder);
    describe_metrics();
    (guard, recorder.handle())
}

/// Sends a request with the headers that curl sends.
pub(crate) async fn ask(admin: &Admin, method: &str, path: &str) -> Answer {
    ask_with(admin, method, path, &[("host", "127.0.0.1:9901")]).await
}

pub(crate) async fn ask_with(admin: &Admin, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(admin.service().oneshot(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap()).await
}

pub(crate) async fn read(response: Response<AdminBody>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// Sends a request through the layer to a service that cuts off its 200, and returns the request's id.
pub(crate) async fn cut_off(layer: &ErrorEnvelopeLayer, path: &str) -> String {
    let service = layer.layer(service_fn(|_| async {
        let broken = stream::iter([Err::<Frame<Bytes>, BoxError>("the service broke off".into())]);
        Ok::<_, Infallible>(Response::new(StreamBody::new(broken)))
    }));
    let response = service.oneshot(Request::get(path).body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    assert!(body.collect().await.is_err());
    head.headers["x-request-id"].to_str().unwrap().to_owned()
}

/// Sends a request whose client leaves before the body of the response ends, and returns the request's id.
pub(crate) async fn leave(layer: &ErrorEnvelopeLayer, path: &str) -> String {
    let service = layer.layer(service_fn(|_| async {
        let endless = stream::pending::<Result<Frame<Bytes>, BoxError>>();
        Ok::<_, Infallible>(Response::new(StreamBody::new(endless)))
    }));
    let request = Request::get(path).header("x-forwarded-for", "198.51.100.4").body(Full::<Bytes>::default()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// Calls a gRPC service that answers with this status, and returns the request's id.
pub(crate) async fn call(layer: &ErrorEnvelopeLayer, path: &str, grpc_status: u16) -> String {
    let service = layer.layer(service_fn(move |_| async move {
        let response =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", grpc_status);
        Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
    }));
    let request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    let response = service.oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    body.collect().await.unwrap();
    assert_eq!(head.status, 200);
    head.headers["x-request-id"].to_str().unwrap().to_owned()
}

/// Sends a request through the layer to a service that answers `status` with `body`.
pub(crate) async fn through(layer: &ErrorEnvelopeLayer, path: &str, status: u16, body: &'static str) -> Answer {
    let service = layer.layer(service_fn(move |_| async move {
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
    }));
    let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}
