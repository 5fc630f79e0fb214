//! `error-envelope demo` runs an embedded service that misbehaves, and a client that shows the results.
//!
//! [`acts`] lists each fault with the response that a client should get. The service with these faults ([`stage`]), the
//! index at `/` and the client ([`tour`]) all use this table.

mod acts;
mod stage;
mod tour;

use std::path::PathBuf;

use error_envelope_gateway::ListeningSockets;
use humantime::Duration as Time;
use tokio::sync::oneshot;

use crate::failure::{CommandError, block_on_threads, print_line};
use crate::gateway::args::{Front, workers};
use crate::gateway::limits::{UpstreamFlags, address, time};
use crate::gateway::log::Writing;
use crate::gateway::on_call::AdminListener;
use crate::gateway::{self, system};

/// Demonstrate the layer on an embedded service that fails in many ways
///
/// Starts a failing service with the gateway in front of it, sends one request of each kind, and prints the service's
/// response next to the one that the client got. Then the gateway runs until Ctrl-C.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; a port alone means loopback, and port 0 picks a free port [default: 127.0.0.1:8080, with
    /// --once 127.0.0.1:0]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<String>,
    // The default is short, so that the demo soon shows the 504 of a slow head.
    /// Limit the time until the embedded service sends its response head, such as 500ms
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1s")]
    upstream_timeout: Time,
    /// Exit after the demo's requests; exit code 1 if a response is not as expected
    #[arg(long)]
    once: bool,
    /// Write the responses to the demo's own requests to FILE: one JSON object {name, status, headers, body} per line
    #[arg(long, value_name = "FILE", requires = "once")]
    tour_json: Option<PathBuf>,
    #[command(flatten)]
    front: Front,
    #[command(flatten)]
    upstream_limits: UpstreamFlags,
}

/// Serves the demo and sends its requests at the same time. The exit code is 1 if `--once` found a wrong response.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let log = args.front.init_log()?;
    block_on_threads(workers(args.front.workers), show(args, &log))
}

async fn show(args: &Args, log: &Writing) -> Result<u8, CommandError> {
    let mut sockets = ListeningSockets::default();
    let on_call = AdminListener::listen(&args.front.on_call, &mut sockets).await?;
    log.count_drops();
    let layer = gateway::layer(&args.front, on_call.as_ref())?;
    let (stop, at_once) = system::stop()?;
    // With `--once`, only the demo's own client connects, so the default is any free port.
    let default = if args.once { "127.0.0.1:0" } else { "127.0.0.1:8080" };
    let listener = gateway::listen(args.listen.as_deref(), default, &mut sockets).await?;
    let gateway = gateway::open(listener, None, &args.front, layer, on_call, log.exports.tracer.clone())?;
    let address = gateway.local_addr();
    let no_service = |error| CommandError::Io(format!("the embedded service cannot start: {error}"));
    let (service, bare) =
        stage::start(*args.upstream_timeout, args.upstream_limits.limits()).await.map_err(no_service)?;
    if !args.once {
        print_line(format_args!("the service without the layer: http://{bare}"))?;
    }
    let (tour_done, after_tour) = oneshot::channel::<()>();
    let stop = async {
        tokio::select! {
            _ = after_tour, if args.once => {}
            () = stop => {}
        }
    };
    let tour = async {
        let outcome = tour::tour(address, args.tour_json.as_deref()).await;
        drop(tour_done);
        if !args.once && outcome.is_ok() {
            let _ = print_line(format_args!("While it runs: curl -i http://{address}/html-502"));
        }
        outcome
    };
    let (outcome, cut_short) = tokio::join!(tour, gateway.serve_until(service, stop, at_once));
    match cut_short {
        Some(signal) => Ok(signal.code),
        None if args.once => outcome.map(|as_expected| u8::from(!as_expected)),
        // Without `--once`, a wrong row has been printed long ago, and does not change the exit code.
        None => Ok(0),
    }
}
