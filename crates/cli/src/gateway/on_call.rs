//! The flags of the admin address.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use error_envelope_admin::{Admin, install_metrics};
use error_envelope_gateway::{ListeningSockets, ServerTls, SocketPurpose};
use error_envelope_runtime::PolicyHandle;
use tokio::net::TcpListener;
use tower_error_envelope::Policy;
use tower_error_envelope::policy::PolicyLoader;

use super::limits::address;
use super::system;
use crate::failure::CommandError;

/// The flags of the admin address.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Admin address")]
pub(crate) struct AdminArgs {
    /// Serve health, metrics, the active policy, the kill switch and the errors page on this address; a port alone
    /// means loopback
    #[arg(long, value_name = "ADDR", value_parser = address)]
    admin: Option<String>,
    /// Accept this host name on the admin address, in addition to localhost and IP addresses; repeatable
    #[arg(long, value_name = "NAME", requires = "admin", value_parser = host)]
    admin_host: Vec<String>,
    /// Require the token in this file, of at least 32 bytes, on the admin address, except for /healthz, /readyz,
    /// /metrics and the page without its data; without it, everybody may read, and changes are refused unless the address is loopback. The file is
    /// read for each request
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_token_file: Option<PathBuf>,
    /// Serve the admin address over TLS with this PEM certificate chain; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "admin", requires = "admin_tls_key")]
    admin_tls_cert: Option<PathBuf>,
    /// Use this PEM private key of the certificate; reloaded when it changes
    #[arg(long, value_name = "FILE", requires = "admin_tls_cert")]
    admin_tls_key: Option<PathBuf>,
    /// Keep each change of the kill switch in this file, with its time, its sender and its reason, and apply the last
    /// one after a restart [default: a restart clears the switch]
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_journal: Option<PathBuf>,
}

/// The admin address.
pub(crate) struct AdminListener {
    pub(crate) admin: Admin,
    pub(crate) listener: TcpListener,
    pub(crate) url: String,
}

impl AdminListener {
    /// Opens the admin address. Returns `None` if the flags set none.
    pub(crate) async fn listen(args: &AdminArgs, sockets: &mut ListeningSockets) -> Result<Option<Self>, CommandError> {
        let Some(wanted) = &args.admin else { return Ok(None) };
        let listener = sockets.listen(SocketPurpose::Admin, Some(wanted), wanted).await;
        let listener = listener.map_err(|error| CommandError::of_socket("--admin", wanted, &error))?;
        let address = listener.local_addr().map_err(|error| CommandError::Io(format!("cannot listen: {error}")))?;
        let metrics = install_metrics()
            .map_err(|error| CommandError::Io(format!("cannot install the metrics recorder: {error}")))?;
        // The name contains the process id, because several gateways may run on one host.
        let host = rustix::system::uname();
        let name = format!("{}, process {}", host.nodename().to_string_lossy(), std::process::id());
        let admin = Admin::new().metrics(metrics).name(name);
        let mut admin = args.admin_host.iter().fold(admin, |admin, name| admin.allow_host(name));
        let failed = |flag: &str, error: std::io::Error| CommandError::Io(format!("{flag} {error}"));
        if let Some(file) = &args.admin_token_file {
            admin = admin.token_file(file).map_err(|error| failed("--admin-token-file", error))?;
        }
        if let Some(file) = &args.admin_journal {
            admin = admin.journal(file).map_err(|error| failed("--admin-journal", error))?;
        }
        let (admin, scheme) = match args.admin_tls_cert.as_ref().zip(args.admin_tls_key.as_ref()) {
            None => (admin, "http"),
            Some((certificate, key)) => {
                let tls = ServerTls::watch_admin(certificate, key)?;
                let reloaded = Arc::clone(&tls);
                system::run_at_hangup("admin-tls-hangup", move || reloaded.reload())?;
                admin.show_certificate(tls.statuses());
                (admin.tls(tls.handshake()), "https")
            }
        };
        Ok(Some(Self { admin, listener, url: format!("{scheme}://{address}") }))
    }
}

/// Watches a policy file, or uses the built-in settings if there is no file. The admin address shows the policy, and
/// SIGHUP reloads it.
pub(crate) fn watched_policy(
    file: Option<&Path>,
    loader: fn() -> PolicyLoader,
    on_call: Option<&AdminListener>,
) -> Result<PolicyHandle, CommandError> {
    let handle = match file {
        None => PolicyHandle::fixed(Policy::default()),
        Some(file) => PolicyHandle::watching(file, loader())
            .map_err(|first| CommandError::of_policy(&first, loader().check(file)))?,
    };
    let handle = on_call.into_iter().fold(handle, |handle, on_call| on_call.admin.attach(handle));
    handle.announce();
    let reloaded = handle.clone();
    system::reload_policy_at_hangup(move || reloaded.reload())?;
    Ok(handle)
}

fn host(name: &str) -> Result<String, String> {
    let is_name =
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_'));
    if is_name { Ok(name.to_owned()) } else { Err("write only a host name, such as gateway.internal".to_owned()) }
}
