//! `error-envelope gateway`: the command line of [`error_envelope_gateway`].
//!
//! [`args`] defines the gateway's flags. [`limits`] defines the flags for limits, and [`on_call`] the flags of the
//! admin address. [`mod@log`] writes the log and the access log. [`system`] handles the operator's signals.

pub(crate) mod args;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod on_call;
pub(crate) mod system;

use std::sync::Arc;

use error_envelope_gateway::{Gateway, GatewayConfig, ListeningSockets, ServerTls, SocketPurpose, Tracer};
use error_envelope_runtime::{KillSwitch, SwitchNote};
use tokio::net::TcpListener;
use tower_error_envelope::ErrorEnvelopeLayer;

pub(crate) use self::args::Args;
use self::args::Front;
use self::on_call::AdminListener;
use crate::failure::{CommandError, block_on_threads, print_line};

/// Serves until a signal stops the gateway. Returns 0, or the exit code for the second signal if that signal ended the
/// gateway at once.
pub(crate) fn run(args: &Args, unread_variables: &[String]) -> Result<u8, CommandError> {
    let mut sockets = ListeningSockets::from_systemd()?.reuse_port(args.reuse_port);
    let log = args.front.init_log()?;
    block_on_threads(args::workers(args.front.workers), async {
        for variable in unread_variables {
            tracing::warn!(variable, "no flag reads this environment variable; see error-envelope gateway --help-all");
        }
        let on_call = AdminListener::listen(&args.front.on_call, &mut sockets).await?;
        log.count_drops();
        let rest = args.upstream.as_ref().and_then(|rest| Some(rest.as_ref().ok()?.url().clone()));
        let layer = layer(&args.front, on_call.as_ref())?.log_upstreams(rest);
        let of_upstreams = args.upstream_descriptors(&layer);
        system::raise(args.front.limits.max_connections, of_upstreams);
        let service = args.upstreams(&layer)?.service()?;
        on_call.iter().for_each(|on_call| on_call.admin.show_outages(service.outages()));
        let tls = args.tls()?;
        on_call.iter().zip(&tls).for_each(|(on_call, tls)| on_call.admin.show_certificate(tls.statuses()));
        let listener = listen(args.listen.as_deref(), "127.0.0.1:8080", &mut sockets).await?;
        let (stop, at_once) = system::stop()?;
        let gateway = open(listener, tls, &args.front, layer, on_call, log.exports.tracer.clone())?;
        system::ready();
        let cut_short = gateway.serve_until(service, system::stopping_after(stop), at_once).await;
        Ok(cut_short.map_or(0, |signal| signal.code))
    })
}

pub(crate) fn layer(front: &Front, on_call: Option<&AdminListener>) -> Result<ErrorEnvelopeLayer, CommandError> {
    let layer = ErrorEnvelopeLayer::new();
    let layer = match &front.policy {
        Some(file) => layer
            .watching(file)
            .map_err(|first| CommandError::of_policy(&first, ErrorEnvelopeLayer::new().check_policy(file)))?,
        None => layer,
    };
    let switch = on_call.map_or_else(KillSwitch::new, |on_call| on_call.admin.kill_switch());
    if front.kill_switch {
        switch.set(true, SwitchNote::new().reason("--kill-switch at the start"));
    }
    // The admin address observes the events of the layer, and uses the layer's kill switch.
    let layer = layer.kill_switch(switch);
    Ok(on_call.into_iter().fold(layer, |layer, on_call| on_call.admin.attach(layer)))
}

/// Returns the socket for clients. This is the socket that was passed to this process, or else a new socket.
pub(crate) async fn listen(
    address: Option<&str>,
    default: &str,
    sockets: &mut ListeningSockets,
) -> Result<TcpListener, CommandError> {
    let listener = sockets.listen(SocketPurpose::Clients, address, default).await;
    listener.map_err(|error| CommandError::of_socket("--listen", address.unwrap_or(default), &error))
}

/// Opens the gateway, and prints its address as the first line on standard output. Scripts wait for this line.
pub(crate) fn open(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    front: &Front,
    layer: ErrorEnvelopeLayer,
    on_call: Option<AdminListener>,
    tracer: Option<Arc<dyn Tracer>>,
) -> Result<Gateway, CommandError> {
    let reloaded = layer.clone();
    system::reload_policy_at_hangup(move || reloaded.reload())?;
    // The certificate and the policy are reloaded by separate threads, so that neither waits for the other.
    if let Some(tls) = tls.clone() {
        system::run_at_hangup("tls-hangup", move || tls.reload())?;
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let config = GatewayConfig::new(layer.clone()).forwarding(front.forwarded.into()).limits(front.limits.limits());
    let config = config.access_log(front.access_log.is_some());
    let config = tracer.into_iter().fold(config, GatewayConfig::tracer);
    let config = tls.into_iter().fold(config, GatewayConfig::tls);
    let admin = on_call.as_ref().map(|on_call| on_call.url.clone());
    let config = on_call.into_iter().fold(config, |config, it| config.admin(it.admin, it.listener));
    let gateway = Gateway::listening(listener, config);
    let gateway = gateway.map_err(|error| CommandError::Io(format!("cannot listen: {error}")))?;
    print_line(format_args!("listening on {scheme}://{}", gateway.local_addr()))?;
    if let Some(admin) = admin {
        print_line(format_args!("admin on {admin}"))?;
    }
    Ok(gateway)
}
