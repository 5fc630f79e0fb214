//! Tests that all views of a closed record agree (L5). For random requests, services and clients, it compares the
//! record of an observer with the line of the log, the counters, `errors.json`, `now.json` and `readiness.json`.
//!
//! `PROPTEST_CASES` is the number of processes, each with up to 40 requests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::{BoxError, ClosedRecord, Observer, SentStatus};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tracing::Level;

use crate::kit::{ask, recording};

const MODES: [&str; 5] = ["off", "observe", "own", "fill", "enforce"];
const PLACES: [&str; 3] = ["plain", "json", "events"];
const TYPES: [&str; 6] = [
    "application/json",
    "text/html",
    "text/plain",
    "application/grpc",
    "application/problem+json",
    "text/event-stream",
];
const BODIES: [&str; 5] =
    ["", r#"{"message":"no such seat"}"#, "<h1>Oops</h1>", r#"{"code":"not_found","message":"no"}"#, "data: 1\n\n"];
const STATUSES: [u16; 12] = [200, 201, 204, 302, 304, 400, 404, 409, 429, 500, 503, 599];
const PROTOCOLS: [&[(&str, &str)]; 4] = [
    &[],
    &[("content-type", "application/grpc"), ("te", "trailers")],
    &[("content-type", "application/grpc-web+proto")],
    &[("content-type", "application/json"), ("connect-protocol-version", "1")],
];

#[derive(Clone, Debug)]
struct Asked {
    path: String,
    method: &'static str,
    protocol: usize,
    body: usize,
    service: Says,
    client: Client,
}

#[derive(Clone, Debug)]
enum Says {
    Response { status: u16, media_type: &'static str, body: &'static str, grpc: Option<u8>, end: BodyEnd },
    Fails(io::ErrorKind),
    Panics,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyEnd {
    Whole,
    Breaks,
    Pends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Reads,
    /// The client leaves after it has received this number of frames.
    Leaves(u8),
}

fn asked() -> impl Strategy<Value = Asked> {
    let place = (prop::sample::select(&MODES[..]), prop::sample::select(&PLACES[..]));
    let method = prop::sample::select(&["GET", "POST", "HEAD", "PURGE"][..]);
    let end = prop_oneof![4 => Just(BodyEnd::Whole), 1 => Just(BodyEnd::Breaks), 1 => Just(BodyEnd::Pends)];
    let response = (
        prop::sample::select(&STATUSES[..]),
        prop::sample::select(&TYPES[..]),
        prop::sample::select(&BODIES[..]),
        prop::option::of(0_u8..20),
        end,
    );
    let response = response.prop_map(|(status, media_type, body, grpc, end)| Says::Response {
        status,
        media_type,
        body,
        grpc,
        end,
    });
    let kinds = [
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::TimedOut,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Other,
    ];
    let service = prop_oneof![
        12 => response,
        1 => prop::sample::select(kinds.to_vec()).prop_map(Says::Fails),
        1 => Just(Says::Panics),
        1 => Just(Says::Nothing),
    ];
    let client = prop_oneof![5 => Just(Client::Reads), 1 => (0_u8..3).prop_map(Client::Leaves)];
    let parts = (place, method, 0..PROTOCOLS.len(), prop::sample::select(&[0_usize, 10, 100][..]), service, client);
    parts.prop_map(|((mode, place), method, protocol, body, service, client)| {
        let method = if protocol == 0 { method } else { "POST" };
        Asked { path: format!("/{mode}/{place}/x"), method, protocol, body, service, client }
    })
}

fn policy() -> Policy {
    let mut text = String::from("version = 1\n");
    for mode in MODES {
        for place in PLACES {
            let guards = match place {
                "json" => "json = true\nbody_limit = 64\n",
                "events" => "event_streams = \"append_error\"\n",
                _ => "",
            };
            text.push_str(&format!("[[route]]\nmatch = \"/{mode}/{place}/{{*rest}}\"\nmode = \"{mode}\"\n{guards}"));
        }
    }
    Policy::from_toml("policy.toml", &text).unwrap()
}

async fn answer(says: Says) -> Result<Response<http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>>, BoxError> {
    match says {
        Says::Fails(kind) => Err(io::Error::new(kind, "it failed").into()),
        Says::Panics => panic!("the service panics"),
        Says::Nothing => std::future::pending().await,
        Says::Response { status, media_type, body, grpc, end } => {
            let mut response = Response::builder().status(status).header("content-type", media_type);
            if let Some(grpc) = grpc {
                response = response.header("grpc-status", grpc.to_string());
            }
            let first = Ok(Frame::data(Bytes::from_static(body.as_bytes())));
            let body = match end {
                BodyEnd::Whole => {
                    Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync()
                }
                BodyEnd::Breaks => {
                    let broken = Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    StreamBody::new(tokio_stream::iter([first, broken])).boxed_unsync()
                }
                BodyEnd::Pends => {
                    let pending = tokio_stream::StreamExt::chain(tokio_stream::iter([first]), tokio_stream::pending());
                    StreamBody::new(pending).boxed_unsync()
                }
            };
            Ok(response.body(body).unwrap())
        }
    }
}

/// Sends one request. The client leaves instead of waiting for a part that never arrives.
async fn send(layer: &ErrorEnvelopeLayer, asked: &Asked) {
    let says = asked.service.clone();
    let service = layer.layer(service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        let says = says.clone();
        async move {
            request.into_body().collect().await?;
            answer(says).await
        }
    }));
    let mut request = Request::builder().method(asked.method).uri(&asked.path);
    for (name, value) in PROTOCOLS[asked.protocol] {
        request = request.header(*name, *value);
    }
    let body = if PROTOCOLS[asked.protocol].is_empty() { vec![b'1'; asked.body] } else { vec![0; 5] };
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let patience = std::time::Duration::from_secs(1);
    let Ok(Ok(response)) = tokio::time::timeout(patience, service.oneshot(request)).await else { return };
    let mut body = std::pin::pin!(response.into_body());
    let most = match asked.client {
        Client::Reads => u8::MAX,
        Client::Leaves(frames) => frames,
    };
    for _ in 0..most {
        // Like a server, the client does not poll a body that has ended.
        if http_body::Body::is_end_stream(&*body) {
            break;
        }
        match tokio::time::timeout(patience, body.frame()).await {
            Ok(Some(Ok(_))) => {}
            _ => break,
        }
    }
}

