//! Tests F2 and F4: a panic before the head becomes a 500, and a later one ends the stream.

mod dropped;
mod ended;
mod heads;

use std::error::Error;
use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorCode, Fault};

use super::scripted::{At, Scene, Script, Scripted, TEXT, Tricky};
use super::{ask, data, get, is_served, layer, post, service};
use crate::kit::{Answer, Line, logged, only};

#[test]
fn f2_a_panic_before_the_head_is_a_500_and_the_next_request_is_served() {
    for at in [At::Ready, At::Call, At::Future, At::FutureDrop] {
        let (answer, lines) = logged(async {
            let mut service = service(Script::panics(at));
            let answer = ask(&mut service, get()).await;
            is_served(&mut service).await;
            answer
        });
        is_panic(&answer, &lines, &format!("{at:?}"));
    }
}

#[test]
fn f2_a_clone_that_panics_before_a_peek_is_a_500() {
    let (answer, lines) = logged(async {
        let mut service = service(Script::panics(At::Clone));
        let answer = ask(&mut service, post("/json", data("{}"))).await;
        is_served(&mut service).await;
        answer
    });
    is_panic(&answer, &lines, "clone");
}

#[test]
fn f2_a_panic_after_a_peek_is_a_500() {
    for at in [At::Call, At::Future] {
        let script = Script::panics(at);
        let (answer, lines) = logged(async {
            let mut service = service(script);
            // An empty body is forwarded.
            let answer = ask(&mut service, post("/json", Scene::new([Ok(Bytes::new())]))).await;
            is_served(&mut service).await;
            answer
        });
        is_panic(&answer, &lines, &format!("{at:?}"));
    }
}

#[track_caller]
fn is_panic(answer: &Answer, lines: &[Line], what: &str) {
    let error = answer.expect_envelope(500, "internal_error");
    assert!(!error.to_string().contains(TEXT), "{what}: {error}");
    let line = only(lines);
    assert_eq!((&*line.level, line.field("origin")), ("ERROR", Some("panic")), "{what}");
    assert!(line.text.contains(TEXT) && line.field("request_id") == Some(&answer.id()), "{what}: {line:?}");
}

