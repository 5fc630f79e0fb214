//! The flags of the gateway, and those that the demo has as well.

use std::path::PathBuf;
use std::sync::Arc;

use http::Version;
use http::uri::{Authority, Scheme, Uri};
use humantime::Duration as Time;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;

use super::forwarded::Forwarding;
use super::limits::{Limits, UpstreamLimits, time};
use super::log::Log;
use super::on_call;
use super::tls::Pair;
use super::upstream::{Secured, Upstream};
use crate::failure::Failure;
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
    upstream: (Scheme, Authority),
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
    pub(super) upstream_limits: UpstreamLimits,
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
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Forwarding::Replace)]
    pub(crate) forwarded: Forwarding,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) on_call: on_call::AdminArgs,
}

impl Args {
    /// Where the certificate for clients is.
    pub(super) fn pair(&self) -> Option<Pair> {
        self.tls_cert.clone().zip(self.tls_key.clone()).map(|(certificate, key)| Pair { certificate, key })
    }

    pub(super) fn upstream_version(&self) -> Version {
        if self.upstream_h2 { Version::HTTP_2 } else { Version::HTTP_11 }
    }

    /// The service, and whom to trust for it.
    pub(super) fn upstream(&self) -> Result<Upstream, Failure> {
        let (scheme, authority) = &self.upstream;
        if authority.as_str().contains('@') {
            let what = "the URL has credentials, and nothing would send them";
            return Err(Failure::Io(format!("--upstream: {what}\n = help: leave them out")));
        }
        let tls = if *scheme == Scheme::HTTPS { Some(self.secured(authority)?) } else { self.no_tls()? };
        Ok(Upstream { authority: authority.clone(), tls })
    }

    /// What is for https would do nothing, and nobody would be the wiser.
    fn no_tls(&self) -> Result<Option<Secured>, Failure> {
        let asked = [
            ("--upstream-ca", self.upstream_ca.is_some()),
            ("--upstream-server-name", self.upstream_server_name.is_some()),
        ];
        match asked.iter().find(|(_, is_there)| *is_there) {
            Some((flag, _)) => Err(Failure::Io(format!(
                "{flag} is for https\n = help: say --upstream https://HOST:PORT, or leave it out"
            ))),
            None => Ok(None),
        }
    }

    fn secured(&self, authority: &Authority) -> Result<Secured, Failure> {
        let asked = self.upstream_server_name.as_deref();
        let name = asked.unwrap_or_else(|| authority.host().trim_matches(['[', ']'])).to_owned();
        let name = ServerName::try_from(name.clone()).map_err(|_| {
            Failure::Io(format!(
                "{name}: no name that a certificate can have\n = help: say it by --upstream-server-name"
            ))
        })?;
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Io(format!("TLS: {error}")))?;
        let roots = roots(self.upstream_ca.as_deref(), "--upstream-ca")?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![if self.upstream_h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        Ok(Secured { name, config: Arc::new(config) })
    }
}

fn upstream(url: &str) -> Result<(Scheme, Authority), String> {
    const SAY: &str = "say http://HOST:PORT or https://HOST:PORT";
    let uri: Uri = url.parse().map_err(|error| format!("{error}; {SAY}"))?;
    let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(SAY.into()) };
    if ![Scheme::HTTP, Scheme::HTTPS].contains(scheme) {
        return Err(format!("{scheme} is not spoken here; {SAY}"));
    }
    if !bare {
        return Err(format!("paths are forwarded as they come; {SAY} without a path"));
    }
    // What has credentials is refused later: here its text would be repeated.
    let port = authority.as_str().rsplit('@').next().unwrap_or_default() != authority.host();
    if port && authority.port_u16().is_none() {
        return Err(format!("no port of 0 to 65535; {SAY}"));
    }
    Ok((scheme.clone(), authority.clone()))
}
