//! The flags of the gateway, including the flags that it shares with the demo.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use clap::builder::BoolishValueParser;
use error_envelope_core::policy::UpstreamUrl;
use error_envelope_gateway::{ClientAuthorities, Error, Forwarding, ServerTls, UpgradeProtocol, Upstream, Upstreams};
use http::uri::Scheme;
use humantime::Duration as Time;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::limits::{ClientFlags, UpstreamFlags, address, time};
use super::log::{AccessSink, Log, Writing};
use super::on_call;
use crate::failure::{CommandError, with_help};
use crate::target::roots;

/// The headings of the flags that few gateways need.
const LISTENING: &str = "Listening";
const SERVICES: &str = "Connections to the service";

/// Run a reverse proxy that returns every error as one JSON envelope
///
/// Forwards requests to a service; a scope in the policy may set another service for its requests. Reloads the policy
/// file when it changes, and adds a request id to every response. The first line on standard output shows the address.
/// Ctrl-C and SIGTERM stop the gateway once requests in flight have ended; SIGHUP reloads the policy and the
/// certificate. TIME needs a unit, such as 500ms or 30s; SIZE is in bytes or has a unit, such as 64KiB. Each flag may
/// also be set by an environment variable (except --color), such as ERROR_ENVELOPE_UPSTREAM_TIMEOUT for --upstream-timeout; the command
/// line wins.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Forward requests to this service, such as http://127.0.0.1:3000, if no scope of the policy sets a service for
    /// them [default: a request without a service gets 404]
    #[arg(long, value_name = "URL", value_parser = parse_service)]
    pub(super) upstream: Option<Result<Upstream, Error>>,
    /// Listen on this address; a port alone means loopback, and port 0 picks a free port [default: 127.0.0.1:8080, or
    /// the socket that systemd passes]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub(super) listen: Option<String>,
    #[command(flatten)]
    pub(super) front: Front,
    /// Let another process that has this flag listen at the same address; each process gets a share of the new
    /// connections
    #[arg(help_heading = LISTENING, long)]
    pub(super) reuse_port: bool,
    /// Serve clients over TLS with this PEM certificate chain, with HTTP/2 and HTTP/1.1; reloaded when it changes
    #[arg(help_heading = LISTENING, long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Use this PEM private key of the certificate; reloaded when it changes
    #[arg(help_heading = LISTENING, long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Request client certificates that the PEM authorities in this file signed, for the policy's scheme "certificate";
    /// reloaded when it changes
    #[arg(help_heading = LISTENING, long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Set how to treat a client without a certificate
    #[arg(help_heading = LISTENING, long, value_name = "MODE", value_enum, default_value_t = ClientAuth::Optional, requires = "tls_client_ca")]
    tls_client_auth: ClientAuth,
    /// Limit the time until the service sends its response head, such as 500ms; after that the client gets 504
    #[arg(help_heading = SERVICES, long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(super) upstream_timeout: Time,
    /// Use HTTP/2 instead of HTTP/1.1 to the service at URL; without =URL, to all services. Uses ALPN over TLS, and
    /// prior knowledge without TLS; repeatable
    #[arg(help_heading = SERVICES, long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = ALL, value_parser = parse_http2_service)]
    pub(super) upstream_h2: Vec<Result<Http2, Error>>,
    /// For https: trust the PEM certificates in FILE instead of the system's
    #[arg(help_heading = SERVICES, long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,
    /// For https: require this name in the certificate of --upstream [default: the host of the URL]
    #[arg(help_heading = SERVICES, long, value_name = "NAME")]
    pub(super) upstream_server_name: Option<String>,
    /// Present this PEM certificate chain to https services that request one; read when the policy first needs it
    #[arg(help_heading = SERVICES, long, value_name = "FILE", requires = "upstream_client_key")]
    pub(super) upstream_client_cert: Option<PathBuf>,
    /// Use this PEM private key of --upstream-client-cert
    #[arg(help_heading = SERVICES, long, value_name = "FILE", requires = "upstream_client_cert")]
    pub(super) upstream_client_key: Option<PathBuf>,
    /// Also forward upgrades to this protocol, in addition to websocket; requests for any other protocol are forwarded
    /// without the upgrade; repeatable
    #[arg(help_heading = SERVICES, long, value_name = "NAME")]
    pub(super) upgrade: Vec<UpgradeProtocol>,
    #[command(flatten)]
    pub(super) upstream_limits: UpstreamFlags,
}

