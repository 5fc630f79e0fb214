//! The RPC protocol of a request (section P), and the facts about the call in the request's head.
//!
//! gRPC and gRPC-Web are recognised by their media types. Connect is recognised by its media type or by
//! `connect-protocol-version: 1`. A GET of Connect need not have that header, and is then recognised by `connect=v1` in
//! the query.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri};

const CONNECT_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const CONNECT_CONTENT_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const CONNECT_TIMEOUT_MS: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// The protocol of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rpc {
    /// gRPC (P1).
    Grpc(Codec),
    /// gRPC-Web with binary bodies (P2).
    Web(Codec),
    /// gRPC-Web with base64 bodies (P2).
    WebText(Codec),
    /// Connect with one message in each direction (P3). Each message is a whole body.
    ConnectUnary,
    /// Connect with streams of messages, each of which has a prefix (P3).
    ConnectStream(Codec),
}

/// The encoding of messages that the media type names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Unspecified,
    Proto,
    Json,
}

/// A call, as the head of its request describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub rpc: Rpc,
    /// The time that the client waits for the whole call, or `None` if the client sent no well-formed timeout.
    pub timeout: Option<Duration>,
}

/// The headers that describe a call, collected from a request.
#[derive(Default)]
pub struct CallHeaders<'h> {
    rpc: Option<Rpc>,
    connect: bool,
    grpc_timeout: Option<&'h HeaderValue>,
    connect_timeout: Option<&'h HeaderValue>,
}

impl<'h> CallHeaders<'h> {
    /// Collects the headers from a request's head.
    pub fn scan(headers: &'h HeaderMap) -> Self {
        let mut call = Self::default();
        headers.iter().for_each(|(name, value)| call.note(name, value));
        call
    }

    /// Collects the headers of a request whose only header of a call is this content type.
    #[inline]
    pub fn of_type(value: &HeaderValue) -> Self {
        Self { rpc: Rpc::of_media_type(value.as_bytes()), ..Self::default() }
    }

    fn note(&mut self, name: &HeaderName, value: &'h HeaderValue) {
        if *name == CONTENT_TYPE {
            self.rpc = self.rpc.or_else(|| Rpc::of_media_type(value.as_bytes()));
        } else if *name == CONNECT_PROTOCOL_VERSION {
            self.connect |= value == "1";
        } else if *name == GRPC_TIMEOUT {
            self.grpc_timeout = self.grpc_timeout.or(Some(value));
        } else if *name == CONNECT_TIMEOUT_MS {
            self.connect_timeout = self.connect_timeout.or(Some(value));
        }
    }

    /// Returns the call that the request makes, or `None` if it is plain HTTP.
    #[inline]
    pub fn call(self, method: &Method, uri: &Uri) -> Option<Call> {
        // A HEAD request is treated as a GET (E5).
        let is_get = || matches!(*method, Method::GET | Method::HEAD);
        let connect = self.connect || self.rpc.is_none() && is_get() && is_connect_get(uri);
        let rpc = self.rpc.or(connect.then_some(Rpc::ConnectUnary))?;
        let timeout = if rpc.is_grpc() {
            self.grpc_timeout.and_then(parse_grpc_timeout)
        } else {
            self.connect_timeout.and_then(|value| digits(value.as_bytes(), 10)).map(Duration::from_millis)
        };
        Some(Call { rpc, timeout })
    }
}

impl Rpc {
    /// Returns the protocol of a body with this media type.
    pub fn of_media_type(value: &[u8]) -> Option<Self> {
        // Nearly every client and server of gRPC sends this media type.
        if value == b"application/grpc" {
            return Some(Self::Grpc(Codec::Unspecified));
        }
        if !Self::may_be_in(value) {
            return None;
        }
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let subtype = rest_after(value[..end].trim_ascii(), b"application/")?;
        if let Some(codec) = rest_after(subtype, b"connect+") {
            return Some(Self::ConnectStream(Codec::by_name(codec)));
        }
        let rest = rest_after(subtype, b"grpc")?;
        let (rpc, rest): (fn(Codec) -> Self, _) = match (rest_after(rest, b"-web-text"), rest_after(rest, b"-web")) {
            (Some(rest), _) => (Self::WebText, rest),
            (None, Some(rest)) => (Self::Web, rest),
            (None, None) => (Self::Grpc, rest),
        };
        match rest {
            [] => Some(rpc(Codec::Unspecified)),
            [b'+', codec @ ..] => Some(rpc(Codec::by_name(codec))),
            _ => None,
        }
    }

