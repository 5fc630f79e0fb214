//! Tests `observe` and `fill` in process (M1): a passed response passes at once, and `fill` returns what it has read.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy};

const TYPES: [Option<&str>; 9] = [
    None,
    Some("text/html"),
    Some("Text/HTML; charset=utf-8"),
    Some("text/plain"),
    Some("application/xhtml+xml"),
    Some("application/json"),
    Some("application/problem+json"),
    Some("image/png"),
    Some("text/css"),
];

/// An inner error.
#[derive(Clone, Debug)]
struct Error {
    media_type: Option<&'static str>,
    pieces: Vec<Vec<u8>>,
    /// The pause before each piece, and before the end.
    pause: Duration,
    trailers: bool,
    breaks: bool,
    /// True if its head states its length.
    sized: bool,
}

/// The response that a client sees.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    broken: bool,
}

impl Error {
    fn new(media_type: Option<&'static str>, pieces: &[&[u8]]) -> Self {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Self { media_type, pieces, pause: Duration::ZERO, trailers: false, breaks: false, sized: false }
    }

    fn whole(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    fn response(&self) -> Response<UnsyncBoxBody<Bytes, BoxError>> {
        let mut response = Response::builder().status(404).header("x-own", "kept").header("set-cookie", "a=1");
        if let Some(media_type) = self.media_type {
            response = response.header("content-type", media_type);
        }
        if self.sized {
            response = response.header("content-length", self.whole().len());
        }
        let mut frames: Vec<Result<Frame<Bytes>, BoxError>> =
            self.pieces.iter().map(|piece| Ok(Frame::data(Bytes::from(piece.clone())))).collect();
        if self.breaks {
            frames.push(Err("the upstream broke off".into()));
        } else if self.trailers {
            frames.push(Ok(Frame::trailers(HeaderMap::from_iter([(
                http::HeaderName::from_static("x-sum"),
                HeaderValue::from(7),
            )]))));
        }
        let pause = self.pause;
        let paced = stream::iter(frames).then(move |frame| async move {
            sleep(pause).await;
            frame
        });
        response.body(StreamBody::new(paced).boxed_unsync()).unwrap()
    }

    /// Returns true for the bodies that M1 names: empty, HTML or plain text. A body without a type is judged by its
    /// look, and JSON is JSON.
    fn is_filled(&self) -> bool {
        let whole = self.whole();
        let looks_like_json = matches!(whole.trim_ascii_start().first(), Some(b'{' | b'['))
            && serde_json::from_slice::<serde_json::Value>(&whole).is_ok();
        let of_a_text_type = || {
            let name = self.media_type.unwrap_or_default().split(';').next().unwrap_or_default().to_ascii_lowercase();
            let is_text = name.starts_with("text/") && name != "text/xml" && name != "text/event-stream";
            is_text || name == "application/xhtml+xml"
        };
        let is_text = || {
            let cut = |error: std::str::Utf8Error| self.breaks && error.error_len().is_none();
            let text = match str::from_utf8(&whole) {
                Ok(text) => text,
                Err(error) if cut(error) => str::from_utf8(&whole[..error.valid_up_to()]).unwrap(),
                Err(_) => return false,
            };
            !text.is_empty() && !text.chars().any(|it| it.is_control() && !it.is_whitespace())
        };
        match (self.media_type, self.breaks) {
            (_, false) if whole.is_empty() => true,
            (None, true) => is_text(),
            (None, false) => !looks_like_json && is_text(),
            (Some("application/octet-stream"), false) => {
                !looks_like_json && is_text() && !whole.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n')
            }
            (Some(_), true) => of_a_text_type(),
            (Some(_), false) => of_a_text_type() && !looks_like_json,
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work)
}

fn layer(mode: Mode) -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(Policy::builder().mode(mode).build().unwrap())
}

/// Sends the error without the layer, or in this mode.
async fn seen(error: &Error, mode: Option<Mode>) -> (Seen, Vec<Duration>) {
    let began = Instant::now();
    let response = error.response();
    match mode {
        None => read(response, began).await,
        Some(mode) => {
            let respond = move |_| {
                let response = error.response();
                async move { Ok::<_, Infallible>(response) }
            };
            let service = layer(mode).layer(service_fn(respond));
            read(ask(service).await, began).await
        }
    }
}

async fn ask<S, B>(service: S) -> Response<B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    let Ok(response) = service.oneshot(Request::new(Full::default())).await;
    response
}

/// Returns everything that arrives, and the times: of the head, and of each frame.
async fn read<B>(response: Response<B>, began: Instant) -> (Seen, Vec<Duration>)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut times = vec![began.elapsed()];
    let (head, mut body) = response.into_parts();
    let others = head.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let headers = others.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let mut seen = Seen { status: head.status.as_u16(), headers, body: Vec::new(), trailers: None, broken: false };
    while let Some(frame) = body.frame().await {
        times.push(began.elapsed());
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => seen.body.extend_from_slice(&data),
            Ok(Err(frame)) => seen.trailers = frame.into_trailers().ok(),
            Err(_) => {
                seen.broken = true;
                break;
            }
        }
    }
    (seen, times)
}