/// The options for the clients' side.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Front {
    /// Apply this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Write a JSON line for each request to PATH or stdout; a pipe needs a reader before the start [default: off]
    #[arg(long, value_name = "PATH", value_parser = AccessSink::parse)]
    pub(super) access_log: Option<AccessSink>,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Full)]
    log: Log,
    /// Start with the kill switch on, which puts every route in mode off until you turn the switch off at the admin
    /// address
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub(super) kill_switch: bool,
    /// Set how to treat the client's own Forwarded and X-Forwarded-* headers
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Forwarded::Replace)]
    pub(crate) forwarded: Forwarded,
    /// Serve clients on this many threads [default: the processors that the process may use]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    #[command(flatten)]
    pub(crate) on_call: on_call::AdminArgs,
    #[command(flatten)]
    pub(crate) limits: ClientFlags,
}

impl Front {
    /// Starts to write the logs. Dropping the returned [`Writing`] ends the writing.
    pub(crate) fn init_log(&self) -> Result<Writing, CommandError> {
        self.log.init(self.access_log.as_ref(), true)
    }
}

/// Returns the number of worker threads in addition to the main thread, for this value of `--workers`. With one worker
/// the number is 0, because the main thread does the work.
pub(crate) fn workers(flag: Option<u16>) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Some(flag.map_or_else(processors, usize::from)).filter(|count| *count > 1).unwrap_or(0)
}

impl Args {
    /// Returns TLS for clients, if the flags set a certificate.
    pub(super) fn tls(&self) -> Result<Option<Arc<ServerTls>>, Error> {
        let Some((certificate, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) else { return Ok(None) };
        let clients = self.tls_client_ca.as_ref().map(|file| match self.tls_client_auth {
            ClientAuth::Optional => ClientAuthorities::optional(file),
            ClientAuth::Required => ClientAuthorities::required(file),
        });
        ServerTls::watch(certificate, key, clients).map(Some)
    }
}

/// How a client without a certificate is treated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClientAuth {
    /// Serve it; the policy decides which routes require a certificate.
    Optional,
    /// End its handshake.
    Required,
}

/// How the client's own `Forwarded` and `X-Forwarded-*` headers are treated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forwarded {
    /// Replace them with the client's address and scheme; use this if clients connect directly.
    Replace,
    /// Append the client's address; use this if clients connect only through a trusted proxy.
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

/// A service to which the gateway connects over HTTP/2. `None` means all services.
pub(super) type Http2 = Option<UpstreamUrl>;

/// Parses the URL of a service. An error message of clap would repeat the refused value, and a URL may contain
/// credentials. So an error in such a URL is returned as the inner `Err`, which the caller reports without the URL.
pub(super) fn parse_service(url: &str) -> Result<Result<Upstream, Error>, String> {
    match url.parse::<Upstream>() {
        Err(error) if !error.has_credentials() => Err(error.to_string()),
        upstream => Ok(upstream),
    }
}

/// Works like [`parse_service`], but also accepts the text [`ALL`], which means all services.
pub(super) fn parse_http2_service(url: &str) -> Result<Result<Http2, Error>, String> {
    match url {
        ALL => Ok(Ok(None)),
        url => parse_service(url).map(|parsed| parsed.map(|upstream| Some(upstream.url().clone()))),
    }
}

/// The value of `--upstream-h2` if the user passes no value. This text is not a valid URL of a service.
pub(super) const ALL: &str = "all";

