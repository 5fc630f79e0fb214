//! Tests that an observer sees each error once (L1), sees bodies only if the policy allows it (L3), and can turn
//! everything off (M1).

use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use error_envelope_runtime::SwitchNote;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::middleware::KillSwitch;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::session::{CapturedBody, ClosedRecord, Observer};
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use crate::kit::{Answer, answer, logged};

const BODY: &str = r#"{"message":"Seat 7 is taken"}"#;

/// What was seen, as texts.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn on_record(&self, record: &ClosedRecord) {
        let code = record.code().or_else(|| record.would_be()?.code.as_ref()).map_or("none", |code| code.as_str());
        let side = |shown: Option<&CapturedBody>| match shown {
            Some(shown) => {
                let kind = shown.content_type.as_deref().unwrap_or("untyped");
                format!("{} {kind} {}", shown.status.as_u16(), String::from_utf8_lossy(&shown.body))
            }
            None => "nothing".to_owned(),
        };
        let captured =
            record.captured().map(|it| format!(": {} -> {}", side(it.before.as_ref()), side(it.after.as_ref())));
        let line = format!(
            "{} {code}{}",
            record.origin().map_or("none", |origin| origin.as_str()),
            captured.unwrap_or_default()
        );
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn l1_an_observer_sees_each_error_once_and_no_body() {
    let seen = Arc::new(Seen::default());
    let layer = ErrorEnvelopeLayer::new().observer(seen.clone()).policy(routes(false));
    let (_, lines) = logged(async {
        for path in ["/enforced", "/observed", "/closed"] {
            ask(&layer, path).await;
        }
    });
    assert_eq!(*seen.0.lock().unwrap(), ["inner conflict", "inner conflict", "guard auth_missing"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn l3_bodies_are_shown_where_the_policy_says_so_and_are_in_no_log() {
    let seen = Arc::new(Seen::default());
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    let (answers, lines) = logged(async {
        [ask(&layer, "/enforced").await, ask(&layer, "/observed").await, ask(&layer, "/closed").await]
    });
    let seen = seen.0.lock().unwrap();
    let [enforced, observed, closed] = answers.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap());
    let before = format!("409 application/json {BODY}");
    assert_eq!(seen[0], format!("inner conflict: {before} -> 409 application/json {enforced}"));
    assert_eq!(observed, BODY);
    let would_be = seen[1].strip_prefix(&format!("inner conflict: {before} -> 409 application/json ")).unwrap();
    assert_eq!(blank(would_be), blank(&enforced), "what enforce would have said");
    assert_eq!(seen[2], format!("guard auth_missing: nothing -> 401 application/json {closed}"));
    assert!(lines.iter().all(|line| !line.text.contains("Seat")), "{lines:?}");
}

#[test]
fn l1_an_event_with_bodies_has_its_other_fields_too() {
    struct Fields(Mutex<Vec<String>>);
    impl Observer for Fields {
        fn on_record(&self, record: &ClosedRecord) {
            let notes = record.notes();
            let fields = [notes.client_request_id.as_deref(), notes.trace_id(), notes.dropped_fields.as_deref()]
                .map(Option::unwrap_or_default);
            self.0.lock().unwrap().push(format!("{} {}", fields.join(" "), record.captured().is_some()));
        }
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let seen = Arc::new(Fields(Mutex::default()));
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    let (_, _) = logged(async {
        for path in ["/enforced", "/observed", "/closed"] {
            let mut request = request(path);
            let headers = request.headers_mut();
            headers.insert("x-request-id", HeaderValue::from_static("theirs"));
            headers.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
            let body = Bytes::from_static(br#"{"message":"Seat 7 is taken","seat":7}"#);
            answer(layer.layer(inner(body)).oneshot(request).await.unwrap()).await;
        }
    });
    let fields = |dropped: &str| format!("theirs {TRACE} {dropped} true");
    assert_eq!(*seen.0.lock().unwrap(), [fields("seat"), fields("seat"), fields("")]);
}

#[test]
fn l3_a_large_body_is_shown_in_part_and_never_in_debug() {
    struct Whole(Mutex<Vec<(usize, bool, String)>>);
    impl Observer for Whole {
        fn on_record(&self, record: &ClosedRecord) {
            let before = record.captured().unwrap().before.as_ref().unwrap();
            self.0.lock().unwrap().push((before.body.len(), before.is_whole, format!("{record:?}")));
        }
    }
    let seen = Arc::new(Whole(Mutex::default()));
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    logged(ask_for(&layer, "/enforced", "Seat ".repeat(2000).into()));
    let (length, whole, debug) = seen.0.lock().unwrap().remove(0);
    assert_eq!((length, whole), (8192, false));
    assert!(!debug.contains("Seat"), "{debug}");
}

#[test]
fn l3_bodies_that_enforce_would_not_rewrite_are_shown_too() {
    const RPC: &str = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Seat 7 is taken"}}"#;
    let seen = Arc::new(Seen::default());
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    logged(ask_for(&layer, "/observed", RPC.into()));
    logged(ask(&layer, "/guarded"));
    let seen = seen.0.lock().unwrap();
    let [protocol, body] = [RPC, BODY].map(|body| format!("409 application/json {body}"));
    assert_eq!(seen[0], format!("inner conflict: {protocol} -> {protocol}"));
    assert_eq!(seen[1], format!("inner bad_request: {body} -> nothing"), "enforce would have refused the request");
}

#[test]
fn m1_the_body_that_observe_predicts_is_the_one_that_enforce_sends() {
    const PROBLEM: &str =
        r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"Seat 7 is taken","seat":"A3"}"#;
    let shown = ["enforce", "observe"].map(|mode| {
        let policy =
            format!("version = 1\n[defaults]\nmode = \"{mode}\"\ndialect = \"openai\"\n[observe]\nbodies = true\n");
        let seen = Arc::new(Seen::default());
        let layer = ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", &policy).unwrap());
        logged(ask_for(&layer.observer(seen.clone()), "/", PROBLEM.into()));
        let mut seen = seen.0.lock().unwrap();
        seen.remove(0)
    });
    assert_eq!(shown[1], shown[0]);
    assert!(shown[0].contains(r#""seat":"A3"}"#) && shown[0].contains("invalid_request_error"), "{}", shown[0]);
}

#[test]
fn e5_a_head_that_keeps_its_shape_in_enforce_is_no_rewrite_in_observe() {
    const KEPT: &str = "application/graphql-response+json";
    let seen = Arc::new(Seen::default());
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    let service = layer.layer(service_fn(|_: Request<tower_error_envelope::middleware::RequestBody<Full<Bytes>>>| {
        let head = Response::builder().status(404).header("content-type", KEPT).header("content-length", "44");
        ready(Ok::<_, Infallible>(head.body(Full::<Bytes>::default()).unwrap()))
    }));
    let mut request = request("/observed");
    *request.method_mut() = http::Method::HEAD;
    logged(service.oneshot(request)).0.unwrap();
    assert_eq!(*seen.0.lock().unwrap(), [format!("inner not_found: 404 {KEPT}  -> 404 {KEPT} ")]);
}

#[test]
fn l3_the_body_of_a_response_to_head_is_whole() {
    struct Whole(Mutex<Vec<bool>>);
    impl Observer for Whole {
        fn on_record(&self, record: &ClosedRecord) {
            let captured = record.captured().unwrap();
            let sides = [&captured.before, &captured.after].into_iter().flatten();
            self.0.lock().unwrap().extend(sides.map(|side| side.is_whole && side.body.is_empty()));
        }
    }
    let seen = Arc::new(Whole(Mutex::default()));
    let layer = ErrorEnvelopeLayer::new().policy(routes(true)).observer(seen.clone());
    for path in ["/enforced", "/observed"] {
        let mut request = request(path);
        *request.method_mut() = http::Method::HEAD;
        logged(layer.layer(inner(Bytes::new())).oneshot(request)).0.unwrap();
    }
    assert_eq!(*seen.0.lock().unwrap(), [true; 4]);
}

#[test]
fn f2_an_observer_that_panics_takes_no_answer_away() {
    struct Rude;
    impl Observer for Rude {
        fn on_record(&self, _: &ClosedRecord) {
            panic!("I saw that");
        }
    }
    let layer = ErrorEnvelopeLayer::new().observer(Rude);
    let (answered, lines) = logged(ask(&layer, "/enforced"));
    assert_eq!(answered.head.status, 409);
    assert!(lines.iter().any(|line| line.text.contains("the observer panicked")), "{lines:?}");
}

#[test]
fn m1_a_kill_switch_puts_every_route_to_off_but_skips_no_authentication() {
    let switch = KillSwitch::new();
    let layer = ErrorEnvelopeLayer::new().policy(routes(false)).kill_switch(switch.clone());
    let service = layer.layer(inner(Bytes::from_static(BODY.as_bytes())));
    let ((), lines) = logged(async {
        let ask = async |path| answer(service.clone().oneshot(request(path)).await.unwrap()).await;
        assert_ne!(ask("/enforced").await.body, BODY);
        assert!(
            switch.set(true, SwitchNote::new().by("maria").reason("lost texts")) && !switch.turn_on() && switch.is_on()
        );
        for _ in 0..2 {
            let passed = ask("/enforced").await;
            assert_eq!(passed.body, BODY);
            assert!(passed.head.headers.contains_key("x-request-id"));
            assert!(!passed.head.headers.contains_key("x-error-code"));
        }
        assert_eq!(ask("/closed").await.head.status, 401, "G2 holds in every mode");
        assert!(switch.turn_off() && !switch.turn_off());
        assert_ne!(ask("/enforced").await.body, BODY);
    });
    let count_of = |text: &str| lines.iter().filter(|line| line.level == "WARN" && line.text.contains(text)).count();
    assert_eq!((count_of("every route is in mode off"), count_of("modes apply again")), (1, 1), "{lines:?}");
    assert_eq!((count_of("by=\"maria\""), count_of("reason=\"lost texts\"")), (1, 1), "{lines:?}");
}

fn routes(bodies: bool) -> Policy {
    Policy::builder()
        .observe_bodies(bodies)
        .header("tenant", RequiredHeader::new("x-tenant"))
        .scheme("key", AuthScheme::header("x-api-key").key(Key::of_secret("demo", "k-1")))
        .route(RouteRule::new("/observed").mode(Mode::Observe))
        .route(RouteRule::new("/guarded").mode(Mode::Observe).require_headers(["tenant"]))
        .route(RouteRule::new("/closed").auth(["key"]))
        .build()
        .unwrap()
}

async fn ask(layer: &ErrorEnvelopeLayer, path: &str) -> Answer {
    ask_for(layer, path, Bytes::from_static(BODY.as_bytes())).await
}

fn ask_for(layer: &ErrorEnvelopeLayer, path: &str, error_body: Bytes) -> impl Future<Output = Answer> + use<> {
    let pending = layer.layer(inner(error_body)).oneshot(request(path));
    async { answer(pending.await.unwrap()).await }
}

fn request(path: &str) -> Request<Full<Bytes>> {
    Request::get(path).body(Full::default()).unwrap()
}

fn inner(
    error_body: Bytes,
) -> impl Service<
    Request<tower_error_envelope::middleware::RequestBody<Full<Bytes>>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone {
    service_fn(move |_| {
        let response = Response::builder().status(409).header("content-type", "application/json");
        ready(Ok(response.body(Full::new(error_body.clone())).unwrap()))
    })
}

/// Returns the body without the id.
fn blank(body: &str) -> String {
    let at = body.find("req_").unwrap();
    format!("{}{}", &body[..at], &body[at + 30..])
}