#[test]
fn f2_a_request_body_that_panics_is_a_failure_of_its_reader() {
    let body = || data("x").panicking(At::BodyPoll);
    for path in ["/any", "/json"] {
        let (answer, lines) = logged(async {
            let mut service = service(Script { reads: true, ..Script::fine() });
            ask(&mut service, post(path, body())).await
        });
        assert!(answer.head.status.is_client_error() || answer.head.status.is_server_error(), "{path}: {answer:?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(TEXT));
        assert!(only(&lines).text.contains(TEXT), "{path}: {lines:?}");
    }
}

#[test]
fn f2_a_request_body_whose_drop_panics_does_not_take_its_answer_along() {
    for (what, request) in [
        ("refused without draining", over_limit("expect", "100-continue")),
        ("refused and drained", over_limit("x-more", "comes")),
        ("refused after a peek", post("/json", data("{}"))),
        ("refused after a failed peek", post("/json", Scene::new([Err(TEXT.into())]))),
    ] {
        let (answer, lines) = logged(async {
            let request = request.map(|body| body.panicking(At::BodyDrop));
            ask(&mut service(Script::fine()), request).await
        });
        assert!(answer.head.status.is_client_error(), "{what}: {answer:?}");
        only(&lines);
    }
}

fn over_limit(name: &str, value: &str) -> Request<Scene> {
    Request::post("/any").header("content-length", "9").header(name, value).body(data("123456789")).unwrap()
}

#[test]
fn f2_an_error_body_that_panics_leaves_the_decision_to_the_status() {
    for at in [At::BodyPoll, At::BodyDrop, At::BodySize, At::BodyEnd] {
        let (answer, lines) = logged(async {
            let mut service = service(Script { panics: Some(at), ..Script::says(404) });
            ask(&mut service, get()).await
        });
        answer.expect_envelope(404, "not_found");
        let line = only(&lines);
        assert_eq!(line.field("origin"), Some("panic"), "{at:?}");
        assert!(line.text.contains(TEXT) && line.field("request_id").is_some(), "{at:?}: {line:?}");
    }
}

#[test]
fn f2_a_body_that_a_status_forbids_may_panic_in_its_drop() {
    for status in [204, 205, 304] {
        let (answer, lines) = logged(async {
            let mut service = service(Script { panics: Some(At::BodyDrop), ..Script::says(status) });
            ask(&mut service, get()).await
        });
        assert_eq!((answer.head.status.as_u16(), &*answer.body), (status, &b""[..]));
        assert!(lines.len() <= 1, "{lines:?}");
    }
}

#[test]
fn f4_a_body_that_panics_or_fails_ends_the_stream_as_an_error() {
    let polls = Script::panics(At::BodyPoll);
    let fails = Script { body_fails: true, ..Script::fine() };
    for (script, origin, begun) in [(polls, "panic", false), (fails, "error", true)] {
        let ((), lines) = logged(async {
            let Ok(response) = service(script).oneshot(get()).await;
            assert_eq!(response.status(), 200, "the head has left");
            let mut body = response.into_body();
            if begun {
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
            }
            let error = body.frame().await.unwrap().unwrap_err();
            assert!(!format!("{error} {error:?}").contains(TEXT));
            assert!(body.frame().await.is_none(), "and nothing is appended");
            assert!(body.is_end_stream());
        });
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin")), ("ERROR", Some(origin)));
        assert!(line.text.contains(TEXT), "{line:?}");
    }
}

/// The body is dropped at its end, or before it because the client leaves.
#[test]
fn f2_a_body_whose_drop_panics_goes_no_further_than_the_log() {
    for reads_to_end in [true, false] {
        let ((), lines) = logged(async {
            let Ok(response) = service(Script::panics(At::BodyDrop)).oneshot(get()).await;
            let mut body = response.into_body();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
            if reads_to_end {
                assert!(body.frame().await.is_none());
            }
        });
        assert!(only(&lines).text.contains(TEXT), "{lines:?}");
    }
}

/// The server calls both before it polls.
#[test]
fn f2_a_body_that_panics_in_its_size_or_end_does_not_reach_the_server() {
    for at in [At::BodySize, At::BodyEnd] {
        let (calls, _) = logged(async {
            let Ok(response) = service(Script::panics(at)).oneshot(get()).await;
            let mut body = response.into_body();
            let _ = (body.size_hint(), body.is_end_stream());
            while let Some(Ok(_)) = body.frame().await {}
            (body.size_hint(), body.is_end_stream())
        });
        assert!(calls.1, "{at:?}: at its end");
    }
}

#[test]
fn f2_an_error_that_panics_is_a_500_all_the_same() {
    for (error, what) in [
        ((|| Tricky::Display.into()) as fn() -> BoxError, "Display"),
        (|| Tricky::Source.into(), "source"),
        (|| Tricky::Drop.into(), "drop"),
        (|| Tricky::SourceAndDrop.into(), "source and drop"),
    ] {
        let (answer, lines) = logged(async {
            let mut service = service(Script::fails(error));
            let answer = ask(&mut service, get()).await;
            is_served(&mut service).await;
            answer
        });
        let envelope = answer.expect_envelope(500, "internal_error");
        assert!(!envelope.to_string().contains(TEXT), "{what}: {envelope}");
        assert!(only(&lines).text.contains(TEXT), "{what}: {lines:?}");
    }
}

#[test]
fn f2_a_classifier_that_panics_is_a_500() {
    for script in [Script::fails(|| "failed".into()), Script { not_ready: Some(|| "failed".into()), ..Script::fine() }]
    {
        let (answer, lines) = logged(async {
            let panics = |_: &(dyn Error + 'static)| -> Option<Fault> { panic!("{TEXT}") };
            let mut service = layer().classify(panics).layer(Scripted::new(script));
            let answer = ask(&mut service, get()).await;
            is_served(&mut service).await;
            answer
        });
        is_panic(&answer, &lines, "classifier");
    }
}

/// The classifier knows the error without its causes, which only the log needs.
#[test]
fn f2_a_classified_error_may_panic_in_its_source_and_its_drop() {
    let errors: [fn() -> BoxError; 4] =
        [|| Tricky::Source.into(), || Tricky::Drop.into(), || Tricky::Display.into(), || Tricky::SourceAndDrop.into()];
    for error in errors {
        for script in [Script::fails(error), Script { not_ready: Some(error), ..Script::fine() }] {
            let (answer, lines) = logged(async {
                let knows = |error: &(dyn Error + 'static)| {
                    error.downcast_ref::<Tricky>().map(|_| Fault::new(ErrorCode::CONFLICT))
                };
                let mut service = layer().classify(knows).layer(Scripted::new(script));
                let answer = ask(&mut service, get()).await;
                is_served(&mut service).await;
                answer
            });
            answer.expect_envelope(409, "conflict");
            only(&lines);
        }
    }
}

/// A body of the server has an error that panics. The peek meets it, and so does the service.
#[test]
fn f2_a_request_bodys_error_may_panic_in_its_source_and_its_drop() {
    for path in ["/any", "/json"] {
        let (answer, lines) = logged(async {
            let mut service = service(Script { reads: true, ..Script::fine() });
            ask(&mut service, post(path, Scene::new([Err(Tricky::SourceAndDrop.into())]))).await
        });
        let status = answer.head.status;
        assert!(status.is_client_error() || status.is_server_error(), "{path}: {answer:?}");
        only(&lines);
    }
}

#[test]
fn f2_a_faults_source_may_panic_as_it_is_logged() {
    let errors: [fn() -> BoxError; 2] = [
        || Fault::new(ErrorCode::GONE).with_source(Tricky::Display).into(),
        || Fault::new(ErrorCode::GONE).with_source(Tricky::SourceAndDrop).into(),
    ];
    for error in errors {
        let (answer, lines) = logged(async { ask(&mut service(Script::fails(error)), get()).await });
        answer.expect_envelope(410, "gone");
        only(&lines);
    }
}

/// A future is polled again by mistake. It stays pending, and does not panic.
#[test]
fn a_future_that_has_ended_stays_pending() {
    let ((), _) = logged(async {
        let mut service = service(Script::fine());
        let mut call = Box::pin(service.ready().await.unwrap().call(get()));
        let Ok(response) = call.as_mut().await;
        assert_eq!(response.status(), 200);
        let again = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::future::Future::poll(Pin::as_mut(&mut call), cx).is_pending())
        });
        assert!(again.await);
    });
}
