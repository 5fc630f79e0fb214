//! The flags of the gateway, and those that it shares with the demo.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use error_envelope_gateway::{ClientAuthorities, Error, Forwarding, ServerTls, UpgradeProtocol, Upstream};
use humantime::Duration as Time;

use super::limits::{ClientFlags, UpstreamFlags, time};
use super::log::{AccessSink, Log, Writing};
use super::on_call;
use super::url::{self, Http2};
use crate::failure::CommandError;

/// Run a reverse proxy that returns every error as one JSON envelope
///
/// Forwards requests to a service; a scope in the policy may set another service for its requests. Reloads the policy
/// file when it changes, and adds a request id to every response. The first line on standard output has the address.
/// Ctrl-C and SIGTERM stop the gateway once requests in flight have ended; SIGHUP reloads the policy and the
/// certificate. TIME needs a unit, such as 500ms or 30s; SIZE is in bytes or has a unit, such as 64KiB. Each flag may
/// also be set by an environment variable, such as ERROR_ENVELOPE_UPSTREAM_TIMEOUT for --upstream-timeout; the command
/// line wins.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; port 0 picks a free port [default: 127.0.0.1:8080, or the socket that systemd passes]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Let another process that has this flag listen at the same address: each gets a share of the new connections
    #[arg(long)]
    pub(super) reuse_port: bool,
    /// Serve clients over TLS with this PEM certificate chain, with HTTP/2 and HTTP/1.1; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Use this PEM private key of the certificate; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Request client certificates that the PEM authorities in this file signed, for the policy's scheme "certificate";
    /// reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Set how to treat a client without a certificate
    #[arg(long, value_name = "MODE", value_enum, default_value_t = ClientAuth::Optional, requires = "tls_client_ca")]
    tls_client_auth: ClientAuth,
    /// Forward requests to this service, such as http://127.0.0.1:3000, unless their scope in the policy sets another
    /// service [default: these requests get 404]
    #[arg(long, value_name = "URL", value_parser = url::parse_service)]
    pub(super) upstream: Option<Result<Upstream, Error>>,
    /// Use HTTP/2 instead of HTTP/1.1 to the service at URL; without =URL, to all services. Uses ALPN over TLS, else
    /// prior knowledge; repeatable
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = url::ALL, value_parser = url::parse_http2_service)]
    pub(super) upstream_h2: Vec<Result<Http2, Error>>,
    /// Limit the time until the service sends its response head, such as 500ms; after that the client gets 504
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(super) upstream_timeout: Time,
    /// For https: trust the PEM certificates in FILE instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,
    /// For https: require this name in the certificate of --upstream [default: the host of the URL]
    #[arg(long, value_name = "NAME")]
    pub(super) upstream_server_name: Option<String>,
    /// Present this PEM certificate chain to https services that request one; read when the policy first needs it
    #[arg(long, value_name = "FILE", requires = "upstream_client_key")]
    pub(super) upstream_client_cert: Option<PathBuf>,
    /// Use this PEM private key of --upstream-client-cert
    #[arg(long, value_name = "FILE", requires = "upstream_client_cert")]
    pub(super) upstream_client_key: Option<PathBuf>,
    /// Also forward upgrades to this protocol, in addition to websocket; requests for any other go on without the
    /// upgrade; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) upgrade: Vec<UpgradeProtocol>,
    #[command(flatten)]
    pub(super) front: Front,
    #[command(flatten)]
    pub(super) upstream_limits: UpstreamFlags,
}

/// The options for the clients' side.
#[derive(Debug, clap::Args)]
pub(crate) struct Front {
    /// Apply this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Start with the kill switch on: every route is in mode off until you turn it off at the admin address
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub(super) kill_switch: bool,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Full)]
    log: Log,
    /// Write a JSON line for each request to PATH or stdout [default: off]
    #[arg(long, value_name = "PATH", value_parser = AccessSink::parse)]
    pub(super) access_log: Option<AccessSink>,
    /// Set how to treat the client's own Forwarded and X-Forwarded-* headers
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Forwarded::Replace)]
    pub(crate) forwarded: Forwarded,
    /// Serve clients on this many threads [default: the processors that the process may use]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    #[command(flatten)]
    pub(crate) limits: ClientFlags,
    #[command(flatten)]
    pub(crate) on_call: on_call::AdminArgs,
}

impl Front {
    /// Writes the logs until the [`Writing`] is dropped.
    pub(crate) fn init_log(&self) -> Result<Writing, CommandError> {
        self.log.init(self.access_log.as_ref(), true)
    }

    /// The number of worker threads in addition to the main thread. With one worker it is 0: the main thread does the
    /// work.
    pub(crate) fn workers(&self) -> usize {
        workers(self.workers)
    }
}

/// The number of worker threads in addition to the main thread, for this value of `--workers`.
pub(crate) fn workers(flag: Option<u16>) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Some(flag.map_or_else(processors, usize::from)).filter(|count| *count > 1).unwrap_or(0)
}

impl Args {
    /// TLS for clients.
    pub(super) fn tls(&self) -> Result<Option<Arc<ServerTls>>, Error> {
        let Some((certificate, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) else { return Ok(None) };
        let clients = self.tls_client_ca.as_ref().map(|file| match self.tls_client_auth {
            ClientAuth::Optional => ClientAuthorities::optional(file),
            ClientAuth::Required => ClientAuthorities::required(file),
        });
        ServerTls::watch(certificate, key, clients).map(Some)
    }
}

/// Whether clients need a certificate.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClientAuth {
    /// Serve it: the policy decides which routes require a certificate.
    Optional,
    /// End its handshake.
    Required,
}

/// How the client's own `Forwarded` and `X-Forwarded-*` headers are treated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forwarded {
    /// Replace them with the client's address and scheme: use it if clients connect directly.
    Replace,
    /// Append the client's address: use it if clients connect only through a trusted proxy.
    Append,
    /// Forward them unchanged.
    Pass,
}

impl From<Forwarded> for Forwarding {
    fn from(flag: Forwarded) -> Self {
        match flag {
            Forwarded::Replace => Self::Replace,
            Forwarded::Append => Self::Append,
            Forwarded::Pass => Self::Pass,
        }
    }
}
