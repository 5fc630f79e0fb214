//! `error-envelope envoy-config`: an Envoy bootstrap that runs as it is, or the part of it that must be merged.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use error_envelope_runtime::FilterConfig;

use super::services::Services;
use super::yaml::{Address, address, indented, quoted};
use crate::failure::{CommandError, print};
use crate::policy;

/// Generate an Envoy configuration that loads the module
///
/// Envoy finds the module by an environment variable: set ENVOY_DYNAMIC_MODULES_SEARCH_PATH to the folder that contains
/// liberror_envelope.so.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use this policy file; Envoy reads it from this path and reloads it when it changes
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Make Envoy listen on this address; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", value_parser = address, required_unless_present = "snippet")]
    listen: Option<Address>,
    /// Forward requests to this service, over HTTP/1.1 unless --upstream-h2 is set [default: only the services that the
    /// policy's scopes name]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    upstream: Option<Address>,
    /// Use HTTP/2 to the services, as gRPC servers expect; without TLS for --upstream
    #[arg(long, conflicts_with = "snippet")]
    upstream_h2: bool,
    /// Serve Envoy's own admin interface here [default: disabled]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    envoy_admin: Option<Address>,
    /// Serve the module's admin address on this IP address and port; a port alone means loopback [default: disabled]
    #[arg(long, value_name = "ADDR", value_parser = FilterConfig::address)]
    admin: Option<SocketAddr>,
    /// Require the token in this file for each change on the module's admin address; without it, changes are refused
    /// unless the address is loopback
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_token_file: Option<String>,
    /// Print only the parts to merge into an existing connection manager and its listener
    #[arg(long, conflicts_with_all = ["listen", "upstream", "envoy_admin"])]
    snippet: bool,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    // Envoy would refuse a policy that is refused here: it is better reported now.
    let read = policy::read_in_envoy(&args.policy)?;
    let file = std::path::absolute(&args.policy).map_err(|error| CommandError::Io(error.to_string()))?;
    let file = file.to_str().ok_or_else(|| CommandError::Io(format!("{}: not UTF-8", file.display())))?;
    let filters = filters(file, args.admin, args.admin_token_file.as_deref());
    let Some(listen) = args.listen.as_ref().filter(|_| !args.snippet) else { return print(&snippet(&filters)) };
    let services = Services::new(read.file.policy(), args.upstream.as_ref(), args.upstream_h2);
    if services.is_empty() {
        let why = "no service: no scope of the policy names one\n = help: add --upstream HOST:PORT";
        return Err(CommandError::Io(why.to_owned()));
    }
    print(&bootstrap(&filters, listen, &services, args.envoy_admin.as_ref()))
}

/// The settings of the listener.
const LISTENER: &str = include_str!("listener.yaml");

/// The settings of the connection manager.
const MANAGER: &str = include_str!("manager.yaml");

/// The filters.
fn filters(file: &str, address: Option<SocketAddr>, token_file: Option<&str>) -> String {
    let admin = address.map(|address| format!("\nadmin = \"{address}\"")).unwrap_or_default();
    let token = token_file.map(|file| format!("\nadmin_token_file = {}", quoted(file))).unwrap_or_default();
    let config = quoted(&format!("policy_file = {}{admin}{token}", quoted(file)));
    format!(include_str!("filters.yaml"), config = config)
}

fn snippet(filters: &str) -> String {
    format!(
        "\
# Into the listener:
{LISTENER}
# Into its envoy.filters.network.http_connection_manager:
{MANAGER}{filters}"
    )
}

fn bootstrap(filters: &str, listen: &Address, services: &Services<'_>, admin: Option<&Address>) -> String {
    let mut text =
        String::from("# Run it with ENVOY_DYNAMIC_MODULES_SEARCH_PATH set to the folder of liberror_envelope.so.\n");
    if let Some(admin) = admin {
        let _ = writeln!(text, "admin:\n  address: {}", admin.yaml());
    }
    let _ = write!(
        text,
        include_str!("bootstrap.yaml"),
        listen = listen.yaml(),
        routes = indented(&services.routes(), 12),
        clusters = indented(&services.clusters(), 2),
        listener = indented(LISTENER, 4),
        manager = indented(MANAGER, 10),
        filters = indented(filters, 10),
    );
    text
}
