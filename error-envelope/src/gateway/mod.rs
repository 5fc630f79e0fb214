//! `error-envelope gateway`: a reverse proxy with the error layer in front of it.
//!
//! Read on in this order: [`args`] are its flags and [`limits`] those with a number, [`serve`] accepts, [`connection`]
//! serves one client, by [`tls`] or without; [`client`] says who that is, to the log and, as [`forwarded`] has it, to the
//! service; [`proxy`] forwards to the [`upstream`] over [`http1`] or [`http2`], as many requests at once as there is
//! [`capacity`] for, by a [`pool`] of connections, [`headers`] knows what belongs to one hop alone, [`upgrade`] joins two connections; [`pace`], [`idle`],
//! [`delivery`] and [`keep_alive`] keep the clocks; [`on_call`] is the admin address; [`flight`] is what a stop ends;
//! [`connect`], [`linger`] and [`abort`] are about how connections end; [`count`] counts.

mod abort;
pub(crate) mod args;
mod capacity;
mod client;
mod connect;
mod connection;
mod count;
mod delivery;
mod descriptors;
mod flight;
mod forwarded;
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
mod pool;
pub(crate) mod proxy;
pub(crate) mod serve;
pub(crate) mod signals;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;
pub(crate) mod upstream;

use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;
use tower::Layer;
use tower_error_envelope::ErrorEnvelopeLayer;

pub(crate) use self::args::Args;
use self::args::Front;
use self::forwarded::Forwarding;
use self::on_call::OnCall;
use self::serve::Door;
use self::signals::Told;
use self::tls::{Pair, Tls};
use crate::failure::{Failure, say};

/// For tasks to be dropped, each of which logs its request: many times what ten thousand take.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// Serves until it is told to stop; the exit code is that of a signal where one more ended it at once.
pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let log = args.front.log.init()?;
    block_on(async {
        log.tell_drops();
        args.upstream_limits.log_ignored();
        descriptors::raise(args.front.limits.max_connections, args.upstream_limits.descriptors());
        let upstream = args.upstream()?;
        let on_call = OnCall::listen(&args.front.on_call).await?;
        let layer = on_call.layer(layer(&args.front)?);
        let (stop, at_once) = signals::stop().map_err(no_signals)?.split();
        let door = open(&args.listen, args.pair(), args.front.forwarded, &layer).await?;
        on_call.say()?;
        let (version, limits) = (args.upstream_version(), args.front.limits);
        let service = proxy::to(upstream, version, *args.upstream_timeout, args.upstream_limits);
        let stop = on_call.drains_at(stop);
        let cut_short = on_call.beside(serve::serve(door, layer.layer(service), limits, stop, at_once)).await;
        Ok(cut_short.map_or(0, Told::code))
    })
}

/// Runs `main` on a runtime of its own. What it leaves ends with it: a name that is looked up for half a minute does not keep
/// who has been told to stop.
pub(crate) fn block_on<T>(main: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| Failure::Io(format!("the runtime cannot start: {error}")))?;
    let outcome = runtime.block_on(main);
    runtime.shutdown_timeout(LAST_TASKS);
    outcome
}

pub(crate) fn layer(front: &Front) -> Result<ErrorEnvelopeLayer, Failure> {
    let layer = ErrorEnvelopeLayer::new();
    match &front.policy {
        Some(file) => layer.watching(file).map_err(|error| Failure::of(&error)),
        None => Ok(layer),
    }
}

/// SIGHUP reads the policy and the certificate anew, whatever a watcher has seen; neither waits for the other.
fn reload_at_hangup(layer: &ErrorEnvelopeLayer, tls: Option<Arc<Tls>>) -> Result<(), Failure> {
    let layer = layer.clone();
    let reload = move || match layer.reload() {
        Ok(true) => {}
        Ok(false) => tracing::info!("SIGHUP: the policy is as it was before the reload"),
        Err(error) => tracing::error!("SIGHUP: reload refused: {error}; the old policy stays in force"),
    };
    signals::at_hangup("policy-hangup", reload).map_err(no_signals)?;
    match tls {
        Some(tls) => signals::at_hangup("tls-hangup", move || tls.reload()).map_err(no_signals),
        None => Ok(()),
    }
}

pub(crate) fn no_signals(error: std::io::Error) -> Failure {
    Failure::Io(format!("signals cannot be listened to: {error}"))
}

/// So many clients may wait to be accepted, where the system allows it (`net.core.somaxconn`, since Linux 5.4 as many).
///
/// The handshake of one that finds no room there is tried again a second later, then three, then seven; 128, which bound
/// listeners have, is less than what comes at once after a deployment.
const QUEUE: i32 = 4096;

/// Binds, and says where: the first line of standard output is for scripts that wait for it.
pub(crate) async fn open(
    asked: &str,
    pair: Option<Pair>,
    forwarding: Forwarding,
    layer: &ErrorEnvelopeLayer,
) -> Result<Door, Failure> {
    let tls = pair.map(Tls::watching).transpose()?;
    reload_at_hangup(layer, tls.clone())?;
    let refused = |error| {
        Failure::Io(format!("--listen {asked}: {error}\n = help: choose another address, or port 0 for a free one"))
    };
    let listener = TcpListener::bind(asked).await.map_err(refused)?;
    SockRef::from(&listener).listen(QUEUE).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    say(format_args!("listening on {scheme}://{address}"))?;
    Ok(Door { listener, address, tls, forwarding, layer: layer.clone() })
}
