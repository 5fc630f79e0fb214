//! The request headers that the layer reads, for adapters that copy the heads of their proxy.

use http::{HeaderMap, HeaderName};

use super::sent::HeaderFlags;
use crate::fields::{self, Lengths, is_same_to_cgi};
use crate::guard::method::{OVERRIDE_LENGTHS, is_override};

/// The purpose for which every policy reads a request header. Only headers that are noted in the one pass over the head
/// have a purpose here.
#[derive(Clone, Copy)]
pub(in crate::session) enum HeaderUse {
    /// A header whose presence sets these [flags](HeaderFlags), whatever its value.
    Flag(u32),
    Accept,
    ContentLength,
    ContentType,
    Expect,
    /// A header from which services commonly read keys (R1).
    Key,
    Te,
}

macro_rules! headers {
    (noted: $($length:literal $noted:literal $use:ident $(($flag:ident))?,)* looked_up: $($other_length:literal $other:literal,)*) => {
        impl HeaderUse {
            /// Returns the purpose of the header with this name. The length of the name is compared first, because most
            /// headers have none of these names.
            #[inline(always)]
            pub(in crate::session) fn of_name(name: &HeaderName) -> Option<Self> {
                match name.as_str().len() {
                    $($length if *name == const { HeaderName::from_static($noted) } => Some(Self::$use $((HeaderFlags::$flag))?),)*
                    length if MISLEADING_LENGTHS.may_have(length) => Self::misleading_header(name),
                    _ => None,
                }
            }
        }

        /// Returns true if every policy reads the request header with this lower-case name: for the route (G0), the id
        /// (I2), the guards (G1–G4), the protocol (section P) or the response (R11, G5). A policy may
        /// [read others](crate::session::record::request_record::SessionConfig::reads_any) as well.
        ///
        /// ```
        /// use error_envelope_core::session::is_read;
        ///
        /// assert!(is_read(b"content-type") && !is_read(b"user-agent"));
        /// ```
        #[must_use]
        pub fn is_read(name: &[u8]) -> bool {
            match name.len() {
                $($length if name == $noted.as_bytes() => true,)*
                $($other_length if name == $other.as_bytes() => true,)*
                length => OVERRIDE_LENGTHS.may_have(length) && str::from_utf8(name).is_ok_and(is_override),
            }
        }

        const _: () = assert!($($noted.len() == $length &&)* $($other.len() == $other_length &&)* true);
    };
}

// Headers that matter to few requests are looked up only when needed, instead of being noted for each request.
headers! {
    noted:
        2 "te" Te,
        6 "accept" Accept,
        6 "cookie" Flag(COOKIE),
        6 "expect" Expect,
        6 "apikey" Key,
        7 "upgrade" Flag(UPGRADE),
        7 "api-key" Key,
        9 "x-api-key" Key,
        11 "traceparent" Flag(TRACED),
        12 "content-type" ContentType,
        12 "x-request-id" Flag(ID),
        12 "grpc-timeout" Flag(CALL),
        12 "x-auth-token" Key,
        13 "authorization" Flag(CREDENTIALS),
        13 "private-token" Key,
        14 "content-length" ContentLength,
        14 "x-goog-api-key" Key,
        14 "x-access-token" Key,
        17 "transfer-encoding" Flag(TRANSFER_CODING),
        18 "connect-timeout-ms" Flag(CALL),
        24 "connect-protocol-version" Flag(CALL),
        25 "ocp-apim-subscription-key" Key,
    looked_up:
        4 "host",
        6 "origin",
        10 "connection",
        29 "access-control-request-method",
}

impl HeaderUse {
    /// Returns the purpose of a header that a service could confuse with another method, or with a header of the layer
    /// itself.
    #[inline(never)]
    fn misleading_header(name: &HeaderName) -> Option<Self> {
        // This is a separate function because it is rarely called. The length rules out most names.
        match name.as_str() {
            name if is_override(name) => Some(Self::Flag(HeaderFlags::METHOD)),
            name if !is_removed(name) => None,
            // If the request also has a `content-type`, the look-alike is treated as a second `content-type` (G3).
            // Otherwise it is ignored.
            name if is_same_to_cgi(name, TYPE) => Some(Self::Flag(HeaderFlags::LOOK_ALIKE | HeaderFlags::TWO_TYPES)),
            _ => Some(Self::Flag(HeaderFlags::LOOK_ALIKE)),
        }
    }
}

/// Returns true if every policy removes the request header with this lower-case name. A service that works like CGI
/// would confuse such a header with the request's `x-request-id` (E3), its content type or its framing (G1), or with
/// the path itself. For example, gunicorn trusts `script_name` and `path_info` from a proxy on the same machine, which
/// would bypass the guards (G0). If a head has a header for which this function returns true, an adapter that
/// [copies](is_read) only some lines must copy the whole head.
///
/// ```
/// use error_envelope_core::session::is_removed;
///
/// assert!(is_removed("x_request_id") && is_removed("script_name") && !is_removed("x-request-id"));
/// ```
#[must_use]
#[inline]
pub fn is_removed(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    REMOVED_LENGTHS.may_have(name.len()) && str::from_utf8(name).is_ok_and(is_misread)
}

