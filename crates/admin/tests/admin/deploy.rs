//! Tests that the dashboard and the alerts in `deploy/` name metrics, labels and values that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use regex::Regex;
use serde_json::Value;
use tokio_stream::StreamExt;
use tower::{Layer, Service, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use crate::kit::recording;

/// The labels of each metric, and the values of each label.
type Exposed = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// An error with a custom code, from a service that itself uses the layer.
const CANONICAL: &str =
    r#"{"error":{"code":"seat_taken","message":"Seat 7 is taken"},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;

/// The labels that Prometheus itself adds.
const ADDED: [&str; 2] = ["job", "instance"];

/// An existing metric that replaces the metrics that recording rules define. The expressions of these rules are
/// checked, too.
const A_METRIC: &str = "error_envelope_requests_total";

const WORDS: [&str; 18] = [
    "sum",
    "count",
    "max",
    "avg",
    "group",
    "by",
    "on",
    "and",
    "or",
    "unless",
    "offset",
    "rate",
    "increase",
    "changes",
    "topk",
    "histogram_quantile",
    "min",
    "time",
];

/// Returns the metrics that are exposed after every kind of event has happened.
async fn exposed() -> Exposed {
    let (_recording, handle) = recording();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, "version = 1\n").unwrap();
    let watched = ErrorEnvelopeLayer::watch(&file).unwrap();
    fs::write(&file, "version = 1\n[limits]\n").unwrap();
    assert!(watched.reload().is_err());
    let admin = Admin::new();
    let switch = admin.kill_switch();
    assert!(switch.turn_on() && switch.turn_off());

    let policy = Policy::builder()
        .body_limit(1)
        .route(RouteRule::new("/observed").mode(Mode::Observe))
        .route(RouteRule::new("/errors/{kind}"))
        .build()
        .unwrap();
    let mut service = admin.attach(ErrorEnvelopeLayer::new().policy(policy)).layer(service_fn(misbehave));
    for path in ["/observed", "/errors/500", "/errors/foreign", "/errors/failed", "/errors/panic", "/errors/slow"] {
        let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
        service.call(request).await.unwrap().into_body().collect().await.unwrap();
    }
    for path in ["/errors/failed", "/errors/500"] {
        let call = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
        let call = call.version(http::Version::HTTP_2).body(Full::<Bytes>::default()).unwrap();
        service.call(call).await.unwrap().into_body().collect().await.unwrap();
    }
    let too_large = Request::post("/errors/x").body(Full::new(Bytes::from_static(b"too large"))).unwrap();
    service.call(too_large).await.unwrap().into_body().collect().await.unwrap();
    let abandoned = Request::get("/errors/never").body(Full::<Bytes>::default()).unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), service.call(abandoned)).await.is_err());
    // These are the gateway's own gauges. Its tests check that they exist with these names.
    for gauge in ["error_envelope_connections", "error_envelope_streams"] {
        metrics::gauge!(gauge, "protocol" => "http/1").set(1.0);
    }
    for gauge in ["error_envelope_certificate_refused", "error_envelope_certificate_not_after_timestamp_seconds"] {
        metrics::gauge!(gauge).set(1.0);
    }
    metrics::counter!("error_envelope_tls_handshakes_failed_total", "reason" => "alert").increment(1);
    for end in ["connections", "connections_limit", "requests", "queued_requests"] {
        metrics::gauge!(format!("error_envelope_upstream_{end}"), "upstream" => "http://127.0.0.1:3000").set(1.0);
    }
    let labels = [("upstream", "http://127.0.0.1:3000"), ("connection", "reused")];
    metrics::counter!("error_envelope_upstream_requests_total", &labels).increment(1);
    let place = [("route", "/orders/{id}"), ("scope", "none")];
    metrics::counter!("error_envelope_broken_bodies_total", &place).increment(1);
    let refused = [("code", "auth_missing"), ("route", "/orders/{id}"), ("scope", "none")];
    metrics::counter!("error_envelope_would_refuse_total", &refused).increment(1);
    metrics::counter!("error_envelope_access_log_dropped_total").increment(1);
    metrics::counter!("error_envelope_key_set_fetches_total", "outcome" => "taken").increment(1);
    metrics::counter!("error_envelope_key_set_fetches_total", "outcome" => "failed").increment(1);
    read(&handle.render())
}