/// The fields of a record that the test compares with the other views.
#[derive(Clone, Debug)]
struct Stated {
    /// The fields in the line of the log.
    line: BTreeMap<&'static str, Value>,
    route: String,
    method: &'static str,
    class: String,
    outcome: &'static str,
    has_line: bool,
    is_broken: bool,
    unread: Option<&'static str>,
    would_refuse: Vec<String>,
}

/// The admin's own observer, and the records that it got.
struct Both {
    admin: Arc<dyn Observer>,
    seen: Arc<Mutex<Vec<Stated>>>,
}

impl Observer for Both {
    fn on_record(&self, record: &ClosedRecord) {
        self.admin.on_record(record);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(stated(record));
    }
}

fn stated(record: &ClosedRecord) -> Stated {
    let code = |sent: Option<&SentStatus>| json!(sent.and_then(|sent| sent.code.as_ref()).map(|code| code.as_str()));
    let would = record.would_be();
    let end = record.delivery().end.as_str();
    let line = BTreeMap::from([
        ("request_id", json!(record.request_id().to_string())),
        ("status", json!(record.status().map(|status| status.as_u16()))),
        ("code", code(record.sent())),
        ("grpc_status", json!(record.grpc_status())),
        ("would_be_status", json!(would.map(|sent| sent.status.as_u16()))),
        ("would_be_code", code(would)),
        ("would_be_grpc_status", json!(would.and_then(|sent| sent.grpc))),
        ("origin", json!(record.origin().map(|origin| origin.as_str()))),
        ("end", if end == "complete" { Value::Null } else { json!(end) }),
        ("route", json!(record.route())),
        ("mode", json!(record.own_mode().as_str())),
        ("method", json!(record.method().as_str())),
        ("dialect", json!(record.dialect().map(|shape| shape.as_str()))),
        ("unread", json!(record.unread().map(|why| why.as_str()))),
    ]);
    Stated {
        line,
        route: record.route().unwrap_or("none").to_owned(),
        method: record.method().as_str(),
        class: record.status().map_or("none".to_owned(), |status| format!("{}xx", status.as_u16() / 100)),
        outcome: record.outcome().as_str(),
        has_line: record.origin().is_some(),
        is_broken: record.outcome().as_str() == "broken",
        unread: record.unread().map(|why| why.as_str()),
        would_refuse: record.would_refuse().map(|code| code.as_str().to_owned()).collect(),
    }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of the thread. The subscriber is set for the whole process, because log levels are global. A temporary
/// subscriber would change which lines other tests log.
#[derive(Clone, Copy)]
struct Log;

impl Log {
    fn begin() {
        static BEGUN: Once = Once::new();
        BEGUN.call_once(|| tracing_subscriber::fmt().json().with_writer(|| Self).with_max_level(Level::INFO).init());
        LOG.take();
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the label of a metric for a field of the log.
fn label(stated: &Stated, field: &str) -> String {
    let value = &stated.line[field];
    let is_other = field == "grpc_status" && value.as_u64().is_some_and(|number| number > 16);
    if is_other { "other".to_owned() } else { text(value) }
}

/// Returns the sums of a metric's series by these labels.
fn sums(metrics: &str, name: &str, by: &[&str]) -> BTreeMap<Vec<String>, u64> {
    let mut sums = BTreeMap::new();
    for line in metrics.lines().filter(|line| line.starts_with(&format!("{name}{{"))) {
        let (labels, value) = line.rsplit_once(' ').unwrap();
        let of = |label: &str| {
            let found =
                labels.split_once(&format!("{{{label}=\"")).or_else(|| labels.split_once(&format!(",{label}=\"")));
            found.map(|(_, rest)| rest.split('"').next().unwrap().to_owned()).unwrap_or_default()
        };
        *sums.entry(by.iter().map(|label| of(label)).collect()).or_default() += value.parse::<u64>().unwrap();
    }
    sums
}

fn tally(keys: impl Iterator<Item = Vec<String>>) -> BTreeMap<Vec<String>, u64> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}

struct Views {
    seen: Vec<Stated>,
    lines: Vec<Value>,
    metrics: String,
    errors: Value,
    now: Value,
    readiness: Value,
}

fn views(requests: &[Asked]) -> Views {
    let (_recording, handle) = recording();
    Log::begin();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (admin, seen) = (Admin::new(), Arc::<Mutex<Vec<Stated>>>::default());
        let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy()));
        let layer = layer.observer(Both { admin: admin.observer(), seen: seen.clone() });
        for asked in requests {
            send(&layer, asked).await;
        }
        let lines = String::from_utf8(LOG.take()).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let seen = seen.lock().unwrap().clone();
        Views {
            lines: lines
                .filter(|line| line["fields"]["origin"].is_string())
                .map(|line| line["fields"].clone())
                .collect(),
            metrics: handle.render(),
            errors: ask(&admin, "GET", "/errors.json").await.json(),
            now: ask(&admin, "GET", "/now.json").await.json(),
            readiness: ask(&admin, "GET", "/readiness.json").await.json(),
            seen,
        }
    })
}

