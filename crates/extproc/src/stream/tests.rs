//! Tests streams of messages without Envoy and without a socket. Every stream ends with an error, and no panic lets a
//! request pass.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use error_envelope_core::loader::PolicyLoader;
use error_envelope_core::session::{ClosedRecord, Observer, UnreadReason};
use error_envelope_runtime::{PolicyHandle, RequestMetrics};
use futures_util::{StreamExt, stream};
use tonic::{Code, Status};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{ProcessingStream, Received};
use crate::mode::{fields, override_modes};
use crate::proto::processing_response::Response as Verdict;
use crate::proto::{HeaderMap as EnvoyHeaders, HeaderValue as EnvoyLine};
use crate::proto::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};
use crate::service::replies;

const POLICY: &str = "version = 1\n[defaults]\nbody_limit = 4\n[auth.keys]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\" }]\n\
                      [[route]]\nmatch = \"/locked\"\nauth = [\"keys\"]\n[[route]]\nmatch = \"/buffered\"\next_proc_bodies = \"buffered\"\n\
                      [[route]]\nmatch = \"/events\"\nevent_streams = \"append_error\"\n[[route]]\nmatch = \"/watch\"\nmode = \"observe\"\n\
                      [[route]]\nmatch = \"/shown\"\nmode = \"observe\"\next_proc_bodies = \"buffered\"\n[inspect]\nmax_bytes = \"64 MiB\"\n";

fn policy() -> PolicyHandle {
    PolicyHandle::fixed(PolicyLoader::new().parse("policy.toml", POLICY).unwrap().into_policy())
}

fn stream_of() -> ProcessingStream {
    ProcessingStream::new(policy(), RequestMetrics::default())
}

fn head(lines: &[(&str, &str)], end_of_stream: bool) -> HttpHeaders {
    let line = |(key, value): &(&str, &str)| EnvoyLine {
        key: (*key).to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    };
    let headers = EnvoyHeaders { headers: lines.iter().map(line).collect() };
    HttpHeaders { headers: Some(headers), end_of_stream }
}

fn message(request: Received) -> Result<ProcessingRequest, Status> {
    Ok(ProcessingRequest { request: Some(request), ..ProcessingRequest::default() })
}

fn get(path: &str) -> Result<ProcessingRequest, Status> {
    let lines = [(":method", "GET"), (":path", path), (":authority", "a"), (":scheme", "http")];
    message(Received::RequestHeaders(head(&lines, true)))
}

fn post(path: &str) -> Result<ProcessingRequest, Status> {
    let lines = [(":method", "POST"), (":path", path), (":authority", "a"), ("content-type", "application/json")];
    message(Received::RequestHeaders(head(&lines, false)))
}

fn failed(more: &[(&str, &str)]) -> Result<ProcessingRequest, Status> {
    let lines = [&[(":status", "409"), ("content-type", "application/json")], more].concat();
    message(Received::ResponseHeaders(head(&lines, false)))
}

async fn run(messages: Vec<Result<ProcessingRequest, Status>>) -> Vec<Result<ProcessingResponse, Status>> {
    replies(stream_of(), stream::iter(messages)).collect().await
}

/// Works like [`run`], with a stream that Envoy keeps open. Returns the first replies, up to this number.
async fn run_open(messages: Vec<Result<ProcessingRequest, Status>>, count: usize) -> Vec<Verdict> {
    let messages = stream::iter(messages).chain(stream::pending());
    let replies = replies(stream_of(), messages).take(count).collect::<Vec<_>>().await;
    replies.into_iter().map(|reply| reply.unwrap().response.unwrap()).collect()
}

fn status(verdict: &Verdict) -> i32 {
    match verdict {
        Verdict::ImmediateResponse(reply) => reply.status.unwrap().code,
        _ => 0,
    }
}