/// Keeps only those trailers of a request that confirm that the body is whole (R6).
///
/// Trailers arrive after every guard has run, and some services read them as headers. A credential, a length or a
/// header that the policy requires would therefore bypass the guards in a trailer. RFC 9110 §6.5.1 lets a recipient
/// discard trailers.
///
/// ```
/// use error_envelope_core::session::keep_checksums;
/// use http::{HeaderMap, HeaderName, HeaderValue};
///
/// let line = |name| (HeaderName::from_static(name), HeaderValue::from_static("1"));
/// let mut trailers = HeaderMap::from_iter([line("content-digest"), line("authorization")]);
/// keep_checksums(&mut trailers);
/// assert!(trailers.len() == 1 && trailers.contains_key("content-digest"));
/// ```
pub fn keep_checksums(trailers: &mut HeaderMap) {
    let removed: Vec<_> = trailers.keys().filter(|name| !fields::is_checksum(name.as_str())).cloned().collect();
    removed.into_iter().for_each(|name| drop(trailers.remove(name)));
}

fn is_misread(name: &str) -> bool {
    PATHS.contains(&name) || ONCE.iter().any(|once| name != *once && is_same_to_cgi(name, once))
}

const TYPE: &str = "content-type";

/// Headers that a service must not receive under a second name.
const ONCE: [&str; 4] = [TYPE, "x-request-id", "content-length", "transfer-encoding"];

/// Headers that gunicorn and Daphne take for parts of the path.
const PATHS: [&str; 3] = ["script_name", "path_info", "daphne-root-path"];

const REMOVED_LENGTHS: Lengths = Lengths::from_names(&ONCE).or(Lengths::from_names(&PATHS));