    /// Returns true if this media type may be a type of a call. The check only looks at the byte after the slash. White
    /// space may precede the type.
    #[inline]
    pub fn may_be_in(value: &[u8]) -> bool {
        matches!(value.get(b"application/".len()), Some(b'c' | b'C' | b'g' | b'G'))
            || value.first().is_some_and(u8::is_ascii_whitespace)
    }

    /// Returns the media type of an error in this protocol.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Grpc(Codec::Unspecified) => "application/grpc",
            Self::Grpc(Codec::Proto) => "application/grpc+proto",
            Self::Grpc(Codec::Json) => "application/grpc+json",
            Self::Web(Codec::Unspecified) => "application/grpc-web",
            Self::Web(Codec::Proto) => "application/grpc-web+proto",
            Self::Web(Codec::Json) => "application/grpc-web+json",
            Self::WebText(Codec::Unspecified) => "application/grpc-web-text",
            Self::WebText(Codec::Proto) => "application/grpc-web-text+proto",
            Self::WebText(Codec::Json) => "application/grpc-web-text+json",
            Self::ConnectUnary => "application/json",
            Self::ConnectStream(Codec::Json) => "application/connect+json",
            Self::ConnectStream(Codec::Proto | Codec::Unspecified) => "application/connect+proto",
        }
    }

    /// Returns true if the body is a sequence of messages, each after its length.
    pub const fn is_framed(self) -> bool {
        !matches!(self, Self::ConnectUnary)
    }

    /// Returns true if the body is written in base64.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::WebText(_))
    }

    /// Returns the header that names the compression of the messages.
    pub const fn encoding_header(self) -> HeaderName {
        if self.is_grpc() { GRPC_ENCODING } else { CONNECT_CONTENT_ENCODING }
    }

    /// Returns true if errors are reported by `grpc-status`, with the HTTP status 200.
    pub const fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc(_) | Self::Web(_) | Self::WebText(_))
    }

    /// Returns the form of a response, if its media type belongs to the protocol of the request. The encoding of the
    /// messages may differ. A request of gRPC-Web in base64 may get a binary response, because its `accept` may have
    /// requested a binary response.
    pub fn answered_by(self, content_type: Option<&HeaderValue>) -> Option<Self> {
        let theirs = Self::of_media_type(content_type?.as_bytes())?;
        let is_one = match self {
            Self::Grpc(_) => matches!(theirs, Self::Grpc(_)),
            Self::Web(_) | Self::WebText(_) => matches!(theirs, Self::Web(_) | Self::WebText(_)),
            Self::ConnectStream(_) => matches!(theirs, Self::ConnectStream(_)),
            Self::ConnectUnary => false,
        };
        is_one.then_some(theirs)
    }
}

impl Codec {
    fn by_name(name: &[u8]) -> Self {
        if name.eq_ignore_ascii_case(b"proto") {
            Self::Proto
        } else if name.eq_ignore_ascii_case(b"json") {
            Self::Json
        } else {
            Self::Unspecified
        }
    }
}

/// Returns true if a GET is a call of Connect. The message of such a call is in the query, and no header names the
/// protocol.
#[inline]
fn is_connect_get(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "connect=v1"))
}

