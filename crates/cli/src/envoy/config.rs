//! `error-envelope envoy-config`: an Envoy bootstrap that runs as it is, or the part of it that must be merged.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use error_envelope_runtime::FilterConfig;

use super::processor;
use super::services::Services;
use super::yaml::{Address, address, indented, quoted};
use crate::failure::{CommandError, print};
use crate::policy;

/// Generate an Envoy configuration that loads the module or uses the external processor
///
/// Before Envoy starts, set ENVOY_DYNAMIC_MODULES_SEARCH_PATH to the folder that contains liberror_envelope.so.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use this policy file; the module reads it from this path and reloads it when it changes
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Make Envoy listen on this address; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", value_parser = address, required_unless_present = "snippet")]
    listen: Option<Address>,
    /// Forward requests to this service, over HTTP/1.1 unless --upstream-h2 is set [default: only the services in the
    /// policy's scopes]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    upstream: Option<Address>,
    /// Use HTTP/2 to the services, which gRPC servers require; for --upstream without TLS
    #[arg(long, conflicts_with = "snippet")]
    upstream_h2: bool,
    /// Serve Envoy's own admin interface here [default: disabled]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    envoy_admin: Option<Address>,
    /// Serve the module's admin address on this IP address and port; a port alone means loopback [default: disabled]
    #[arg(long, value_name = "ADDR", value_parser = FilterConfig::address)]
    admin: Option<SocketAddr>,
    /// Use the external processor at this address (`error-envelope ext-proc`) instead of the module
    #[arg(long, value_name = "HOST:PORT", value_parser = address, conflicts_with = "admin")]
    ext_proc: Option<Address>,
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
    // A policy that is refused here would also be refused when Envoy starts: it is better to report it now.
    let (read, part) = match &args.ext_proc {
        Some(address) => (policy::read_for_processor(&args.policy)?, Part::processor(address)),
        None => (policy::read_in_envoy(&args.policy)?, Part::module(args)?),
    };
    let Some(listen) = args.listen.as_ref().filter(|_| !args.snippet) else { return print(&snippet(&part)) };
    let services = Services::new(read.file.policy(), args.upstream.as_ref(), args.upstream_h2);
    if services.is_empty() {
        let why = "there is no service: no scope of the policy has an upstream\n = help: add --upstream HOST:PORT";
        return Err(CommandError::Io(why.to_owned()));
    }
    print(&bootstrap(&part, listen, &services, args.envoy_admin.as_ref()))
}

/// The settings of the listener.
const LISTENER: &str = include_str!("listener.yaml");

/// The settings of the connection manager.
const MANAGER: &str = include_str!("manager.yaml");

/// The access log, whose fields the module and the processor write alike.
const ACCESS_LOG: &str = include_str!("access_log.yaml");

/// The parts of a configuration that the module and the processor do not share.
struct Part {
    /// A comment on how to run it.
    about: &'static str,
    filters: String,
    local_replies: String,
    cluster: String,
}

impl Part {
    fn module(args: &Args) -> Result<Self, CommandError> {
        let file = std::path::absolute(&args.policy).map_err(|error| CommandError::Io(error.to_string()))?;
        let file = file.to_str().ok_or_else(|| CommandError::Io(format!("{}: not UTF-8", file.display())))?;
        let admin = args.admin.map(|address| format!("\nadmin = \"{address}\"")).unwrap_or_default();
        let token = args.admin_token_file.as_ref();
        let token = token.map(|file| format!("\nadmin_token_file = {}", quoted(file))).unwrap_or_default();
        let config = quoted(&format!("policy_file = {}{admin}{token}", quoted(file)));
        Ok(Self {
            about: "# Run it with ENVOY_DYNAMIC_MODULES_SEARCH_PATH set to the folder of liberror_envelope.so.\n",
            filters: format!(include_str!("filters.yaml"), config = config),
            local_replies: include_str!("local_replies.yaml").to_owned(),
            cluster: String::new(),
        })
    }

    fn processor(address: &Address) -> Self {
        Self {
            about: "# Run it beside `error-envelope ext-proc`, which reads the policy.\n",
            filters: processor::filters(),
            local_replies: processor::local_replies(),
            cluster: processor::cluster(address),
        }
    }

    fn manager(&self) -> String {
        [MANAGER, &self.local_replies, ACCESS_LOG].concat()
    }
}

fn snippet(part: &Part) -> String {
    let (manager, filters) = (part.manager(), &part.filters);
    let mut text = format!(
        "\
# Into the listener:
{LISTENER}
# Into its envoy.filters.network.http_connection_manager:
{manager}{filters}"
    );
    if !part.cluster.is_empty() {
        let _ = write!(text, "\n# Into static_resources:\nclusters:\n{}", part.cluster);
    }
    text
}

fn bootstrap(part: &Part, listen: &Address, services: &Services<'_>, admin: Option<&Address>) -> String {
    let mut text = String::from(part.about);
    if let Some(admin) = admin {
        let _ = writeln!(text, "admin:\n  address: {}", admin.yaml());
    }
    let _ = write!(
        text,
        include_str!("bootstrap.yaml"),
        listen = listen.yaml(),
        routes = indented(&services.routes(), 12),
        clusters = indented(&[services.clusters(), part.cluster.clone()].concat(), 2),
        listener = indented(LISTENER, 4),
        manager = indented(&part.manager(), 10),
        filters = indented(&part.filters, 10),
    );
    text
}