const MISLEADING_LENGTHS: Lengths = REMOVED_LENGTHS.or(OVERRIDE_LENGTHS);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, request};
    use proptest::prelude::*;

    use super::super::state::Phase;
    use super::is_read;
    use crate::guard::auth::{AuthScheme, Key};
    use crate::policy::{Mode, Policy, Preflight, RouteRule, Scope, Trust};
    use crate::request_id::RequestId;
    use crate::session::response::responding::ResponseHead;
    use crate::session::{BodyFacts, RequestStep, ResponseStep, Session, SessionConfig};

    const MODES: [Mode; 5] = [Mode::Off, Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce];

    /// Returns a config whose policy names no headers.
    fn config(mode: Mode) -> Arc<SessionConfig> {
        let bearer = AuthScheme::bearer().key(Key::of_secret("app", "app key"));
        let scope = Scope::new().host("scoped.example").body_limit(3);
        let policy = Policy::builder()
            .mode(mode)
            .trust(Trust::Valid)
            .body_limit(10)
            .json(true)
            .scheme("api", bearer)
            .route(RouteRule::new("/in").auth(["api"]))
            .route(RouteRule::new("DELETE /kept").auth(["api"]))
            .route(RouteRule::new("/flown").preflight(Preflight::Guard).auth(["api"]))
            .route(RouteRule::new("/watched").mode(Mode::Observe).auth(["api"]))
            .scope(scope);
        Arc::new(SessionConfig::new(policy.build().unwrap(), || SystemTime::UNIX_EPOCH))
    }

    fn id() -> RequestId {
        RequestId::from_parts(1, 2)
    }

    const NAMES: [&str; 30] = [
        "api-key",
        "x-access-token",
        "x-http-method-override",
        "x_http_method",
        "te",
        "host",
        "accept",
        "expect",
        "origin",
        "upgrade",
        "x-api-key",
        "connection",
        "content-type",
        "x-request-id",
        "grpc-timeout",
        "authorization",
        "content-length",
        "transfer-encoding",
        "connect-timeout-ms",
        "connect-protocol-version",
        "access-control-request-method",
        "user-agent",
        "cookie",
        "accept-encoding",
        "content-encoding",
        "cache-control",
        "traceparent",
        "tracestate",
        "grpc-encoding",
        "x-forwarded-for",
    ];

    const VALUES: [&str; 19] = [
        "",
        "1",
        "11",
        "*/*",
        "application/json",
        "application/problem+json",
        "application/grpc",
        "application/grpc-web-text",
        "application/connect+json",
        "text/html",
        "trailers",
        "100-continue",
        "upgrade",
        "Bearer app key",
        "scoped.example",
        "a:80:80",
        "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
        "1m",
        "delete",
    ];

    fn lines() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
        let line = (prop::sample::select(NAMES.to_vec()), prop::sample::select(VALUES.to_vec()));
        prop::collection::vec(line, 0..6)
    }

    fn heads() -> impl Strategy<Value = request::Parts> {
        let targets = [
            "/",
            "/in",
            "/kept",
            "/flown",
            "/watched",
            "/a/../in",
            "/a.B/C?connect=v1&message=x",
            "http://scoped.example/",
        ];
        let methods = [Method::GET, Method::POST, Method::OPTIONS, Method::HEAD, Method::CONNECT];
        let versions = [Version::HTTP_11, Version::HTTP_2];
        (
            prop::sample::select(targets.to_vec()),
            prop::sample::select(methods.to_vec()),
            prop::sample::select(versions.to_vec()),
            lines(),
        )
            .prop_map(|(target, method, version, lines)| {
                let mut head =
                    Request::builder().uri(target).method(method).version(version).body(()).unwrap().into_parts().0;
                head.headers = lines
                    .into_iter()
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .collect();
                head
            })
    }

    fn bodies() -> impl Strategy<Value = BodyFacts> {
        prop::sample::select(vec![
            BodyFacts { ended: true, lower: 0, upper: Some(0) },
            BodyFacts::default(),
            BodyFacts { ended: false, lower: 11, upper: Some(11) },
        ])
    }

    fn modes() -> impl Strategy<Value = Mode> {
        prop::sample::select(MODES.to_vec())
    }

    fn copy_of(head: &request::Parts) -> request::Parts {
        let mut copy = head.clone();
        let read = head.headers.iter().filter(|(name, _)| is_read(name.as_str().as_bytes()));
        copy.headers = read.map(|(name, value)| (name.clone(), value.clone())).collect();
        copy
    }

    #[test]
    fn what_is_removed_or_names_a_method_is_noticed_in_the_one_pass_over_a_head() {
        let routes = Policy::builder().route(RouteRule::new("DELETE /x").body_limit(1)).build().unwrap();
        let config = Arc::new(SessionConfig::new(routes, || SystemTime::UNIX_EPOCH));
        for name in [
            "x_request_id",
            "script_name",
            "path_info",
            "daphne-root-path",
            "content_type",
            "content.type",
            "content_length",
            "transfer_encoding",
        ] {
            let mut head = Request::builder().uri("/x").header(name, "1").body(()).unwrap().into_parts().0;
            assert!(super::is_removed(name));
            let (_, step) = Session::begin(config.clone(), &mut head, BodyFacts::default(), id);
            assert!(matches!(step, RequestStep::Forward(..)));
            assert!(!head.headers.contains_key(name), "{name}");
        }
        for name in ["x-http-method-override", "x-http-method", "x_method.override"] {
            let request =
                Request::builder().method("POST").uri("/x").header("content-length", "2").header(name, "delete");
            let mut head = request.body(()).unwrap().into_parts().0;
            assert!(is_read(name.as_bytes()));
            let body = BodyFacts { ended: false, lower: 2, upper: Some(2) };
            let (_, step) = Session::begin(config.clone(), &mut head, body, id);
            assert!(matches!(step, RequestStep::Send(_)), "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_copy_of_what_is_read_is_admitted_as_the_whole_head_is(head in heads(), body in bodies(), mode in modes()) {
            let config = config(mode);
            prop_assert!(!config.reads_any());
            let (mut whole, mut copy) = (head.clone(), copy_of(&head));
            let sent = copy.headers.clone();
            let begun = Session::begin(config.clone(), &mut whole, body, id);
            let of_copy = Session::begin_copy(config, &mut copy, body, id);
            prop_assert_eq!(format!("{begun:?}"), format!("{of_copy:?}"));
            prop_assert_eq!(copy.headers, sent);
            if let (session, RequestStep::Forward(..)) = of_copy {
                let mut expected = head.headers;
                expected.insert("x-request-id", session.id_header().unwrap().clone());
                prop_assert_eq!(whole.headers, expected);
            }
        }

        #[test]
        fn a_response_that_passes_unparsed_would_have_passed_with_its_id(
            head in heads(),
            body in bodies(),
            mode in modes(),
            status in prop_oneof![prop::sample::select(vec![101_u16, 200, 204, 205, 206, 304, 400]), 100..600_u16],
            lines in lines(),
        ) {
            let begin = || Session::begin(config(mode), &mut head.clone(), body, id).0;
            let (mut session, mut unread) = (begin(), begin());
            let Phase::Called(state) = &mut session.phase else { return Ok(()) };
            let mut response = Response::builder().status(status).body(()).unwrap().into_parts().0;
            for (name, value) in lines.into_iter().filter(|(name, _)| *name != "x-request-id") {
                response.headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            if !unread.passes_unparsed(StatusCode::from_u16(status).unwrap()) {
                return Ok(());
            }
            let mut expected = response.headers.clone();
            expected.insert("x-request-id", unread.id_header().unwrap().clone());
            state.service = Some(crate::session::ServiceAnswer::new(response.status));
            let ResponseStep::Pass(follow) = ResponseHead { state }.decide(&mut response, || body) else {
                return Err(TestCaseError::fail("it does not pass"));
            };
            prop_assert_eq!(format!("{:?}", Some(follow)), format!("{:?}", unread.finish_unparsed(response.status)));
            prop_assert_eq!((response.status.as_u16(), response.headers), (status, expected));
        }
    }
}
