//! The requests, what the handler says to them, and what must come out.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower_service::Service;

use crate::Named;

const X_APP_ID: HeaderName = HeaderName::from_static("x-app-id");

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// A success without a header: the layer's id is the first one, which has to allocate the map.
    Happy,
    /// What a router's fallback says.
    Empty404,
    /// What a service with a shape of its own says.
    Json404,
    /// The service fails.
    Error,
    /// A declared body of twice the limit, all of it at hand.
    TooLarge,
}

impl Named for Case {
    const ALL: &'static [Self] = &[Self::Happy, Self::Empty404, Self::Json404, Self::Error, Self::TooLarge];

    fn name(self) -> &'static str {
        match self {
            Self::Happy => "happy GET",
            Self::Empty404 => "empty 404",
            Self::Json404 => "JSON 404",
            Self::Error => "inner Err",
            Self::TooLarge => "declared 413",
        }
    }
}

impl Case {
    pub(crate) fn request(self) -> Request<Full<Bytes>> {
        static TWO_MIB: [u8; 2 * 1024 * 1024] = [b' '; 2 * 1024 * 1024];

        let mut request = Request::new(Full::default());
        *request.uri_mut() = Uri::from_static("/api/v1/rooms/42");
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("api.example.com"));
        headers.insert(USER_AGENT, HeaderValue::from_static("bench/1.0"));
        headers.insert(X_APP_ID, HeaderValue::from_static("demo"));
        if self == Self::TooLarge {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CONTENT_LENGTH, HeaderValue::from(TWO_MIB.len()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = Uri::from_static("/api/v1/rooms/42/messages");
            *request.body_mut() = Full::new(Bytes::from_static(&TWO_MIB));
        } else {
            headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        request
    }

    /// Panics unless a stack around the handler answered as all of them should.
    pub(crate) fn check(self, answer: Option<Response<Bytes>>) {
        let (status, code) = self.expected();
        let answer = answer.unwrap_or_else(|| panic!("{}: an error came out", self.name()));
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), status, "{}: {body}", self.name());
        let id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        assert!(id.len() == 30 && id.starts_with("req_"), "{}: the id is {id:?}", self.name());
        let envelope = code.is_none_or(|code| body.contains(&format!("\"code\":\"{code}\"")) && body.contains(id));
        assert!(envelope, "{}: {body}", self.name());
    }

    fn expected(self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::Happy => (StatusCode::OK, None),
            Self::Empty404 | Self::Json404 => (StatusCode::NOT_FOUND, Some("not_found")),
            Self::Error => (StatusCode::INTERNAL_SERVER_ERROR, Some("internal_error")),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Some("payload_too_large")),
        }
    }
}

/// The innermost service: it reads nothing and is ready at once, so that what is measured is around it.
#[derive(Clone, Copy)]
pub(crate) struct Handler(pub(crate) Case);

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(match self.0 {
            Case::Happy | Case::TooLarge => Ok(Response::new(Full::from(r#"{"ok":true}"#))),
            Case::Empty404 => Ok(not_found("")),
            Case::Json404 => {
                let mut response = not_found(r#"{"success":false,"error":"Room not found"}"#);
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok(response)
            }
            Case::Error => Err("the database is away".into()),
        })
    }
}

fn not_found(body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
