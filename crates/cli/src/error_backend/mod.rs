//! `error-envelope error-backend`: the errors of another gateway, which hands them over by HTTP.
//!
//! 1. [`handed_over`] reads the failed request and its status, as ingress-nginx, nginx and Traefik hand them over.
//! 2. In [`answer`](mod@answer) the exchange writes the error as one of a proxy around the service (V2): with the
//!    dialect, page, id and advice that the policy has for the request's route. No guard runs: the other gateway has
//!    admitted the request.
//! 3. A [`SmallServer`] listens. Each error is logged and counted as by the gateway.

mod answer;
mod handed_over;

use std::future;
use std::path::PathBuf;
use std::time::Duration;

use error_envelope_admin::SmallServer;
use error_envelope_gateway::{ListeningSockets, SocketPurpose};
use error_envelope_runtime::PolicyHandle;

use crate::failure::{CommandError, block_on, print_line};
use crate::gateway::log::Log;
use crate::gateway::on_call::{AdminArgs, AdminListener};
use crate::gateway::signals;
use crate::policy;

/// Serve error responses for another gateway, such as ingress-nginx, nginx or Traefik
///
/// Reads the status from X-Code or from the path /{status}, and the failed request from X-Original-URI or ?url=.
/// Returns the error in the shape that the policy sets for that route. GET /healthz returns 200. The first line on
/// standard output has the address. Ctrl-C and SIGTERM stop it; SIGHUP reloads the policy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; port 0 picks a free port [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Apply this policy file, which is reloaded when it changes [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Full)]
    log: Log,
    #[command(flatten)]
    on_call: AdminArgs,
}

const DEFAULT: &str = "127.0.0.1:8081";

/// 512 places: each gateway keeps only a few connections, and most systems start a program with 1,024 descriptors. A
/// head of 64 KiB is as large as gateways accept, since they hand over all of a client's headers. Connections are kept
/// for longer than nginx keeps an idle one (60 s).
const SERVER: SmallServer =
    SmallServer::new(512, 64 * 1024, Duration::from_secs(5)).keep_alive(Duration::from_secs(75));

/// Serves until a signal stops it.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut sockets = ListeningSockets::from_systemd()?;
    let log = args.log.init(None, false)?;
    block_on(async {
        log.count_drops();
        let on_call = AdminListener::listen(&args.on_call, &mut sockets).await?;
        let policy = policy_of(args)?;
        let policy = on_call.iter().fold(policy, |policy, on_call| on_call.admin.attach(policy));
        policy.announce();
        let listener = sockets.listen(SocketPurpose::Clients, args.listen.as_deref(), DEFAULT).await?;
        let address = listener.local_addr().map_err(|error| CommandError::Io(format!("cannot listen: {error}")))?;
        let reloaded = policy.clone();
        signals::reload_policy_at_hangup(move || reloaded.reload())?;
        let (stop, at_once) = signals::stop()?;
        print_line(format_args!("listening on http://{address}"))?;
        if let Some(AdminListener { admin, listener, url }) = on_call {
            print_line(format_args!("admin on {url}"))?;
            tokio::spawn(async move { admin.serve(listener, future::pending()).await });
        }
        let answer = move |request| future::ready(Ok(answer::answer(policy.config(), request)));
        tokio::select! {
            () = SERVER.serve(listener, None, answer, stop) => Ok(0),
            signal = at_once => Ok(signal.code()),
        }
    })
}

fn policy_of(args: &Args) -> Result<PolicyHandle, CommandError> {
    let Some(file) = &args.policy else { return Ok(PolicyHandle::fixed(tower_error_envelope::Policy::default())) };
    let loader = policy::loader_without_credentials();
    PolicyHandle::watching(file, loader).map_err(|first| CommandError::of_policy(&first, policy::read(file)))
}
