//! `error-envelope gateway`: a reverse proxy with the error layer in front of it.
//!
//! Read on in this order: [`args`] are its flags and [`limits`] those with a number, [`serve`] accepts, [`connection`]
//! serves one client, by [`tls`] or without; [`proxy`] forwards to the [`upstream`] over [`http1`] or [`http2`], as many
//! requests at once as there is [`capacity`] for, [`headers`] knows what belongs to one hop alone, [`upgrade`] joins two
//! connections; [`pace`], [`idle`], [`delivery`] and [`keep_alive`] keep the clocks; [`on_call`] is the admin address;
//! [`connect`], [`linger`] and [`abort`] are about how connections end; [`count`] counts.

mod abort;
pub(crate) mod args;
mod capacity;
mod connect;
mod connection;
mod count;
mod delivery;
mod descriptors;
mod headers;
mod http1;
mod http2;
mod idle;
mod keep_alive;
pub(crate) mod limits;
mod linger;
mod log;
pub(crate) mod on_call;
mod pace;
pub(crate) mod proxy;
pub(crate) mod serve;
pub(crate) mod signals;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;
pub(crate) mod upstream;

use std::io::Write;
use std::sync::Arc;

use tokio::net::TcpListener;
use tower::Layer;
use tower_error_envelope::ErrorEnvelopeLayer;

pub(crate) use self::args::Args;
use self::args::Front;
use self::on_call::OnCall;
use self::serve::Door;
use self::tls::{Pair, Tls};
use crate::failure::Failure;

/// A failure of one request or connection.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves until it is told to stop.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let log = args.front.log.init();
    runtime()?.block_on(async {
        log.tell_drops();
        descriptors::raise(args.front.limits.max_connections, args.upstream_limits.upstream_requests);
        let upstream = args.upstream()?;
        let on_call = OnCall::listen(&args.front.on_call).await?;
        let layer = on_call.layer(layer(&args.front)?);
        let stop = signals::stop().map_err(no_signals)?;
        let door = open(&args.listen, args.pair(), &layer).await?;
        on_call.say()?;
        let (version, limits) = (args.upstream_version(), args.front.limits);
        let service = proxy::to(upstream, version, *args.upstream_timeout, args.upstream_limits);
        let stop = on_call.drains_at(stop);
        on_call.beside(serve::serve(door, layer.layer(service), limits, stop)).await;
        Ok(())
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|error| Failure::Io(format!("the runtime cannot start: {error}")))
}

pub(crate) fn layer(front: &Front) -> Result<ErrorEnvelopeLayer, Failure> {
    let layer = ErrorEnvelopeLayer::new();
    match &front.policy {
        Some(file) => layer.watching(file).map_err(|error| Failure::of(&error)),
        None => Ok(layer),
    }
}

/// SIGHUP reads the policy and the certificate anew, whatever a watcher has seen.
fn reload_at_hangup(layer: &ErrorEnvelopeLayer, tls: Option<Arc<Tls>>) -> Result<(), Failure> {
    let layer = layer.clone();
    let reload = move || {
        match layer.reload() {
            Ok(true) => {}
            Ok(false) => tracing::info!("SIGHUP: the policy is as it was before the reload"),
            Err(error) => tracing::error!("SIGHUP: reload refused: {error}; the old policy stays in force"),
        }
        if let Some(tls) = &tls {
            tls.reload();
        }
    };
    signals::at_hangup(reload).map_err(no_signals)
}

pub(crate) fn no_signals(error: std::io::Error) -> Failure {
    Failure::Io(format!("signals cannot be listened to: {error}"))
}

/// Binds, and says where: the first line of standard output is for scripts that wait for it.
pub(crate) async fn open(asked: &str, pair: Option<Pair>, layer: &ErrorEnvelopeLayer) -> Result<Door, Failure> {
    let tls = pair.map(Tls::watching).transpose()?;
    reload_at_hangup(layer, tls.clone())?;
    let refused = |error| {
        Failure::Io(format!("--listen {asked}: {error}\n = help: choose another address, or port 0 for a free one"))
    };
    let listener = TcpListener::bind(asked).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    say(format_args!("listening on {scheme}://{address}"))?;
    Ok(Door { listener, address, tls })
}

/// A line that is read before the program ends.
pub(crate) fn say(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| Failure::Io(format!("standard output: {error}")))
}