fn call(lines: &[(&str, &str)], end_of_stream: bool) -> Result<ProcessingRequest, Status> {
    let lines = [&[(":method", "POST"), (":path", "/a.B/C"), (":authority", "a")], lines].concat();
    message(Received::RequestHeaders(head(&lines, end_of_stream)))
}

fn succeeded(media_type: &str) -> Result<ProcessingRequest, Status> {
    message(Received::ResponseHeaders(head(&[(":status", "200"), ("content-type", media_type)], false)))
}

fn piece(body: &[u8]) -> Result<ProcessingRequest, Status> {
    message(Received::RequestBody(HttpBody { body: body.to_vec(), ..HttpBody::default() }))
}

#[tokio::test]
async fn v4_each_mode_that_is_requested_is_allowed_and_no_other_is() {
    let (grpc, web) = ("application/grpc", "application/grpc-web");
    let mut requested = BTreeSet::new();
    for (request, response) in [
        (get("/"), succeeded("text/html")),
        (get("/"), failed(&[("content-length", "51")])),
        (get("/events"), succeeded("text/event-stream")),
        (call(&[("content-type", grpc)], true), succeeded(grpc)),
        (post("/"), succeeded("text/html")),
        (post("/"), failed(&[("content-length", "51")])),
        (post("/events"), succeeded("text/event-stream")),
        (call(&[("content-type", web)], false), succeeded(web)),
        (call(&[("content-type", grpc)], false), succeeded(grpc)),
    ] {
        let messages = stream::iter([request, response]).chain(stream::pending());
        let replies = replies(stream_of(), messages).take(2).collect::<Vec<_>>().await;
        let modes = replies.into_iter().filter_map(|reply| reply.unwrap().mode_override);
        requested.extend(modes.map(|mode| fields(&mode)));
    }
    assert_eq!(requested, override_modes().collect());
}

#[tokio::test]
async fn v4_a_message_behind_a_verdict_changes_nothing() {
    let replies = run(vec![get("/locked"), piece(b"{}"), failed(&[]), failed(&[("content-length", "2")])]).await;
    let verdicts = replies.iter().filter_map(|reply| reply.as_ref().ok()?.response.as_ref());
    assert_eq!(verdicts.filter(|verdict| status(verdict) > 0).count(), 1, "{replies:?}");
}

#[tokio::test]
async fn i1_a_response_without_a_request_gets_an_id() {
    let Verdict::ImmediateResponse(reply) = run_open(vec![failed(&[])], 1).await.remove(0) else { panic!("a verdict") };
    let lines = reply.headers.unwrap().set_headers.into_iter().filter_map(|line| line.header);
    assert_eq!(lines.filter(|line| line.key == "x-request-id" && line.raw_value.starts_with(b"req_")).count(), 1);
}

#[tokio::test]
async fn g3_an_upgrade_is_no_body() {
    let lines = [(":method", "GET"), (":path", "/"), (":authority", "a"), ("upgrade", "websocket")];
    let replies = run_open(vec![message(Received::RequestHeaders(head(&lines, false)))], 1).await;
    assert!(matches!(replies[0], Verdict::RequestHeaders(_)), "{replies:?}");
}

