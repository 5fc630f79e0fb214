//! The services behind the gateway: the one of `--upstream`, and those in the policy's scopes.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use error_envelope_gateway::{Error, UpgradeProtocol, Upstream, UpstreamLimits, Upstreams};
use http::uri::Scheme;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::Args;
use super::url::Http2;
use crate::failure::{CommandError, with_help};
use crate::roots::roots;

impl Args {
    /// The services, including those in the policy of `layer`.
    pub(super) fn upstreams(&self, layer: &ErrorEnvelopeLayer) -> Result<Upstreams, CommandError> {
        let settings = Settings::new(self)?;
        let rest = self.upstream.as_ref().map(|url| url.clone().map_err(|error| refused("--upstream", &error)));
        let rest = rest.transpose()?;
        let named = layer.policy_status().policy().upstreams().count();
        self.refuse_ignored(rest.as_ref(), named > 0)?;
        if rest.is_none() && named == 0 {
            let why = "no --upstream, and no scope of the policy names a service: every request would get 404";
            return Err(CommandError::Io(format!("{why}\n = help: add --upstream http://HOST:PORT")));
        }
        let rest = rest.map(|rest| settings.apply(rest, self.upstream_server_name.as_deref())).transpose()?;
        let of_scopes = move |upstream| settings.apply(upstream, None).map_err(|error| error.text());
        let upstreams = Upstreams::new(layer.clone()).prepare(of_scopes);
        Ok(rest.into_iter().fold(upstreams, Upstreams::rest))
    }

    /// Refuses flags for https that would silently have no effect. A scope may name a service by https at any reload.
    fn refuse_ignored(&self, rest: Option<&Upstream>, by_policy: bool) -> Result<(), CommandError> {
        let is_https = rest.is_some_and(|rest| *rest.url().scheme() == Scheme::HTTPS);
        let ignored = [
            ("--upstream-ca", self.upstream_ca.is_some() && !by_policy),
            ("--upstream-client-cert", self.upstream_client_cert.is_some() && !by_policy),
            ("--upstream-server-name", self.upstream_server_name.is_some()),
        ];
        match ignored.iter().find(|(_, is_there)| *is_there && !is_https) {
            Some((flag, _)) => Err(CommandError::Io(format!(
                "{flag} needs an https upstream\n = help: write --upstream https://HOST:PORT, or remove the flag"
            ))),
            None => Ok(()),
        }
    }

    /// The most descriptors that connections to the services take.
    pub(super) fn upstream_descriptors(&self, layer: &ErrorEnvelopeLayer) -> u32 {
        let named = layer.policy_status().policy().upstreams().count() + usize::from(self.upstream.is_some());
        self.upstream_limits.descriptors().saturating_mul(u32::try_from(named).unwrap_or(u32::MAX))
    }
}

/// The flags that apply to every service.
struct Settings {
    timeout: Duration,
    limits: UpstreamLimits,
    http2: Vec<Http2>,
    ca: Option<PathBuf>,
    /// The client certificate, and its key.
    certificate: Option<(PathBuf, PathBuf)>,
    upgrades: Vec<UpgradeProtocol>,
    /// The trusted certificates, which are read for the first https service.
    roots: Mutex<Option<RootCertStore>>,
}

impl Settings {
    fn new(args: &Args) -> Result<Self, CommandError> {
        let http2 = args.upstream_h2.iter().cloned().collect::<Result<_, _>>();
        Ok(Self {
            timeout: *args.upstream_timeout,
            limits: args.upstream_limits.limits(),
            http2: http2.map_err(|error| refused("--upstream-h2", &error))?,
            ca: args.upstream_ca.clone(),
            certificate: args.upstream_client_cert.clone().zip(args.upstream_client_key.clone()),
            upgrades: args.upgrade.clone(),
            roots: Mutex::default(),
        })
    }

    /// Applies the flags to one service. `name` is the name in the service's certificate, if that differs from the
    /// URL's host.
    fn apply(&self, upstream: Upstream, name: Option<&str>) -> Result<Upstream, CommandError> {
        let upstream = upstream.response_timeout(self.timeout).limits(self.limits);
        let upstream = self.upgrades.iter().cloned().fold(upstream, Upstream::upgrade);
        let speaks_http2 = self.http2.iter().any(|url| url.as_ref().is_none_or(|url| url == upstream.url()));
        let upstream = if speaks_http2 { upstream.http2() } else { upstream };
        if *upstream.url().scheme() != Scheme::HTTPS {
            return Ok(upstream);
        }
        let name = server_name(name.unwrap_or_else(|| upstream.url().host()))?;
        let upstream = upstream.tls(self.roots()?, name)?;
        match &self.certificate {
            Some((certificate, key)) => Ok(upstream.client_certificate(certificate, key)?),
            None => Ok(upstream),
        }
    }

    fn roots(&self) -> Result<RootCertStore, CommandError> {
        let mut known = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Some(roots(self.ca.as_deref(), "--upstream-ca")?);
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
