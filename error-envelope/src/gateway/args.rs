//! The flags of the gateway, and those that the demo has as well.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use error_envelope_gateway::{ClientAuthorities, Error, Forwarding, ServerTls, Upstream};
use http::uri::Scheme;
use humantime::Duration as Time;
use tokio_rustls::rustls::pki_types::ServerName;

use super::limits::{ClientFlags, UpstreamFlags, time};
use super::log::Log;
use super::on_call;
use crate::failure::{CommandError, with_help};
use crate::roots::roots;

/// Run a reverse proxy that returns every error as one JSON envelope
///
/// Forwards requests to one service, reloads the policy file when it changes, and adds a request id to every response.
/// The first line on standard output is the address. Ctrl-C and SIGTERM stop it after the requests in flight; SIGHUP
/// reloads the policy and the certificate. TIME has a unit, such as 500ms or 30s; SIZE is in bytes, or such as 64KiB.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(super) listen: String,
    /// Serve clients over TLS, HTTP/2 and HTTP/1.1, with this PEM certificate chain; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Use this PEM private key of the certificate; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ask clients for certificates signed by these PEM authorities, for the policy's scheme "certificate"; reloaded
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Set whether a client without a certificate is served
    #[arg(long, value_name = "MODE", value_enum, default_value_t = ClientAuth::Optional, requires = "tls_client_ca")]
    tls_client_auth: ClientAuth,
    /// Forward requests to this service, such as http://127.0.0.1:3000 or https://api.internal
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Result<Upstream, Error>,
    /// Use HTTP/2 to the service instead of HTTP/1.1: negotiated by ALPN over TLS, by prior knowledge without TLS
    #[arg(long)]
    upstream_h2: bool,
    /// Limit the time until the service sends its response head, such as 500ms; then the client gets 504
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(super) upstream_timeout: Time,
    /// For https: trust the PEM certificates in FILE instead of the platform's
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// For https: require this name in the service's certificate [default: the host of the URL]
    #[arg(long, value_name = "NAME")]
    upstream_server_name: Option<String>,
    #[command(flatten)]
    pub(super) front: Front,
    #[command(flatten)]
    pub(super) upstream_limits: UpstreamFlags,
}

/// What faces the clients.
#[derive(Debug, clap::Args)]
pub(crate) struct Front {
    /// Apply this policy file [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Text)]
    pub(crate) log: Log,
    /// Set how to treat the client's own Forwarded and X-Forwarded-* headers
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Forwarded::Replace)]
    pub(crate) forwarded: Forwarded,
    #[command(flatten)]
    pub(crate) limits: ClientFlags,
    #[command(flatten)]
    pub(crate) on_call: on_call::AdminArgs,
}

impl Args {
    /// TLS for clients.
    pub(super) fn tls(&self) -> Result<Option<Arc<ServerTls>>, Error> {
        let Some((certificate, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) else { return Ok(None) };
        let tls = match (&self.tls_client_ca, self.tls_client_auth) {
            (None, _) => ServerTls::watch(certificate, key),
            (Some(file), ClientAuth::Optional) => {
                ServerTls::watch_mutual(certificate, key, ClientAuthorities::optional(file))
            }
            (Some(file), ClientAuth::Required) => {
                ServerTls::watch_mutual(certificate, key, ClientAuthorities::required(file))
            }
        };
        tls.map(Some)
    }

    /// The service, and whom to trust for it.
    pub(super) fn upstream(&self) -> Result<Upstream, CommandError> {
        let upstream =
            self.upstream.clone().map_err(|error| CommandError::Io(format!("--upstream: {}", with_help(&error))))?;
        let upstream = upstream.response_timeout(*self.upstream_timeout).limits(self.upstream_limits.limits());
        let upstream = if self.upstream_h2 { upstream.http2() } else { upstream };
        if upstream.scheme() == Scheme::HTTPS { self.secured(upstream) } else { self.no_tls().map(|()| upstream) }
    }

    /// What is for https would do nothing, and nobody would be the wiser.
    fn no_tls(&self) -> Result<(), CommandError> {
        let asked = [
            ("--upstream-ca", self.upstream_ca.is_some()),
            ("--upstream-server-name", self.upstream_server_name.is_some()),
        ];
        match asked.iter().find(|(_, is_there)| *is_there) {
            Some((flag, _)) => Err(CommandError::Io(format!(
                "{flag} needs an https upstream\n = help: write --upstream https://HOST:PORT, or remove the flag"
            ))),
            None => Ok(()),
        }
    }

    fn secured(&self, upstream: Upstream) -> Result<Upstream, CommandError> {
        let name = self.upstream_server_name.as_deref().unwrap_or_else(|| upstream.host()).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| {
            CommandError::Io(format!(
                "{name}: not a valid server name for a certificate\n = help: set --upstream-server-name"
            ))
        })?;
        let roots = roots(self.upstream_ca.as_deref(), "--upstream-ca")?;
        Ok(upstream.tls(roots, name)?)
    }
}

/// clap would repeat a URL that it refuses: one with credentials is refused later.
fn upstream(url: &str) -> Result<Result<Upstream, Error>, String> {
    match url.parse::<Upstream>() {
        Err(error) if !error.has_credentials() => Err(error.to_string()),
        upstream => Ok(upstream),
    }
}

/// Whether clients need a certificate.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClientAuth {
    /// Serve it: the policy decides which routes need one.
    Optional,
    /// End its handshake.
    Required,
}

/// What becomes of what a client says of its way here.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forwarded {
    /// Replace them with the client's address and scheme: for a gateway that clients reach directly.
    Replace,
    /// Append the client's address: for a gateway that clients reach only through a trusted proxy.
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