#[tokio::test]
async fn p1_a_call_that_envoy_takes_for_plain_http_gets_no_message_as_its_body() {
    for (media_type, is_grpc) in
        [("application/grpc", true), ("application/grpc+proto", true), ("Application/GRPC", false)]
    {
        let replies = run_open(vec![call(&[("content-type", media_type)], true), failed(&[])], 2).await;
        let Verdict::ImmediateResponse(reply) = &replies[1] else { panic!("{replies:?}") };
        assert_eq!(
            (reply.grpc_status.is_some(), reply.body.is_empty()),
            (is_grpc, !is_grpc),
            "{media_type}: {reply:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn p1_a_call_behind_its_head_ends_at_its_deadline() {
    let request = call(&[("content-type", "application/grpc"), ("grpc-timeout", "200m")], true);
    let messages = stream::iter([request, succeeded("application/grpc")]).chain(stream::pending());
    let replies = replies(stream_of(), messages).collect::<Vec<_>>().await;
    assert_eq!((replies.len(), replies[2].is_err()), (3, true), "{replies:?}");
}

#[tokio::test]
async fn v4_each_stream_ends_with_an_error_whatever_came() {
    for messages in [
        vec![],
        vec![Err(Status::internal("reset"))],
        vec![get("/")],
        vec![get("/locked")],
        vec![get("/"), get("/")],
        vec![Ok(ProcessingRequest::default())],
        vec![failed(&[])],
        vec![get("/"), failed(&[("content-length", "2")])],
    ] {
        let replies = run(messages).await;
        assert!(replies.last().unwrap().is_err(), "{replies:?}");
        assert_eq!(replies.iter().filter(|reply| reply.is_err()).count(), 1, "{replies:?}");
        assert!(replies.iter().all(|reply| !reply.as_ref().is_err_and(|status| status.code() == Code::Ok)));
    }
}

#[tokio::test]
async fn g2_a_request_without_credentials_gets_an_immediate_response() {
    let replies = run_open(vec![get("/locked")], 1).await;
    assert_eq!(status(&replies[0]), 401);
    assert!(matches!(run_open(vec![get("/")], 1).await[0], Verdict::RequestHeaders(_)));
}

#[tokio::test]
async fn g4_a_body_is_counted_and_answered_at_its_limit() {
    let replies = run_open(vec![post("/"), piece(b"1234"), piece(b"5")], 3).await;
    assert!(matches!(replies[1], Verdict::RequestBody(_)));
    assert_eq!(status(&replies[2]), 413);
}

#[tokio::test]
async fn r4_a_head_without_a_length_decides_and_a_declared_length_is_read() {
    // The second body is longer than Envoy buffers, so Envoy would respond with 500.
    for lines in [&[][..], &[("content-length", "1048577")]] {
        assert_eq!(status(&run_open(vec![get("/"), failed(lines)], 2).await[1]), 409);
    }
    let body = br#"{"error":{"code":"not_found","message":"No seat."}}"#.to_vec();
    let body = message(Received::ResponseBody(HttpBody { body, end_of_stream: true }));
    let replies = run_open(vec![get("/"), failed(&[("content-length", "51")]), body], 3).await;
    assert!(matches!(replies[1], Verdict::ResponseHeaders(_)));
    let Verdict::ImmediateResponse(reply) = &replies[2] else { panic!("{replies:?}") };
    assert!(String::from_utf8_lossy(&reply.body).contains("No seat."));
}

#[tokio::test(start_paused = true)]
async fn r4_a_body_that_stalls_is_answered_within_its_time() {
    let start = tokio::time::Instant::now();
    for messages in [vec![get("/"), failed(&[("content-length", "51")])], vec![get("/buffered"), failed(&[])]] {
        let replies = run_open(messages, 3).await;
        assert_eq!(status(&replies[2]), 409);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The records that the observer gets, in the words of the log.
#[derive(Default)]
struct Records(Mutex<Vec<String>>);

impl Observer for Records {
    fn on_record(&self, record: &ClosedRecord) {
        let code = record.code().map_or("none", |code| code.as_str());
        let (status, unread) = (record.status(), record.unread().map_or("read", UnreadReason::as_str));
        let (outcome, end) = (record.outcome().as_str(), record.delivery().end.as_str());
        self.0.lock().unwrap().push(format!("{code} {:?} {unread} {outcome} {end}", status.map(|it| it.as_u16())));
    }
}

thread_local! {
    /// The log lines of this thread.
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Logs on the thread of each test. A subscriber of only one thread could miss an event that another thread logged
/// first, because the decision whether an event is wanted is cached for all threads.
struct Lines;

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        LINES.with_borrow_mut(|lines| write!(lines, "{field}={value:?} ")).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "tower_error_envelope" {
            event.record(&mut Self);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Returns the records of a stream after its messages, and what is logged of them.
async fn records_of(messages: Vec<Result<ProcessingRequest, Status>>) -> (Vec<String>, String) {
    static LOGGED: Once = Once::new();

    LOGGED.call_once(|| tracing::subscriber::set_global_default(Lines).unwrap());
    LINES.take();
    let records = Arc::new(Records::default());
    let stream = ProcessingStream::new(policy().with_observer(records.clone()), RequestMetrics::default());
    let count = messages.len();
    let mut replies = Box::pin(replies(stream, stream::iter(messages)));
    for _ in 0..count {
        let has_ended = replies.next().await.unwrap().is_err();
        assert!(has_ended || records.0.lock().unwrap().is_empty(), "a record is closed before the end of its stream");
    }
    drop(replies);
    let records = records.0.lock().unwrap().clone();
    (records, LINES.take())
}

#[tokio::test]
async fn l5_a_record_is_closed_at_the_end_of_the_stream_and_claims_no_delivery() {
    let page = || succeeded("text/html");
    let long = ("content-length", "1048577");
    for (messages, expected) in [
        (vec![get("/locked")], "auth_missing Some(401) read client_error unknown"),
        (vec![get("/"), failed(&[])], "conflict Some(409) not_shown client_error unknown"),
        (vec![get("/"), failed(&[long])], "conflict Some(409) not_shown client_error unknown"),
        (vec![get("/watch"), failed(&[])], "none Some(409) not_shown client_error unknown"),
        (vec![post("/"), page(), piece(b"12345")], "payload_too_large Some(200) read broken unknown"),
    ] {
        let (records, lines) = records_of(messages).await;
        assert_eq!(records, [expected]);
        assert!(lines.contains("end=\"unknown\""), "{lines}");
    }
    let (records, lines) = records_of(vec![get("/"), page()]).await;
    assert_eq!((records, lines), (vec!["none Some(200) read ok unknown".to_owned()], String::new()));
}

#[tokio::test]
async fn l5_a_call_that_ends_behind_its_head_has_no_status_because_envoy_sends_no_last_frame() {
    let call = call(&[("content-type", "application/grpc")], false);
    let (records, lines) = records_of(vec![call, succeeded("application/grpc"), piece(&[0, 0, 0, 0, 9, b'a'])]).await;
    assert_eq!(records, ["payload_too_large Some(200) read broken unknown"]);
    assert!(!lines.contains("grpc_status"), "{lines}");
}

#[tokio::test]
async fn l5_a_stream_that_ends_before_a_response_does_not_claim_that_the_client_left() {
    let (records, lines) = records_of(vec![get("/")]).await;
    assert_eq!(records, ["none None read unknown unknown"]);
    assert!(lines.contains("end=\"unknown\"") && !lines.contains("abandoned"), "{lines}");
}

#[tokio::test]
async fn m1_an_error_s_body_predicts_what_enforce_would_send() {
    let text = br#"{"error":{"code":"not_found","message":"No seat."}}"#;
    let body = |end, length| HttpBody { body: text[..length].to_vec(), end_of_stream: end };
    let sized = [("content-length", "51")];
    for (path, lines, body, read, code) in [
        ("/watch", &sized[..], body(true, 51), "read", "not_found"),
        ("/shown", &[], body(true, 51), "read", "not_found"),
        // Envoy itself replaces an error that breaks off while it is buffered.
        ("/watch", &sized, body(false, 20), "broke_off", "other"),
        ("/shown", &[], body(false, 20), "broke_off", "other"),
    ] {
        let messages = vec![get(path), failed(lines), message(Received::ResponseBody(body))];
        let (records, lines) = records_of(messages).await;
        assert!(records[0].starts_with(&format!("none Some(409) {read} ")), "{path} {records:?}");
        assert!(lines.contains(&format!("would_be_code=\"{code}\"")), "{path} {code}: {lines}");
    }
}