fn rest_after<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// Parses a timeout, which is at most eight digits and a unit (`TimeoutValue TimeoutUnit` in gRPC over HTTP/2).
fn parse_grpc_timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, value) = value.as_bytes().split_last()?;
    let value = digits(value, 8)?;
    match unit {
        b'H' => Some(Duration::from_secs(value * 60 * 60)),
        b'M' => Some(Duration::from_secs(value * 60)),
        b'S' => Some(Duration::from_secs(value)),
        b'm' => Some(Duration::from_millis(value)),
        b'u' => Some(Duration::from_micros(value)),
        b'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

fn digits(value: &[u8], most: usize) -> Option<u64> {
    if value.is_empty() || value.len() > most || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn call<B>(request: &Request<B>) -> Option<Call> {
        let mut headers = CallHeaders::default();
        request.headers().iter().for_each(|(name, value)| headers.note(name, value));
        headers.call(request.method(), request.uri())
    }

    fn of(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Rpc> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        call(&request.body(()).unwrap()).map(|call| call.rpc)
    }

    #[test]
    fn p1_p2_p3_a_call_is_known_by_its_media_type() {
        for (media_type, rpc) in [
            ("application/grpc", Some(Rpc::Grpc(Codec::Unspecified))),
            ("Application/GRPC+Proto", Some(Rpc::Grpc(Codec::Proto))),
            ("application/grpc+json; charset=utf-8", Some(Rpc::Grpc(Codec::Json))),
            ("application/grpc+thrift", Some(Rpc::Grpc(Codec::Unspecified))),
            ("application/grpc-web", Some(Rpc::Web(Codec::Unspecified))),
            ("application/grpc-web+proto", Some(Rpc::Web(Codec::Proto))),
            ("application/grpc-web-text ;a=b", Some(Rpc::WebText(Codec::Unspecified))),
            ("application/grpc-web-text+proto", Some(Rpc::WebText(Codec::Proto))),
            ("application/connect+json", Some(Rpc::ConnectStream(Codec::Json))),
            ("application/grpcx", None),
            ("application/grpc-webx", None),
            ("application/grpc-websocket", None),
            ("application/connect", None),
            ("text/grpc", None),
            ("application/", None),
            ("", None),
        ] {
            assert_eq!(of("POST", "/a.B/C", &[("content-type", media_type)]), rpc, "{media_type}");
        }
    }

    #[test]
    fn p3_a_connect_call_is_known_by_its_version_or_its_query() {
        let version = ("connect-protocol-version", "1");
        let unary = Some(Rpc::ConnectUnary);
        assert_eq!(of("POST", "/", &[("content-type", "application/json"), version]), unary);
        assert_eq!(of("POST", "/", &[version, ("content-type", "application/proto")]), unary);
        assert_eq!(of("GET", "/a.B/C?connect=v1&encoding=json&message=%7B%7D", &[]), unary);
        assert_eq!(of("GET", "/a.B/C?message=x&connect=v1", &[]), unary);
        assert_eq!(of("HEAD", "/a.B/C?message=x&connect=v1", &[]), unary);
        assert_eq!(
            of("POST", "/", &[version, ("content-type", "application/grpc")]),
            Some(Rpc::Grpc(Codec::Unspecified))
        );
        for (method, uri, headers) in [
            ("POST", "/?connect=v1", &[][..]),
            ("GET", "/?connect=v12", &[]),
            ("GET", "/?xconnect=v1", &[]),
            ("GET", "/", &[]),
            ("POST", "/", &[("connect-protocol-version", "2")]),
            ("POST", "/", &[("content-type", "application/proto")]),
        ] {
            assert_eq!(of(method, uri, headers), None, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn p1_p3_a_time_out_has_the_protocols_form() {
        let timeout = |media_type, name, value| {
            let request = Request::post("/").header(CONTENT_TYPE, media_type).header(name, value);
            call(&request.body(()).unwrap()).unwrap().timeout
        };
        let grpc = |value| timeout("application/grpc-web+proto", "grpc-timeout", value);
        assert_eq!(grpc("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(grpc("2M"), Some(Duration::from_secs(120)));
        assert_eq!(grpc("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(grpc("250m"), Some(Duration::from_millis(250)));
        assert_eq!(grpc("7u"), Some(Duration::from_micros(7)));
        assert_eq!(grpc("0n"), Some(Duration::ZERO));
        for bad in ["", "S", "100000000S", "-1S", "1", "1s", "1.5S", "+1S", " 1S"] {
            assert_eq!(grpc(bad), None, "{bad}");
        }
        let connect = |value| timeout("application/connect+json", "connect-timeout-ms", value);
        assert_eq!(connect("1500"), Some(Duration::from_millis(1500)));
        assert_eq!(connect("12345678901"), None);
        assert_eq!(timeout("application/connect+json", "grpc-timeout", "1S"), None);
    }
}