fn error() -> impl Strategy<Value = Error> {
    let text = prop_oneof!["[ -~]{0,12}", "<h1>[a-z]{0,5}</h1>", r#"\{"a":[0-9]{1,3}\}"#, "[{}\\[\\]\",:0-9 é\n]{0,8}"];
    let piece = prop_oneof![4 => text.prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..20)];
    let long = vec(any::<bool>(), 1).prop_map(|_| vec![b'x'; 1000]);
    let pieces = prop_oneof![8 => vec(piece, 0..4), 1 => vec(long, 1..70)];
    let pause = prop_oneof![3 => Just(0), 1 => 0..400_u64].prop_map(Duration::from_millis);
    (select(TYPES.to_vec()), pieces, pause, any::<bool>(), prop::bool::weighted(0.2), any::<bool>()).prop_map(
        |(media_type, pieces, pause, trailers, breaks, sized)| Error {
            media_type,
            pieces,
            pause,
            trailers,
            breaks,
            sized,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// The error is within the budget of bytes and time. Beyond that, only the type decides, as the test below shows.
    #[test]
    fn m1_fill_writes_what_is_empty_html_or_plain_text_and_gives_back_all_else(mut error in error()) {
        if error.whole().len() > 60_000 || error.pause * (error.pieces.len() as u32 + 2) > Duration::from_millis(900) {
            error.pause = Duration::ZERO;
            error.pieces.truncate(3);
        }
        let (bare, (filled, _)) = run(async { (seen(&error, None).await.0, seen(&error, Some(Mode::Fill)).await) });
        if error.is_filled() {
            prop_assert_eq!(filled.status, 404);
            let body: serde_json::Value = serde_json::from_slice(&filled.body).unwrap();
            prop_assert_eq!(&body["error"]["code"], "not_found");
            prop_assert!(filled.headers.contains(&("x-own".to_owned(), "kept".to_owned())));
            prop_assert!(filled.trailers.is_none() && !filled.broken);
        } else {
            prop_assert_eq!(filled, bare);
        }
    }

    /// However large, slow or broken the error is, `observe` passes each part when it arrives.
    #[test]
    fn m1_observe_gives_what_comes_when_it_comes(error in error()) {
        let bare = run(seen(&error, None));
        prop_assert_eq!(run(seen(&error, Some(Mode::Observe))), bare);
    }
}

#[test]
fn m1_fill_gives_back_what_it_could_not_read_to_its_end() {
    let large = vec![0_u8; 40_000];
    let many: Vec<&[u8]> = vec![&large; 5];
    for media_type in [None, Some("application/json"), Some("image/png")] {
        for (pieces, pause) in [(&many[..], 0), (&many[..2], 3000), (&[&b"\x00a"[..], b"\x00b"][..], 700)] {
            for (trailers, breaks, sized) in [(true, false, true), (false, true, true), (true, false, false)] {
                let pause = Duration::from_millis(pause);
                let error = Error { pause, trailers, breaks, sized, ..Error::new(media_type, pieces) };
                // A body without a type that sends nothing in time could be empty.
                let (bare, (filled, times)) =
                    run(async { (seen(&error, None).await.0, seen(&error, Some(Mode::Fill)).await) });
                assert_eq!(filled, bare, "{media_type:?} {pause:?} {trailers} {breaks} {sized}");
                assert!(times[0] <= Duration::from_secs(1), "R4: {times:?}");
            }
        }
    }
}

/// Half a character is no text, whether more of it follows or not.
#[test]
fn m1_fill_gives_back_half_a_character() {
    for breaks in [false, true] {
        let error = Error { breaks, ..Error::new(None, &[b"\xc2"]) };
        let (bare, filled) = run(async { (seen(&error, None).await.0, seen(&error, Some(Mode::Fill)).await.0) });
        assert!(!error.is_filled());
        assert_eq!(filled, bare, "{breaks}");
    }
}

#[test]
fn m1_fill_writes_a_text_that_it_could_not_read_to_its_end() {
    let large = vec![b'x'; 40_000];
    for pieces in [&[&large[..], &large][..], &[b"late"]] {
        let error = Error { pause: Duration::from_secs(3), ..Error::new(Some("text/html"), pieces) };
        let (filled, times) = run(seen(&error, Some(Mode::Fill)));
        let body: serde_json::Value = serde_json::from_slice(&filled.body).unwrap();
        assert_eq!((filled.status, &body["error"]["message"]), (404, &"Not found.".into()));
        assert!(times[0] <= Duration::from_secs(1), "R4: {times:?}");
    }
}

#[test]
fn m1_own_passes_each_error_when_it_comes() {
    for media_type in TYPES {
        let error = Error { pause: Duration::from_secs(3), trailers: true, ..Error::new(media_type, &[b"a", b"b"]) };
        assert_eq!(run(seen(&error, Some(Mode::Own))), run(seen(&error, None)));
    }
}