impl Args {
    /// Returns the services, including those in the policy of `layer`.
    pub(super) fn upstreams(&self, layer: &ErrorEnvelopeLayer) -> Result<Upstreams, CommandError> {
        if let Some(Err(error)) = self.upstream_h2.iter().find(|url| url.is_err()) {
            return Err(refused("--upstream-h2", error));
        }
        let settings = Settings { args: self.clone(), roots: Mutex::default() };
        let rest = self.upstream.as_ref().map(|url| url.clone().map_err(|error| refused("--upstream", &error)));
        let rest = rest.transpose()?;
        let named = layer.policy_status().policy.upstreams().count();
        self.refuse_ignored(rest.as_ref(), named > 0)?;
        if rest.is_none() && named == 0 {
            let why = "no --upstream, and no scope of the policy names a service, so every request would get 404";
            return Err(CommandError::Io(format!("{why}\n = help: add --upstream http://HOST:PORT")));
        }
        let rest = rest.map(|rest| settings.apply(rest, self.upstream_server_name.as_deref())).transpose()?;
        let of_scopes = move |upstream| settings.apply(upstream, None).map_err(|error| error.text());
        let upstreams = Upstreams::new(layer.clone()).prepare(of_scopes);
        Ok(rest.into_iter().fold(upstreams, Upstreams::rest))
    }

    /// Refuses flags for https that would silently have no effect. `by_policy` is true if scopes of the policy name
    /// services. Flags that also apply to these services are then not refused, because a reload can give a scope an
    /// https service.
    fn refuse_ignored(&self, rest: Option<&Upstream>, by_policy: bool) -> Result<(), CommandError> {
        let is_https = rest.is_some_and(|rest| *rest.url().scheme() == Scheme::HTTPS);
        let ignored = [
            ("--upstream-ca", self.upstream_ca.is_some() && !by_policy),
            ("--upstream-client-cert", self.upstream_client_cert.is_some() && !by_policy),
            ("--upstream-server-name", self.upstream_server_name.is_some()),
        ];
        let Some((flag, _)) = ignored.iter().find(|(_, is_there)| *is_there && !is_https) else { return Ok(()) };
        let help = "write --upstream https://HOST:PORT, or remove the flag";
        Err(CommandError::Io(format!("{flag} needs an https upstream\n = help: {help}")))
    }

    /// Returns the largest number of descriptors that connections to the services use.
    pub(super) fn upstream_descriptors(&self, layer: &ErrorEnvelopeLayer) -> u32 {
        let named = layer.policy_status().policy.upstreams().count() + usize::from(self.upstream.is_some());
        self.upstream_limits.descriptors().saturating_mul(u32::try_from(named).unwrap_or(u32::MAX))
    }
}

/// The settings of every service.
struct Settings {
    args: Args,
    /// The trusted certificates. They are read when the first https service is configured.
    roots: Mutex<Option<RootCertStore>>,
}

impl Settings {
    /// Applies the flags to one service. `name` is the name in the service's certificate, if that differs from the
    /// URL's host.
    fn apply(&self, upstream: Upstream, name: Option<&str>) -> Result<Upstream, CommandError> {
        let args = &self.args;
        let upstream = upstream.response_timeout(*args.upstream_timeout).limits(args.upstream_limits.limits());
        let upstream = args.upgrade.iter().cloned().fold(upstream, Upstream::upgrade);
        let is_it = |url: &Http2| url.as_ref().is_none_or(|url| url == upstream.url());
        let speaks_http2 = args.upstream_h2.iter().flatten().any(is_it);
        let upstream = if speaks_http2 { upstream.http2() } else { upstream };
        if *upstream.url().scheme() != Scheme::HTTPS {
            return Ok(upstream);
        }
        let name = server_name(name.unwrap_or_else(|| upstream.url().host()))?;
        let upstream = upstream.tls(self.roots()?, name)?;
        match args.upstream_client_cert.as_ref().zip(args.upstream_client_key.as_ref()) {
            Some((certificate, key)) => Ok(upstream.client_certificate(certificate, key)?),
            None => Ok(upstream),
        }
    }

    fn roots(&self) -> Result<RootCertStore, CommandError> {
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Some(roots(self.args.upstream_ca.as_deref(), "--upstream-ca")?);
        }
        Ok(known.clone().unwrap_or_else(RootCertStore::empty))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, CommandError> {
    let wrong = "not a valid server name for a certificate\n = help: set --upstream-server-name";
    ServerName::try_from(name.to_owned()).map_err(|_| CommandError::Io(format!("{name}: {wrong}")))
}

fn refused(flag: &str, error: &Error) -> CommandError {
    CommandError::Io(format!("{flag}: {}", with_help(error)))
}