async fn misbehave<B>(request: Request<B>) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, std::io::Error> {
    let whole = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync();
    let (status, body) = match request.uri().path() {
        "/observed" => (400, whole(r#"{"error":"no"}"#)),
        "/errors/foreign" => (409, whole(CANONICAL)),
        "/errors/failed" => return Err(std::io::ErrorKind::ConnectionRefused.into()),
        "/errors/panic" => panic!("as it always does"),
        "/errors/never" => pending().await,
        "/errors/slow" => {
            let frames = [b"a", b"b"].map(|byte| Ok(Frame::data(Bytes::from_static(byte))));
            (500, StreamBody::new(tokio_stream::iter(frames).throttle(Duration::from_secs(5))).boxed_unsync())
        }
        _ => (500, whole("oh")),
    };
    Ok(Response::builder().status(status).header("content-type", "application/json").body(body).unwrap())
}

fn read(text: &str) -> Exposed {
    let (series, label) =
        (Regex::new(r"(?m)^([a-z_]+)(?:\{(.*)\})? \S+$").unwrap(), Regex::new(r#"([a-z_]+)="([^"]*)""#).unwrap());
    let mut exposed = Exposed::new();
    for found in series.captures_iter(text) {
        let labels = exposed.entry(found[1].to_owned()).or_default();
        for pair in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            labels.entry(pair[1].to_owned()).or_default().insert(pair[2].to_owned());
        }
    }
    exposed
}

fn deployed(name: &str) -> String {
    fs::read_to_string(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy")).join(name)).unwrap()
}

/// Returns every text that is the value of this key, at any depth.
fn texts(value: &Value, key: &str) -> Vec<String> {
    let inner: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let own = value.get(key).and_then(Value::as_str).map(str::to_owned);
    own.into_iter().chain(inner.into_iter().flat_map(|value| texts(value, key))).collect()
}

/// Returns the names in an expression that do not exist.
fn unknown(expression: &str, exposed: &Exposed) -> Vec<String> {
    let mut unknown = Vec::new();
    let selector = Regex::new(r"([a-z_]+)\{([^}]*)\}").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    for found in selector.captures_iter(expression) {
        let labels = exposed.get(&found[1]);
        for pair in matcher.captures_iter(&found[2]) {
            let (name, value) = (&pair[1], &pair[3]);
            let values = labels.and_then(|labels| labels.get(name));
            let is_there = |values: &BTreeSet<String>| match &pair[2] {
                "=~" | "!~" => values.iter().any(|it| Regex::new(&format!("^(?:{value})$")).unwrap().is_match(it)),
                _ => values.contains(value),
            };
            let added = ADDED.contains(&name) || value.starts_with('$') && values.is_some();
            if !added && !values.is_some_and(is_there) {
                unknown.push(pair[0].to_owned());
            }
        }
    }
    // The remaining words are metrics, labels in groups, and functions. `15m` is not a word.
    let bare = Regex::new(r#"\{[^}]*\}|"[^"]*"|\[[^\]]*\]"#).unwrap().replace_all(expression, " ").into_owned();
    let metrics: Vec<_> = exposed.keys().filter(|metric| bare.contains(&***metric)).collect();
    for word in Regex::new(r"\b[a-z_][a-z0-9_]*").unwrap().find_iter(&bare).map(|word| word.as_str()) {
        let label = metrics.iter().any(|metric| exposed[*metric].contains_key(word));
        if !(exposed.contains_key(word) || label || ADDED.contains(&word) || WORDS.contains(&word)) {
            unknown.push(word.to_owned());
        }
    }
    if metrics.is_empty() {
        unknown.push(format!("no metric in {expression}"));
    }
    unknown
}

#[tokio::test(start_paused = true)]
async fn the_dashboard_and_the_alerts_name_what_there_is() {
    let exposed = exposed().await;
    let dashboard: Value = serde_json::from_str(&deployed("grafana-dashboard.json")).unwrap();
    let alerts: Value = serde_saphyr::from_str(&deployed("prometheus-alerts.yml")).unwrap();
    let recorded = texts(&alerts, "record");
    for (value, least) in [(&dashboard, 20), (&alerts, 9)] {
        let expressions = texts(value, "expr");
        assert!(expressions.len() >= least, "{expressions:?}");
        for expression in expressions {
            let expression = recorded.iter().fold(expression, |text, name| text.replace(name, A_METRIC));
            assert_eq!(unknown(&expression, &exposed), [] as [&str; 0], "{expression}\n{exposed:#?}");
        }
    }
    let shown = texts(&dashboard["panels"], "expr").join("\n");
    for metric in exposed.keys().filter(|metric| !metric.ends_with("_sum") && !metric.ends_with("_count")) {
        assert!(shown.contains(&format!("{metric}{{")), "no panel shows {metric}");
    }
    for definition in texts(&dashboard, "definition") {
        let (metric, label) =
            definition.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap().split_once(", ").unwrap();
        assert!(exposed[metric].contains_key(label) || ADDED.contains(&label), "{definition}");
    }
    for wrong in [
        r#"rate(error_envelope_error_total[5m])"#,
        r#"rate(error_envelope_errors_total{origin="guards"}[5m])"#,
        r#"rate(error_envelope_errors_total{state="guard"}[5m])"#,
        r#"sum by (path) (rate(error_envelope_errors_total[5m]))"#,
    ] {
        assert_ne!(unknown(wrong, &exposed), [] as [&str; 0], "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_manual_lists_each_metric_with_its_labels() {
    let manual = include_str!("../../../../manual/operate.md");
    let exposed = exposed().await;
    let mut listed = BTreeSet::new();
    for line in manual.lines().filter(|line| line.starts_with("| `error_envelope_")) {
        let mut names = line.split('`').skip(1).step_by(2);
        let metric = names.next().unwrap();
        let is_histogram = line.contains("histogram");
        let labels = &exposed[&if is_histogram { format!("{metric}_count") } else { metric.to_owned() }];
        let told = line.split('|').nth(3).unwrap();
        for label in labels.keys() {
            assert!(told.contains(&format!("`{label}`")), "{metric}: {label}");
        }
        listed.insert(metric);
    }
    for metric in exposed.keys() {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end)).unwrap_or(metric);
        assert!(listed.contains(base), "the manual does not list {metric}");
    }
}

#[test]
fn each_alert_has_a_runbook_that_is_there() {
    let manual = include_str!("../../../../manual/operate.md");
    let sections: BTreeSet<_> = manual.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts: Value = serde_saphyr::from_str(&deployed("prometheus-alerts.yml")).unwrap();
    let named: BTreeSet<_> = texts(&alerts, "alert").into_iter().collect();
    assert_eq!(named.iter().map(String::as_str).collect::<BTreeSet<_>>(), sections);
    let runbooks: BTreeSet<_> = texts(&alerts, "runbook_url").into_iter().collect();
    let expected: BTreeSet<_> =
        named.iter().map(|name| format!("https://runbooks.example/operate.html#{}", name.to_lowercase())).collect();
    assert_eq!(runbooks, expected);
    let tested: Value = serde_saphyr::from_str(&deployed("prometheus-rules.test.yml")).unwrap();
    assert_eq!(texts(&tested, "alertname").into_iter().collect::<BTreeSet<_>>(), named);
}
