//! Tests L1 and L3: an error has one line, at its level, and a success has none. Only the id of the request is in the
//! line.

use std::io;

use error_envelope_core::session::{BodyFacts, BoxError, RequestStep, Session, SessionConfig};
use http::{Request, header};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::auth::AuthScheme;
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::{RequiredHeader, Scope};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Mode, Policy, RequestId, RouteRule};

use super::scripted::{Scene, Script, Scripted, TEXT};
use super::{ask, data, get, layer, post, service};
use crate::cases::logs::captured;
use crate::kit::{answer, logged, only};

#[test]
fn l1_each_error_is_one_line_at_its_level() {
    for (script, level, origin, code) in [
        (Script::says(400), "INFO", "inner", "bad_request"),
        (Script::says(401), "INFO", "inner", "auth_missing"),
        (Script::says(404), "INFO", "inner", "not_found"),
        (Script::says(429), "INFO", "inner", "rate_limited"),
        (Script::says(500), "ERROR", "inner", "internal_error"),
        (Script::says(501), "INFO", "inner", "not_implemented"),
        (Script::says(502), "ERROR", "inner", "other"),
        (Script::says(503), "WARN", "inner", "service_unavailable"),
        (Script::says(504), "ERROR", "inner", "gateway_timeout"),
        (Script::says(999), "ERROR", "inner", "other"),
        (Script::fails(|| TEXT.into()), "ERROR", "error", "internal_error"),
        (Script::fails(|| Fault::new(ErrorCode::GONE).into()), "INFO", "fault", "gone"),
        (Script::fails(|| io::Error::other(Fault::new(ErrorCode::NO_OP)).into()), "INFO", "fault", "no_op"),
        (Script::fails(|| io::Error::from(io::ErrorKind::TimedOut).into()), "ERROR", "error", "gateway_timeout"),
        (Script::fails(|| io::Error::from(io::ErrorKind::ConnectionReset).into()), "ERROR", "error", "other"),
        (Script::fails(|| tower::load_shed::error::Overloaded::new().into()), "WARN", "error", "worker_at_capacity"),
        (Script { not_ready: Some(|| TEXT.into()), ..Script::fine() }, "WARN", "error", "service_unavailable"),
    ] {
        let (answer, lines) = logged(async { ask(&mut service(script), get()).await });
        println!("{script:?}: {lines:?}"); // shown by a failing test alone
        answer.expect_envelope(answer.head.status.as_u16(), code);
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin"), line.field("code")), (level, Some(origin), Some(code)));
        assert_eq!(line.field("status"), Some(answer.head.status.as_str()));
        assert_eq!(line.field("request_id"), Some(&*answer.id()));
        assert_eq!(line.field("mode"), Some("enforce"));
    }
}

#[test]
fn l1_a_code_that_nothing_declares_has_the_remedy() {
    for (code, cause) in [
        ("seat_taken", Some("unknown code seat_taken: declare it with [[code]] or return a Fault")),
        ("SEAT_TAKEN", None),
        ("conflict", None),
    ] {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"Seat 7 is taken."}}}}"#);
        let response = http::Response::builder().status(409).header("content-type", "application/json");
        let (_, lines) = logged(async {
            let response = response.body(http_body_util::Full::<bytes::Bytes>::from(body)).unwrap();
            let inner = service_fn(move |_| std::future::ready(Ok::<_, BoxError>(response.clone())));
            let _ = ErrorEnvelopeLayer::new().layer(inner).oneshot(Request::new(axum::body::Body::empty())).await;
        });
        assert_eq!(only(&lines).field("cause"), cause, "{code}");
    }
}

