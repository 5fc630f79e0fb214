//! `error-envelope ext-proc`: the command line of [`error_envelope_extproc`].

use std::path::PathBuf;

use error_envelope_extproc::{Processor, ProcessorLimits, policy_loader};
use error_envelope_gateway::ListeningSockets;
use humantime::Duration as Time;

use crate::failure::{CommandError, block_on, print_line};
use crate::gateway::args::workers;
use crate::gateway::limits::{address, delay, time};
use crate::gateway::log::Log;
use crate::gateway::on_call::{AdminArgs, AdminListener, watched_policy};
use crate::gateway::{self, system};

/// Run an external processor for Envoy, which applies the policy
///
/// Use it if Envoy cannot load the module; `envoy-config --ext-proc` generates Envoy's configuration. The policy file
/// is reloaded when it changes, and on SIGHUP. The first line on standard output shows the address. Ctrl-C and SIGTERM
/// stop the processor once requests in flight have ended. The address also serves gRPC health checks; it has no TLS, so
/// keep it on loopback or in a trusted network. TIME needs a unit, such as 500ms or 30s.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; a port alone means loopback, and port 0 picks a free port
    #[arg(long, value_name = "ADDR", value_parser = address, default_value = DEFAULT)]
    listen: String,
    /// Apply this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Full)]
    log: Log,
    /// Serve Envoy on this many threads [default: the processors that the process may use]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Limit the concurrent requests on a connection; Envoy opens another connection for more
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    max_streams: u32,
    /// Keep accepting connections for this time after a stop signal, while health checks report that the processor is
    /// stopping
    #[arg(long, value_name = "TIME", value_parser = delay, default_value = "0s")]
    drain_delay: Time,
    /// Limit the time that a stop waits for requests in flight
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    stop_timeout: Time,
    #[command(flatten)]
    on_call: AdminArgs,
}

const DEFAULT: &str = "127.0.0.1:9002";

/// Serves until a signal stops the processor. Returns 0, or the exit code for the second signal if that signal ended
/// the processor at once.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let log = args.log.init(None, false)?;
    block_on(async {
        log.count_drops();
        let mut sockets = ListeningSockets::from_systemd()?;
        let on_call = AdminListener::listen(&args.on_call, &mut sockets).await?;
        let handle = watched_policy(args.policy.as_deref(), policy_loader, on_call.as_ref())?;
        let listener = gateway::listen(Some(&args.listen), DEFAULT, &mut sockets).await?;
        let (stop, at_once) = system::stop()?;
        let limits = ProcessorLimits {
            workers: workers(args.workers),
            max_streams: args.max_streams,
            drain_delay: *args.drain_delay,
            stop_timeout: *args.stop_timeout,
        };
        let processor = Processor::listening(listener, handle, limits);
        let mut processor = processor.map_err(|error| CommandError::Io(format!("cannot listen: {error}")))?;
        print_line(format_args!("listening on http://{}", processor.local_addr()))?;
        if let Some(AdminListener { admin, listener, url }) = on_call {
            print_line(format_args!("admin on {url}"))?;
            processor = processor.admin(admin, listener);
        }
        system::ready();
        let ended = processor.serve_until(system::stopping_after(stop), at_once).await;
        let cut_short = ended.map_err(|error| CommandError::Io(format!("cannot serve: {error}")))?;
        Ok(cut_short.map_or(0, |signal| signal.code))
    })
}
