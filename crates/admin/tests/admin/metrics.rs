//! Tests the counts in the format that Prometheus reads.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use tokio_stream::StreamExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::policy::Scope;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use crate::kit::{ask, recording, through};

type Said = Response<BoxBody<Bytes, std::io::Error>>;

const REQUESTS: usize = 100_000;

/// Returns each series without its value.
fn series(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect()
}

fn total(text: &str, name: &str) -> f64 {
    let of = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    text.lines().filter(of).map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[tokio::test]
async fn l2_100_000_paths_hosts_and_codes_add_no_series() {
    let (_recording, handle) = recording();
    let scope = Scope::new().host("*.example.com").route(RouteRule::new("/in/{id}").mode(Mode::Observe));
    let policy = Policy::builder().scope(scope).route(RouteRule::new("GET /a/{id}/{*rest}")).build().unwrap();
    let service = ErrorEnvelopeLayer::new().policy(policy).layer(service_fn(|request: Request<_>| async move {
        let path = request.uri().path();
        // The service itself uses the layer, and returns a different code each time.
        let code = path.bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>();
        let envelope = format!(
            r#"{{"error":{{"code":"c{code}","message":"{path}"}},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}}"#
        );
        let (status, body) = if path.contains('7') { (500, path.to_owned()) } else { (404, envelope) };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
    }));
    let send = async |n: usize| {
        let path = match n % 4 {
            0 => format!("/a/{n}/x{}", n * 31),
            1 => format!("/in/{n}"),
            2 => format!("/{n}/../in/%41{n}?q={n}"),
            _ => format!("/nowhere/{n}"),
        };
        let host = if n.is_multiple_of(2) { format!("h{n}.example.com") } else { format!("h{n}.test") };
        let request = Request::get(path).header("host", host).body(Full::<Bytes>::default()).unwrap();
        service.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    };
    // These requests cover each kind of path and host, with each of the statuses.
    for n in 0..200 {
        send(n).await;
    }
    let before = handle.render();
    for n in 200..REQUESTS {
        send(n).await;
    }
    let after = handle.render();
    assert_eq!(series(&after), series(&before));
    assert_eq!(total(&after, "error_envelope_errors_total"), REQUESTS as f64);
    assert!(after.contains(r#"code="foreign",status="404""#), "{after}");
    // The series include two histograms for each route and class.
    assert!((4..300).contains(&series(&after).len()), "{after}");
}

/// Returns a response for each of the reasons why an error's body is not read to its end.
fn hard_to_read(path: &str) -> Said {
    let response = Response::builder().status(500).header("content-type", "application/json");
    let chunks = |pause: Duration, end: Option<std::io::Error>, number: usize| {
        let data = (0..number).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1024]))));
        let frames = tokio_stream::iter(Iterator::chain(data, end.map(Err)).collect::<Vec<_>>());
        StreamBody::new(frames.throttle(pause)).boxed()
    };
    let whole = |length: usize| Full::new(Bytes::from(vec![b'x'; length])).map_err(|never| match never {}).boxed();
    let body = match path {
        "/long-by-length" => whole(100 * 1024),
        "/long-by-chunks" => chunks(Duration::from_millis(1), None, 100),
        "/late" => chunks(Duration::from_secs(1), None, 3),
        "/breaks-off" => chunks(Duration::from_millis(1), Some(std::io::ErrorKind::ConnectionReset.into()), 1),
        "/slow" => chunks(Duration::from_millis(200), None, 3),
        _ => whole(10),
    };
    response.body(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn r4_what_is_not_read_is_counted_by_reason_and_route_and_what_is_waited_for_is_timed() {
    for mode in [Mode::Enforce, Mode::Observe] {
        let (_recording, handle) = recording();
        let paths = ["/long-by-length", "/long-by-chunks", "/late", "/breaks-off", "/slow", "/at-once"];
        let policy =
            paths.iter().fold(Policy::builder().mode(mode), |policy, path| policy.route(RouteRule::new(*path)));
        let layer = ErrorEnvelopeLayer::new().policy(policy.build().unwrap());
        let mut service = layer.layer(service_fn(|request: Request<_>| async move {
            Ok::<_, Infallible>(hard_to_read(request.uri().path()))
        }));
        for path in paths {
            let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
            let _ = service.call(request).await.unwrap().into_body().collect().await;
        }
        let text = handle.render();
        let unread: Vec<_> =
            text.lines().filter(|line| line.starts_with("error_envelope_unread_errors_total{")).collect();
        let expected = [
            ("too_long", "/long-by-length"),
            ("too_long", "/long-by-chunks"),
            ("too_late", "/late"),
            ("broke_off", "/breaks-off"),
        ];
        for (reason, route) in expected {
            let line =
                format!(r#"error_envelope_unread_errors_total{{reason="{reason}",route="{route}",scope="none"}} 1"#);
            assert!(unread.contains(&&*line), "{mode:?} {line}\n{text}");
        }
        assert_eq!(unread.len(), expected.len(), "{text}");
        // In `observe`, nothing waits for an error. The declared length excludes one body, and a complete body needs no
        // clock.
        let timed = if mode == Mode::Observe { 0.0 } else { 4.0 };
        assert_eq!(total(&text, "error_envelope_error_read_seconds_count"), timed, "{text}");
    }
}

#[tokio::test]
async fn m1_what_a_guard_would_have_refused_is_counted_apart() {
    let (_recording, handle) = recording();
    let route = |path: &str| RouteRule::new(path).json(true);
    let policy = Policy::builder().route(route("/observed").mode(Mode::Observe)).route(route("/enforced"));
    let layer = ErrorEnvelopeLayer::new().policy(policy.build().unwrap());
    let mut service = layer.layer(service_fn(|request: Request<_>| async move {
        let status = if request.uri().query().is_some() { 409 } else { 200 };
        Ok::<_, Infallible>(Response::builder().status(status).body(Full::<Bytes>::default()).unwrap())
    }));
    for target in ["/observed", "/observed?fails", "/enforced"] {
        let body = Full::<Bytes>::from("a");
        let request = Request::post(target).header("content-type", "text/plain").body(body).unwrap();
        let _ = service.call(request).await.unwrap().into_body().collect().await;
    }
    let text = handle.render();
    let refused =
        r#"error_envelope_would_refuse_total{code="unsupported_media_type",route="/observed",scope="none"} 2"#;
    assert!(text.contains(refused), "{text}");
    assert_eq!(total(&text, "error_envelope_would_refuse_total"), 2.0, "{text}");
    assert_eq!(total(&text, "error_envelope_errors_total"), 3.0, "one for each request: {text}");
}

#[tokio::test]
async fn each_metric_is_served_with_what_it_means() {
    let (_recording, handle) = recording();
    let admin = Admin::new().metrics(handle);
    let layer = admin.attach(ErrorEnvelopeLayer::new());
    through(&layer, "/seats/7", 409, r#"{"error":"Seat 7 is taken"}"#).await;
    let answer = ask(&admin, "GET", "/metrics").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    let labels = r#"code="conflict",status="409",grpc_status="none",would_be_code="none",would_be_status="none",origin="inner",route="none",scope="none",mode="enforce",dialect="error_text""#;
    for line in [
        "# TYPE error_envelope_errors_total counter",
        &format!("error_envelope_errors_total{{{labels}}} 1"),
        "error_envelope_policy_refused 0",
        "error_envelope_kill_switch_thrown 0",
    ] {
        assert!(answer.body.lines().any(|it| it == line), "{line}\n{}", answer.body);
    }
    ask(&admin, "POST", "/kill-switch/on").await;
    let thrown = ask(&admin, "GET", "/metrics").await.body;
    assert!(thrown.contains("error_envelope_kill_switch_thrown 1\n"), "{thrown}");
    assert!(thrown.contains(r#"error_envelope_kill_switch_total{to="on"} 1"#), "{thrown}");
}

#[tokio::test]
async fn a_process_has_one_recorder() {
    let admin = Admin::new().metrics(error_envelope_admin::install_metrics().unwrap());
    assert!(error_envelope_admin::install_metrics().is_err());
    let served = ask(&admin, "GET", "/metrics").await.body;
    assert!(served.contains("# HELP error_envelope_policy_refused 1 while"), "{served}");
}

#[tokio::test]
async fn where_nothing_is_counted_here_it_is_said_where() {
    assert_eq!(ask(&Admin::new(), "GET", "/metrics").await.status, 404);
    let elsewhere = Admin::new().metrics_elsewhere("ask Envoy: GET /stats/prometheus on its own admin address");
    assert!(ask(&elsewhere, "GET", "/metrics").await.body.contains("/stats/prometheus"));
}