#[test]
fn l1_an_unknown_grpc_method_is_the_client_s_mistake() {
    let response = || http::Response::builder().header("content-type", "application/grpc");
    let (_, lines) = logged(async {
        for number in ["12", "13"] {
            let response = response().header("grpc-status", number).body(http_body_util::Empty::<bytes::Bytes>::new());
            let response = response.unwrap();
            let inner = service_fn(move |_| std::future::ready(Ok::<_, BoxError>(response.clone())));
            let request = Request::post("/shop.v1.Orders/Nothing").version(http::Version::HTTP_2);
            let request = request.header("content-type", "application/grpc").body(axum::body::Body::empty()).unwrap();
            ErrorEnvelopeLayer::new().layer(inner).oneshot(request).await.unwrap();
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| (&*line.level, line.field("grpc_status"))).collect();
    assert_eq!(levels, [("INFO", Some("12")), ("ERROR", Some("13"))]);
}

#[test]
fn l1_the_grpc_status_that_the_client_got_decides_the_level() {
    let statuses = [409, 429, 502, 504];
    let (_, lines) = logged(async {
        for status in statuses {
            let response = http::Response::builder().status(status).body(http_body_util::Empty::<bytes::Bytes>::new());
            let response = response.unwrap();
            let inner = service_fn(move |_| std::future::ready(Ok::<_, BoxError>(response.clone())));
            let request = Request::post("/shop.v1.Orders/Get").version(http::Version::HTTP_2);
            let request = request.header("content-type", "application/grpc").body(axum::body::Body::empty()).unwrap();
            ErrorEnvelopeLayer::new().layer(inner).oneshot(request).await.unwrap();
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| (&*line.level, line.field("grpc_status"))).collect();
    assert_eq!(levels, [("ERROR", Some("2")), ("WARN", Some("14")), ("WARN", Some("14")), ("WARN", Some("14"))]);
}

#[test]
fn l1_a_guard_that_only_observes_does_not_lower_the_level_of_a_broken_body() {
    let route = RouteRule::new("/json").require_headers(["app"]).mode(Mode::Observe);
    let policy = || Policy::builder().header("app", RequiredHeader::new("x-app-id")).route(route.clone());
    let observing = || ErrorEnvelopeLayer::new().policy(policy().build().unwrap());
    let broken = || Scripted::new(Script { body_fails: true, ..Script::fine() });
    let (_, lines) = logged(async {
        for request in [get(), post("/json", data("{}"))] {
            let response = observing().layer(broken()).oneshot(request).await.unwrap();
            let _ = http_body_util::BodyExt::collect(response.into_body()).await;
        }
    });
    let levels: Vec<_> = lines.iter().map(|line| (&*line.level, line.field("would_be_status"))).collect();
    assert_eq!(levels, [("ERROR", None), ("ERROR", Some("400"))]);
}

#[test]
fn l1_guards_say_which_route_they_guard() {
    let (answer, lines) = logged(async { ask(&mut service(Script::fine()), post("/json", data("{}"))).await });
    answer.expect_envelope(415, "unsupported_media_type");
    let line = only(&lines);
    assert_eq!((&*line.level, line.field("origin"), line.field("route")), ("INFO", Some("guard"), Some("/json")));
}

#[test]
fn l1_a_body_over_its_limit_is_one_line() {
    for (script, origin) in [(Script { reads: true, ..Script::fine() }, "guard"), (Script::fine(), "")] {
        let (answer, lines) = logged(async { ask(&mut service(script), post("/any", data("123456789"))).await });
        if script.reads {
            answer.expect_envelope(413, "payload_too_large");
            let line = only(&lines);
            assert_eq!((&*line.level, line.field("origin")), ("INFO", Some(origin)));
        } else {
            assert!(answer.head.status == 200 && lines.is_empty(), "nobody read it: {lines:?}");
        }
    }
}

/// The service's error is the upload itself, so its head is still here when the upload exceeds its limit (G4).
#[test]
fn g4_a_body_cut_while_an_error_is_read_outranks_that_error() {
    for (upload, status, code, origin) in
        [("12345678", 409, "conflict", "inner"), ("123456789", 413, "payload_too_large", "guard")]
    {
        let (answer, lines) = logged(async {
            let echoes = service_fn(|request: Request<RequestBody<Scene>>| async {
                Ok::<_, BoxError>(http::Response::builder().status(409).body(request.into_body())?)
            });
            let Ok(response) = layer().layer(echoes).oneshot(post("/any", data(upload))).await;
            answer(response).await
        });
        let error = answer.expect_envelope(status, code);
        assert_eq!(error["details"]["limit_bytes"].as_u64(), (status == 413).then_some(8));
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin"), line.field("code")), ("INFO", Some(origin), Some(code)));
    }
}

#[test]
fn l1_a_success_is_no_line() {
    for status in [200, 204, 301, 304] {
        let (_, lines) = logged(async { ask(&mut service(Script::says(status)), get()).await });
        assert!(lines.is_empty(), "{status}: {lines:?}");
    }
}

#[test]
fn l3_no_path_query_credential_or_body_is_logged() {
    let (answer, lines) = logged(async {
        let request = Request::post("/p4th/s3cr3t?token=s3cr3t")
            .header(header::AUTHORIZATION, "Bearer s3cr3t")
            .header(header::COOKIE, "session=s3cr3t")
            .header("x-api-key", "s3cr3t")
            .body(data("s3cr3t"))
            .unwrap();
        ask(&mut service(Script { reads: true, ..Script::says(500) }), request).await
    });
    answer.expect_envelope(500, "internal_error");
    let line = only(&lines);
    assert!(!line.text.contains("s3cr3t") && !line.text.contains("p4th"), "{line:?}");
}

/// An adapter may log the values that it holds.
#[test]
fn l3_what_is_written_of_a_session_has_no_credential() {
    for (name, value) in [
        ("authorization", "s3cr3t"),
        ("authorization", "Bearer s3cr3t"),
        ("authorization", "Basic s3cr3t"),
        ("x-api-key", "s3cr3t"),
        ("cookie", "session=s3cr3t"),
    ] {
        for facts in [BodyFacts { ended: true, ..BodyFacts::default() }, BodyFacts::default()] {
            let policy = Policy::builder().route(RouteRule::new("/json").json(true)).build().unwrap();
            let (mut head, ()) = Request::post("/json").header(name, value).body(()).unwrap().into_parts();
            let begun =
                Session::begin(SessionConfig::new(policy, || std::time::UNIX_EPOCH).into(), &mut head, facts, || {
                    RequestId::from_parts(1, 1)
                });
            assert_eq!(matches!(begun.1, RequestStep::Forward(..)), facts.ended, "{begun:?}");
            assert!(!format!("{begun:?}").contains("s3cr3t"), "{name}: {value}: {begun:?}");
        }
    }
}

/// A refusal has no inner call, and a dropped future has no caller. Each line still has exactly one span.
#[test]
fn l1_each_event_is_inside_a_span_of_its_request_and_names_scope_and_service() {
    let never = service_fn(|request: Request<RequestBody<Scene>>| async move {
        if request.uri().path() == "/pay/never" {
            std::future::pending::<()>().await;
        }
        Ok::<_, BoxError>(http::Response::builder().status(404).body(Scene::empty()).unwrap())
    });
    let pay = Scope::new().host("a.example").host("b.example").prefix("/pay").upstream("http://pay:80");
    let pay = pay.route(RouteRule::new("/pay/closed").auth(["k"]));
    let policy = Policy::builder().scheme("k", AuthScheme::custom()).scope(pay).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy);
    let rest = "http://rest:3000".parse().unwrap();
    let forwarding = layer.clone().log_upstreams(Some(rest));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let ask = |layer: &ErrorEnvelopeLayer, path: &str, host: &str| {
        let request = Request::get(path).header("host", host).body(Scene::empty()).unwrap();
        let response = layer.layer(never).oneshot(request);
        runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_millis(1), response).await.is_ok() })
    };
    for (path, host, of_layer, of_gateway) in [
        ("/pay/x", "a.example", "scope=\"a.example/pay\"", " upstream=http://pay "),
        ("/pay/closed", "b.example", "scope=\"a.example/pay\"", ""),
        ("/pay/never", "b.example", "scope=\"a.example/pay\"", " upstream=http://pay "),
        ("/x", "c.example", "origin=\"inner\"", " upstream=http://rest:3000 "),
    ] {
        for (layer, parts, lacks) in
            [(&layer, [of_layer, ""], "upstream="), (&forwarding, [of_layer, of_gateway], "\0")]
        {
            let (_, log) = captured(|| ask(layer, path, host));
            let line = log.lines().find(|line| line.contains("origin=")).unwrap_or_else(|| panic!("{path}: {log}"));
            assert_eq!(line.matches("envelope{request_id=").count(), 1, "{line}");
            assert!(parts.iter().all(|part| line.contains(part)) && !line.contains(lacks), "{line}");
            assert_eq!(line.contains("scope="), path != "/x", "{line}");
        }
    }
}

/// The lines of the service itself can be found by the id.
#[test]
fn l1_a_span_with_the_id_wraps_the_inner_call() {
    let logs = service_fn(|_: Request<RequestBody<Scene>>| {
        tracing::info!("called");
        async {
            tokio::task::yield_now().await;
            tracing::info!("polled");
            Ok::<_, BoxError>(http::Response::new(Scene::empty()))
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (response, log) = captured(|| runtime.block_on(layer().layer(logs).oneshot(get())));
    let id = response.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned();
    for word in ["called", "polled"] {
        let line = log.lines().find(|line| line.ends_with(word)).unwrap_or_else(|| panic!("no {word:?} in {log}"));
        assert!(line.contains(&format!("envelope{{request_id={id}}}")), "{line}");
    }
}
