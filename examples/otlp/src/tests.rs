//! Tests what a collector receives.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use axum::body::Body;
use axum::http::Request;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prost::Message;
use tower::ServiceExt;

/// Returns a collector that accepts one export.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
    let (give, given) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        give.send((head.join("\n"), body)).unwrap();
    });
    (url, given)
}

#[test]
fn a_collector_receives_errors_by_opentelemetrys_names() {
    let (url, given) = collector();
    let exporter = MetricExporter::builder().with_http().with_endpoint(url).build().unwrap();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let app = super::app(&provider).unwrap();
        for path in ["/seats/7", "/seats/8", "/nowhere/9"] {
            app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        }
    });
    provider.shutdown().unwrap();
    let (head, body) = given.recv().unwrap();
    assert!(head.starts_with("POST /v1/metrics HTTP/1.1"), "{head}");
    let export = ExportMetricsServiceRequest::decode(&*body).unwrap();
    let scope = &export.resource_metrics[0].scope_metrics[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "tower-error-envelope");
    let metric = &scope.metrics[0];
    assert_eq!((&*metric.name, &*metric.unit), ("http.server.errors", "{error}"));
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    let mut counted: Vec<_> = sum
        .data_points
        .iter()
        .map(|point| {
            let attributes: BTreeMap<_, _> = point
                .attributes
                .iter()
                .map(|it| (&*it.key, text(it.value.as_ref().unwrap().value.as_ref().unwrap())))
                .collect();
            let Some(number_data_point::Value::AsInt(count)) = point.value else { panic!("{point:?}") };
            (count, format!("{attributes:?}"))
        })
        .collect();
    counted.sort();
    let nowhere = r#"{"error.type": "not_found", "http.response.status_code": "404"}"#;
    let seats = r#"{"error.type": "conflict", "http.response.status_code": "409", "http.route": "/seats/{id}"}"#;
    assert_eq!(counted, [(1, nowhere.to_owned()), (2, seats.to_owned())]);
}

fn text(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    }
}
