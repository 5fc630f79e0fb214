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
    /// Forward requests to this service, over HTTP/1.1 unless --http2 is set [default: those that scopes of the policy name alone]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    upstream: Option<Address>,
    /// Use HTTP/2 to the services, without TLS for --upstream, as gRPC servers expect
    #[arg(long, conflicts_with = "snippet")]
    http2: bool,
    /// Serve Envoy's own admin interface here [default: disabled]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    admin: Option<Address>,
    /// Serve the module's admin address on this IP address and port; a port alone means loopback [default: disabled]
    #[arg(long, value_name = "ADDR", value_parser = FilterConfig::address)]
    on_call: Option<SocketAddr>,
    /// Print only the parts to merge into an existing configuration: for the connection manager and its listener
    #[arg(long, conflicts_with_all = ["listen", "upstream", "admin"])]
    snippet: bool,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    // Envoy would refuse a policy that is refused here: it is better reported now.
    let read = policy::read_in_envoy(&args.policy)?;
    let file = std::path::absolute(&args.policy).map_err(|error| CommandError::Io(error.to_string()))?;
    let file = file.to_str().ok_or_else(|| CommandError::Io(format!("{}: not UTF-8", file.display())))?;
    let filters = filters(file, args.on_call);
    let Some(listen) = args.listen.as_ref().filter(|_| !args.snippet) else { return print(&snippet(&filters)) };
    let services = Services::new(read.file.policy(), args.upstream.as_ref(), args.http2);
    if services.is_empty() {
        let why = "no service: no scope of the policy names one\n = help: add --upstream HOST:PORT";
        return Err(CommandError::Io(why.to_owned()));
    }
    print(&bootstrap(&filters, listen, &services, args.admin.as_ref()))
}

/// The settings of the listener.
const LISTENER: &str = "\
# What a stream may leave unread in Envoy; what this module reads of an error is bounded by the policy, not by this.
per_connection_buffer_limit_bytes: 1048576
";

/// The settings of the connection manager.
const MANAGER: &str = "\
# The module gives each request its id (I1, I2); Envoy's own, and its own over a client's, would be another one.
generate_request_id: false
preserve_external_request_id: true
# The route that Envoy chooses and the route of the policy must be of the same path (G0).
normalize_path: true
merge_slashes: true
path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT
# The service's own `server` stays what it is (R6).
server_header_transformation: PASS_THROUGH
# Else Envoy says `100 Continue` by itself, and invites an upload that a guard is about to refuse (G4).
proxy_100_continue: true
# A head that does not come, or a stream that stands still, is answered with 408 and 504 (V2).
request_headers_timeout: 10s
stream_idle_timeout: 60s
# A client that still uploads can read its answer before the connection is closed under it (G5).
delayed_close_timeout: 2s
# A head over these is answered with 431 (V2).
max_request_headers_kb: 60
common_http_protocol_options: { idle_timeout: 60s, max_headers_count: 100 }
# The end of a gRPC call over HTTP/1 is a trailer (P1).
http_protocol_options: { enable_trailers: true }
upgrade_configs: [ { upgrade_type: websocket } ]
# A response whose head the module holds back, to read an error's body, may fail: Envoy then writes to the client past all
# filters. What it is to write the module has noted (V3).
local_reply_config:
  mappers:
  - filter:
      metadata_filter:
        matcher: { filter: error_envelope, path: [ { key: local_reply } ], value: { string_match: { exact: error_envelope } } }
        match_if_key_not_found: false
    headers_to_add:
    - { header: { key: content-type, value: \"%DYNAMIC_METADATA(error_envelope:content_type)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: x-request-id, value: \"%DYNAMIC_METADATA(error_envelope:request_id)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: x-error-code, value: \"%DYNAMIC_METADATA(error_envelope:code)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: vary, value: \"%DYNAMIC_METADATA(error_envelope:vary)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: content-security-policy, value: \"%DYNAMIC_METADATA(error_envelope:content_security_policy)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: grpc-status-details-bin, value: \"%DYNAMIC_METADATA(error_envelope:grpc_details)%\" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: x-content-type-options, value: nosniff }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    - { header: { key: cache-control, value: no-store }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }
    body_format_override:
      text_format_source: { inline_string: \"%DYNAMIC_METADATA(error_envelope:body)%\" }
access_log:
- name: envoy.access_loggers.stdout
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
    log_format:
      # The code and its origin are the module's; no query, no credential (L3).
      text_format_source:
        inline_string: \"%START_TIME% %REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DURATION%ms id=%RESP(x-request-id)% code=%DYNAMIC_METADATA(error_envelope:code)% origin=%DYNAMIC_METADATA(error_envelope:origin)% route=%DYNAMIC_METADATA(error_envelope:route)% mode=%DYNAMIC_METADATA(error_envelope:mode)%\\n\"
";

/// The filters.
fn filters(file: &str, on_call: Option<SocketAddr>) -> String {
    let admin = on_call.map(|address| format!("\nadmin = \"{address}\"")).unwrap_or_default();
    let config = quoted(&format!("policy_file = {}{admin}", quoted(file)));
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
