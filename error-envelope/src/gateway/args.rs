//! The flags of the gateway, and those that the demo has as well.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use error_envelope_gateway::{Error, Forwarding, Upstream};
use http::uri::Scheme;
use humantime::Duration as Time;
use tokio_rustls::rustls::pki_types::ServerName;

use super::limits::{ClientFlags, UpstreamFlags, time};
use super::log::Log;
use super::on_call;
use crate::failure::{CommandError, with_help};
use crate::roots::roots;

/// Serve as a reverse proxy whose every error is one JSON envelope
///
/// It stands in front of one service, reads the policy file and follows it as it changes, and gives every response a
/// request id. The first line on standard output says where it listens. Ctrl-C and SIGTERM let requests in flight finish;
/// SIGHUP reads the policy and the certificate anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(super) listen: String,
    /// Speak TLS to clients, HTTP/2 and HTTP/1.1: the certificate, PEM, with what leads to its root; read anew as it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM; read anew as it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The service to forward to, such as http://127.0.0.1:3000 or https://api.internal
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Result<Upstream, Error>,
    /// Speak HTTP/2 to the service instead of HTTP/1.1: by prior knowledge, over TLS by ALPN
    #[arg(long)]
    upstream_h2: bool,
    /// How long the service may take to its response head, such as 500ms
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(super) upstream_timeout: Time,
    /// For https: trust the PEM certificates of this file, and not those of the platform
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// For https: the name that the service's certificate has to have [default: the host of the URL]
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
    /// The policy file; without it, every default
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// How to write the log to standard error; RUST_LOG says what
    #[arg(long, value_enum, default_value_t = Log::Text)]
    pub(crate) log: Log,
    /// What becomes of what a client says of its way here (forwarded, x-forwarded-for and their like)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Forwarded::Replace)]
    pub(crate) forwarded: Forwarded,
    #[command(flatten)]
    pub(crate) limits: ClientFlags,
    #[command(flatten)]
    pub(crate) on_call: on_call::AdminArgs,
}

impl Args {
    /// Where the certificate for clients is, and its key.
    pub(super) fn pair(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
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
                "{flag} is for https\n = help: say --upstream https://HOST:PORT, or leave it out"
            ))),
            None => Ok(()),
        }
    }

    fn secured(&self, upstream: Upstream) -> Result<Upstream, CommandError> {
        let name = self.upstream_server_name.as_deref().unwrap_or_else(|| upstream.host()).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| {
            CommandError::Io(format!(
                "{name}: no name that a certificate can have\n = help: say it by --upstream-server-name"
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

/// What becomes of what a client says of its way here.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forwarded {
    /// It is dropped, and the client's address and scheme are put there: nobody in front is trusted.
    Replace,
    /// The client's address is added to it: in front is a proxy that is trusted, and no client gets past it.
    Append,
    /// It passes as it comes, and nothing is added.
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
