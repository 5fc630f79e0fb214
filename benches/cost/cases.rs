//! The requests, the handler's responses, and the expected results.

use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::{Policy, RouteRule};
use tower_service::Service;

use crate::Named;

const X_APP_ID: HeaderName = HeaderName::from_static("x-app-id");

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Eight values that no rule reads, to the end of an object.
macro_rules! rest {
    () => {
        concat!(
            r#""advice":"Look at the list of rooms.","remark":"It was closed on Monday.","#,
            r#""owner":{"remark":"The owner has left.","advice":"Write to the office."},"#,
            r#""wing":{"remark":"The wing is being painted.","advice":"Use the other door."},"#,
            r#""tip":"Rooms open at nine.","summary":"Two rooms are free."}"#
        )
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// A success without a header. The layer's id is the first header, so the map must be allocated.
    Happy,
    /// A success with a header. Nearly all successes have one.
    Header,
    /// Fifty routes that want JSON, and a request without a body to one of them.
    Fifty,
    /// The response of a router's fallback.
    Empty404,
    /// A line of text from a handler.
    Text404,
    /// The same text under a policy that advises the client.
    Advice,
    /// The response of a service with its own error shape.
    Json404,
    /// JSON whose error is an object with a code of the service's own.
    ErrorObject,
    /// JSON with eight texts that no rule reads, and that the layer keeps in the details.
    Rest,
    /// The service fails.
    Error,
    /// The response of a rate limiter.
    RateLimited,
    /// Credentials are required, and none are sent, so nothing is hashed.
    NoCredentials,
    /// A small body of the wrong type on a route that requires JSON.
    Unsupported,
    /// A declared body of twice the limit, all of which is available at once.
    TooLarge,
    /// The same body on a route that requires JSON.
    TooLargeJson,
}

impl Named for Case {
    const ALL: &'static [Self] = &[
        Self::Happy,
        Self::Header,
        Self::Fifty,
        Self::Empty404,
        Self::Text404,
        Self::Advice,
        Self::Json404,
        Self::ErrorObject,
        Self::Rest,
        Self::Error,
        Self::RateLimited,
        Self::NoCredentials,
        Self::Unsupported,
        Self::TooLarge,
        Self::TooLargeJson,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Happy => "happy GET",
            Self::Header => "header set",
            Self::Fifty => "50 routes",
            Self::Empty404 => "empty 404",
            Self::Text404 => "text 404",
            Self::Advice => "with advice",
            Self::Json404 => "JSON 404",
            Self::ErrorObject => "error object",
            Self::Rest => "with a rest",
            Self::Error => "inner Err",
            Self::RateLimited => "429",
            Self::NoCredentials => "401",
            Self::Unsupported => "415",
            Self::TooLarge => "declared 413",
            Self::TooLargeJson => "413 for JSON",
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
        let body = match self {
            Self::TooLarge | Self::TooLargeJson => ("application/json", Bytes::from_static(&TWO_MIB)),
            Self::Unsupported => ("text/plain", Bytes::from_static(b"Hello, room!")),
            _ => {
                headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
                return request;
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.0));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.1.len()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/api/v1/rooms/42/messages");
        *request.body_mut() = Full::new(body.1);
        request
    }

    /// Returns the layer's policy, if it is not the default.
    pub(crate) fn policy(self) -> Option<Policy> {
        let policy = match self {
            Self::NoCredentials => {
                let key = Key::of_secret("demo", "a key that nobody sends");
                Policy::builder().scheme("app", AuthScheme::bearer().key(key)).auth(["app"])
            }
            Self::Unsupported | Self::TooLargeJson => {
                Policy::builder().route(RouteRule::new("/api/{*rest}").json(true))
            }
            Self::Advice => Policy::builder().advise_retry(true).docs("https://docs.example.com/errors#{{code}}"),
            Self::Fifty => (0..50).fold(Policy::builder(), |policy, at| match at {
                0 => policy.route(RouteRule::new("/api/v1/rooms/{room}").json(true)),
                _ => policy.route(RouteRule::new(format!("/api/v1/things{at}/{{thing}}")).json(true)),
            }),
            _ => return None,
        };
        Some(policy.build().unwrap_or_else(|refused| panic!("{refused}")))
    }

    /// Panics unless a stack around the handler responded as all of them should, and the layer as only it can.
    pub(crate) fn check(self, is_layer: bool, answer: Option<Response<Bytes>>) {
        let (status, code) = self.expected();
        let answer = answer.unwrap_or_else(|| panic!("{}: an error came out", self.name()));
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), status, "{}: {body}", self.name());
        let id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        assert!(id.len() == 30 && id.starts_with("req_"), "{}: the id is {id:?}", self.name());
        let envelope = code.is_none_or(|code| body.contains(&format!("\"code\":\"{code}\"")) && body.contains(id));
        assert!(envelope, "{}: {body}", self.name());
        assert!(!is_layer || body.contains(self.layers_own()), "{}: {body}", self.name());
    }

    /// A part of the body that only the layer writes.
    fn layers_own(self) -> &'static str {
        match self {
            Self::Advice => r#""retry":"no","docs":"https://docs.example.com/errors#not_found""#,
            Self::ErrorObject => r#""message":"Room not found","details":{"upstream_code":"ROOM_NOT_FOUND"}"#,
            Self::Rest => concat!(r#""message":"Room not found","details":{"#, rest!()),
            _ => "",
        }
    }

    fn expected(self) -> (StatusCode, Option<&'static str>) {
        match self {
            Self::Happy | Self::Header | Self::Fifty => (StatusCode::OK, None),
            Self::Empty404 | Self::Text404 | Self::Advice | Self::Json404 | Self::ErrorObject | Self::Rest => {
                (StatusCode::NOT_FOUND, Some("not_found"))
            }
            Self::Error => (StatusCode::INTERNAL_SERVER_ERROR, Some("internal_error")),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, Some("rate_limited")),
            Self::NoCredentials => (StatusCode::UNAUTHORIZED, Some("auth_missing")),
            Self::Unsupported => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some("unsupported_media_type")),
            Self::TooLarge | Self::TooLargeJson => (StatusCode::PAYLOAD_TOO_LARGE, Some("payload_too_large")),
        }
    }
}

/// The innermost service. It reads nothing and is ready at once, so that only the code around it is measured.
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
            Case::Error => Err("the database is away".into()),
            Case::Header => Ok(response(StatusCode::OK, r#"{"ok":true}"#, &[(CONTENT_TYPE, "application/json")])),
            Case::Empty404 => Ok(response(StatusCode::NOT_FOUND, "", &[])),
            Case::Text404 | Case::Advice => {
                Ok(response(StatusCode::NOT_FOUND, "Room not found", &[(CONTENT_TYPE, "text/plain")]))
            }
            Case::Json404 => Ok(json_404(r#"{"success":false,"error":"Room not found"}"#)),
            Case::ErrorObject => Ok(json_404(r#"{"error":{"code":"ROOM_NOT_FOUND","message":"Room not found"}}"#)),
            Case::Rest => Ok(json_404(concat!(r#"{"message":"Room not found","#, rest!()))),
            Case::RateLimited => Ok(response(StatusCode::TOO_MANY_REQUESTS, "", &[(RETRY_AFTER, "3")])),
            _ => Ok(response(StatusCode::OK, r#"{"ok":true}"#, &[])),
        })
    }
}

fn json_404(body: &'static str) -> Response<Full<Bytes>> {
    response(StatusCode::NOT_FOUND, body, &[(CONTENT_TYPE, "application/json")])
}

fn response(status: StatusCode, body: &'static str, headers: &[(HeaderName, &'static str)]) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
