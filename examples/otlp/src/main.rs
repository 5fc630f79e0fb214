//! A service whose errors are counted by OpenTelemetry's names, and sent to a collector by OTLP over HTTP.
//!
//! Run `OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 cargo run`, then `curl localhost:3000/seats/7`. The counts
//! are sent every `OTEL_METRIC_EXPORT_INTERVAL` milliseconds, by default every minute, and once more at Ctrl-C.

mod errors;

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tokio::net::TcpListener;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};

use crate::errors::Errors;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let exporter = MetricExporter::builder().with_http().build()?;
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app(&provider)?).with_graceful_shutdown(stop).await?;
    // The last counts are sent by a separate thread, and the runtime must not wait for it.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

fn app(provider: &SdkMeterProvider) -> Result<Router, Box<dyn Error>> {
    let policy = Policy::builder().route(RouteRule::new("GET /seats/{id}")).build()?;
    let observer = Errors::new(&provider.meter("tower-error-envelope"));
    let layer = ErrorEnvelopeLayer::new().policy(policy).observer(observer);
    let seat = async || (StatusCode::CONFLICT, r#"{"message":"Seat 7 is taken"}"#);
    Ok(Router::new().route("/seats/{id}", get(seat)).layer(layer))
}

#[cfg(test)]
mod tests;
