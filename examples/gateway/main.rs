//! A reverse proxy with the error layer in front of it.
//!
//! `cargo run --example gateway` starts a service that misbehaves in every way that the layer knows, puts the layer in
//! front of it, sends itself one request of each kind and prints what the service said beside what the client got; then
//! it serves until Ctrl-C. `--upstream http://127.0.0.1:3000` puts it in front of a real service instead.
//!
//! Read on in this order: [`serve`] accepts, [`proxy`] forwards over [`http1`] or [`http2`], [`headers`] knows what
//! belongs to one hop alone, [`upgrade`] joins two connections, [`pace`] and [`idle`] keep the clocks; [`connect`],
//! [`linger`] and [`abort`] are about how connections end; [`demo`] misbehaves.
#![allow(clippy::disallowed_methods, reason = "a program has a clock and an executor; the ban is for the library")]

mod abort;
mod args;
mod connect;
mod demo;
mod headers;
mod http1;
mod http2;
mod idle;
mod linger;
mod log;
mod pace;
mod proxy;
mod serve;
mod signals;
mod upgrade;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_layer::Layer;

use crate::args::Args;

/// A failure that ends the program; its text says what, where and what to do.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The embedded service's slow head should show its 504 soon; a real service gets longer.
const DEMO_TIMEOUT: Duration = Duration::from_secs(1);
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    args.log.init();
    match run(args).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<ExitCode, BoxError> {
    let layer = layer(&args)?;
    let stop = signals::stop()?;
    let reloading = layer.clone();
    signals::at_hangup(move || match reloading.reload() {
        Ok(true) => {}
        Ok(false) => tracing::info!("SIGHUP: the policy is as it was before the reload"),
        Err(error) => tracing::error!("SIGHUP: reload refused: {error}; the old policy stays in force"),
    })?;
    let (listener, address) = listen(&args).await?;
    let Some(upstream) = &args.upstream else {
        return show(listener, address, layer, &args, stop).await;
    };
    let timeout = args.upstream_timeout.unwrap_or(UPSTREAM_TIMEOUT);
    let service = layer.layer(proxy::to(upstream.clone(), args.upstream_version(), timeout));
    serve::serve(listener, service, args.limits(), stop).await;
    Ok(ExitCode::SUCCESS)
}

/// The embedded service, and the tour while it is served.
async fn show(
    listener: TcpListener,
    address: SocketAddr,
    layer: ErrorEnvelopeLayer,
    args: &Args,
    stop: impl Future<Output = ()>,
) -> Result<ExitCode, BoxError> {
    let (service, bare) = demo::start(args.upstream_timeout.unwrap_or(DEMO_TIMEOUT)).await?;
    let service = layer.layer(service);
    if !args.once {
        say(format_args!("the service without the layer: http://{bare}"))?;
    }
    let (tour_done, after_tour) = oneshot::channel::<()>();
    let stop = async { if args.once { drop(after_tour.await) } else { stop.await } };
    let tour = async {
        let outcome = demo::tour(address, args.tour_json.as_deref(), args.tour_har.as_deref()).await;
        drop(tour_done);
        outcome
    };
    let (outcome, ()) = tokio::join!(tour, serve::serve(listener, service, args.limits(), stop));
    // Somebody who served for a day is not told at its end that a row was wrong.
    if args.once { outcome } else { Ok(ExitCode::SUCCESS) }
}

fn layer(args: &Args) -> Result<ErrorEnvelopeLayer, BoxError> {
    let layer = ErrorEnvelopeLayer::new();
    Ok(match &args.policy {
        Some(file) => layer.watching(file)?,
        None => layer,
    })
}

/// Binds, and says where: the first line of standard output is for scripts that wait for it.
async fn listen(args: &Args) -> Result<(TcpListener, SocketAddr), BoxError> {
    let asked = args.listen();
    let refused = |error| format!("--listen {asked}: {error}; choose another address, or port 0 for a free one");
    let listener = TcpListener::bind(asked).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    say(format_args!("listening on http://{address}"))?;
    Ok((listener, address))
}

/// A line that is read before the program ends.
fn say(line: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