fn compare(requests: &[Asked], views: &Views) -> Result<(), TestCaseError> {
    let Views { seen, lines, metrics, errors, now, readiness } = views;
    prop_assert_eq!(seen.len(), requests.len(), "each request has one record");

    let logged: Vec<&Stated> = seen.iter().filter(|stated| stated.has_line).collect();
    prop_assert_eq!(lines.len(), logged.len(), "the log: {:?}", lines);
    for (line, stated) in lines.iter().zip(&logged) {
        for (field, value) in &stated.line {
            prop_assert_eq!(&line[field], value, "the log: {} of {}", field, line);
        }
    }

    let place = |stated: &Stated| {
        vec![
            stated.route.clone(),
            stated.method.to_owned(),
            stated.class.clone(),
            stated.outcome.to_owned(),
            label(stated, "grpc_status"),
        ]
    };
    let counted =
        sums(metrics, "error_envelope_requests_total", &["route", "method", "status_class", "outcome", "grpc_status"]);
    prop_assert_eq!(counted, tally(seen.iter().map(place)));
    let by =
        ["route", "status", "code", "grpc_status", "would_be_status", "would_be_code", "origin", "mode", "dialect"];
    let kind = |stated: &&Stated| by.iter().map(|field| label(stated, field)).collect();
    prop_assert_eq!(sums(metrics, "error_envelope_errors_total", &by), tally(logged.iter().map(kind)));
    let route = |stated: &&&Stated| vec![stated.route.clone()];
    let broken = logged.iter().filter(|stated| stated.is_broken);
    prop_assert_eq!(
        sums(metrics, "error_envelope_broken_bodies_total", &["route"]),
        tally(broken.map(|it| route(&it)))
    );
    let unread = logged.iter().filter_map(|stated| Some(vec![stated.route.clone(), stated.unread?.to_owned()]));
    prop_assert_eq!(sums(metrics, "error_envelope_unread_errors_total", &["route", "reason"]), tally(unread));
    let refused = logged.iter().flat_map(|it| it.would_refuse.iter().map(|code| vec![it.route.clone(), code.clone()]));
    prop_assert_eq!(sums(metrics, "error_envelope_would_refuse_total", &["route", "code"]), tally(refused));

    let minutes = now["hour"]["outcomes"].as_object().unwrap();
    let count = |minutes: &Value| minutes.as_array().unwrap().iter().filter_map(Value::as_u64).sum::<u64>();
    let outcomes = minutes.iter().map(|(outcome, minutes)| (vec![outcome.clone()], count(minutes)));
    let outcomes: BTreeMap<_, _> = outcomes.filter(|(_, count)| *count > 0).collect();
    prop_assert_eq!(outcomes, tally(seen.iter().map(|stated| vec![stated.outcome.to_owned()])));

    for stored in errors["errors"].as_array().unwrap() {
        let is_it = |stated: &&Stated| stated.line["request_id"] == stored["id"];
        let stated = seen.iter().find(is_it).expect("a request that there was");
        prop_assert_eq!(stored["outcome"].as_str(), Some(stated.outcome));
        for field in [
            "status",
            "grpc_status",
            "would_be_status",
            "would_be_code",
            "would_be_grpc_status",
            "origin",
            "route",
            "mode",
            "dialect",
            "method",
        ] {
            prop_assert_eq!(&stored[field], &stated.line[field], "errors.json: {} of {}", field, stored);
        }
        prop_assert_eq!(stored["code"].as_str(), Some(stated.line["code"].as_str().unwrap_or("")));
    }

    for row in readiness["routes"].as_array().unwrap() {
        let mine: Vec<&Stated> = seen.iter().filter(|stated| stated.route == text(&row["route"])).collect();
        let of = |outcomes: &[&str]| mine.iter().filter(|stated| outcomes.contains(&stated.outcome)).count();
        prop_assert_eq!(row["requests"].as_u64(), Some(mine.len() as u64), "{}", row);
        prop_assert_eq!(
            row["errors"].as_u64(),
            Some(of(&["client_error", "server_error", "broken"]) as u64),
            "{}",
            row
        );
        prop_assert_eq!(row["client_left"].as_u64(), Some(of(&["client_left"]) as u64), "{}", row);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").map_or(40, |it| it.parse().unwrap()), ..ProptestConfig::default() })]

    #[test]
    fn l5_all_views_of_a_record_state_the_same(requests in prop::collection::vec(asked(), 1..40)) {
        compare(&requests, &views(&requests))?;
    }
}
