//! `error-envelope envoy-config` writes a complete Envoy bootstrap, or only the parts to merge into an existing one.
//!
//! `module.yaml` and `ext_proc.yaml` are the templates. They contain the comments of the output. Both include
//! `envoy.yaml`, which contains their common parts.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::policy::{HostUpstreams, UpstreamUrl};
use error_envelope_extproc::override_modes;
use error_envelope_runtime::FilterConfig;
use http::StatusCode;
use http::uri::{Authority, Scheme};
use minijinja::{Environment, Value, context};
use tower_error_envelope::Policy;

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
    listen: Option<String>,
    /// Forward requests to this service, over HTTP/1.1 unless --upstream-h2 is set [default: only the services in the
    /// policy's scopes]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    upstream: Option<String>,
    /// Use HTTP/2 to the services, which gRPC servers require; for --upstream without TLS
    #[arg(long, conflicts_with = "snippet")]
    upstream_h2: bool,
    /// Serve Envoy's own admin interface here [default: disabled]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    envoy_admin: Option<String>,
    /// Serve the module's admin address on this IP address and port; a port alone means loopback [default: disabled]
    #[arg(long, value_name = "ADDR", value_parser = FilterConfig::address)]
    admin: Option<SocketAddr>,
    /// Use the external processor at this address (`error-envelope ext-proc`) instead of the module
    #[arg(long, value_name = "HOST:PORT", value_parser = address, conflicts_with = "admin")]
    ext_proc: Option<String>,
    /// Require the token in this file on the module's admin address; without it, changes are refused
    /// unless the address is loopback
    #[arg(long, value_name = "FILE", requires = "admin")]
    admin_token_file: Option<String>,
    /// Print only the parts to merge into an existing connection manager and its listener
    #[arg(long, conflicts_with_all = ["listen", "upstream", "envoy_admin"])]
    snippet: bool,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), CommandError> {
    // Envoy would refuse to start with a wrong policy, so errors in the policy are reported now.
    let read = policy::read_in_envoy(&args.policy, args.ext_proc.is_some())?;
    let (hosts, clusters) = hosts_and_clusters(read.file.policy(), args.upstream.as_deref());
    if !args.snippet && clusters.is_empty() {
        let why = "there is no service: no scope of the policy has an upstream\n = help: add --upstream HOST:PORT";
        return Err(CommandError::Io(why.to_owned()));
    }
    let values = context! {
        snippet => args.snippet,
        listen => args.listen,
        envoy_admin => args.envoy_admin,
        ext_proc => args.ext_proc,
        // A gRPC call ends with trailers, so trailers are also enabled over HTTP/1 (P1).
        protocol => match args.upstream_h2 {
            true => "{ http2_protocol_options: {} }",
            false => "{ http_protocol_options: { enable_trailers: true } }",
        },
        hosts,
        services => clusters,
        filter_config => filter_config(args)?,
        // All processing modes that the processor can request.
        modes => override_modes()
            .map(|mode| mode.map(|(field, value)| format!("{field}: {value}")).join(", "))
            .collect::<Vec<_>>(),
        id => ID,
        code => by_status(|code| code.as_str().to_owned()),
        message => by_status(|code| code.message().to_owned()),
    };
    let template = if args.ext_proc.is_some() { "ext_proc" } else { "module" };
    let text =
        render(template, &values).map_err(|error| CommandError::Io(format!("template {template}: {error:#}")))?;
    print(&text)
}

fn render(template: &str, values: &Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.add_filter("quoted", |text: &str| quoted(text));
    for (name, text) in [
        ("envoy", include_str!("envoy/envoy.yaml")),
        ("module", include_str!("envoy/module.yaml")),
        ("ext_proc", include_str!("envoy/ext_proc.yaml")),
    ] {
        environment.add_template(name, text)?;
    }
    environment.get_template(template)?.render(values)
}

/// Returns the module's `filter_config`.
fn filter_config(args: &Args) -> Result<String, CommandError> {
    let file = std::path::absolute(&args.policy).map_err(|error| CommandError::Io(error.to_string()))?;
    let file = file.to_str().ok_or_else(|| CommandError::Io(format!("{}: not UTF-8", file.display())))?;
    let admin = args.admin.map(|address| format!("\nadmin = \"{address}\"")).unwrap_or_default();
    let token = args.admin_token_file.as_ref();
    let token = token.map(|file| format!("\nadmin_token_file = {}", quoted(file))).unwrap_or_default();
    Ok(format!("policy_file = {}{admin}{token}", quoted(file)))
}

/// The request id that the processor set, or otherwise an id that Envoy makes from the start time of the request.
/// Header and body get the same id.
const ID: &str = r#"%COALESCE({"operators":[{"command":"DYNAMIC_METADATA","param":"error_envelope:request_id"},{"command":"START_TIME","param":"req_%s%9f0000000"}]})%"#;

/// Returns a CEL expression that chooses a text by the response's status. The texts come from the catalogue.
fn by_status(text: impl Fn(&ErrorCode) -> String) -> String {
    let text_for = |status: u16| {
        StatusCode::from_u16(status).map(|status| text(&ErrorCode::of_status(status))).unwrap_or_default()
    };
    let usual = |status: u16| text_for(if status < 500 { 499 } else { 599 });
    let named: Vec<_> =
        (400..600).map(|status| (status, text_for(status))).filter(|(status, text)| *text != usual(*status)).collect();
    let usual = format!("response.code < 500 ? {} : {}", literal(&usual(400)), literal(&usual(500)));
    format!("%CEL({})%", choice(&named, &usual))
}

/// Returns the expression for some of the statuses. The function splits the statuses in halves, because Envoy limits
/// how deep expressions may be nested.
fn choice(named: &[(u16, String)], usual: &str) -> String {
    match named {
        [] => usual.to_owned(),
        [(status, text)] => format!("response.code == {status} ? {} : ({usual})", literal(text)),
        _ => {
            let (left, right) = named.split_at(named.len() / 2);
            format!("response.code < {} ? ({}) : ({})", right[0].0, choice(left, usual), choice(right, usual))
        }
    }
}

/// Returns a string literal of CEL. `text` must contain no parenthesis and no percent sign, because Envoy would treat
/// it as the end of the expression.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The cluster for requests whose scope names no service.
const DEFAULT_CLUSTER: &str = "upstream";

/// Returns the services to which Envoy forwards requests, in the form that the templates need: the hosts with their
/// routes, and the clusters. Each text is YAML.
///
/// Envoy's routes choose a service in the same way as the policy's scopes (G0).
fn hosts_and_clusters(policy: &Policy, default_upstream: Option<&str>) -> (Vec<Value>, Vec<Value>) {
    let hosts = policy.upstreams_by_host();
    let urls = hosts.iter().flat_map(HostUpstreams::prefixes).filter_map(|(_, upstream)| upstream);
    let urls: BTreeSet<String> = urls.map(ToString::to_string).collect();
    let default = default_upstream.map(|address| context! { name => DEFAULT_CLUSTER, address, is_tls => false });
    let named = urls.iter().filter_map(|url| url.parse().ok()).map(|url| cluster(&url));
    let clusters = default.into_iter().chain(named).collect();
    (hosts.iter().map(|each| host(each, default_upstream.is_some())).collect(), clusters)
}

/// Returns a host with its routes. A prefix without a service gets no route. For such a prefix, Envoy returns 404, which
/// the module rewrites (V2).
fn host(host: &HostUpstreams<'_>, has_default: bool) -> Value {
    let (name, domains) = match host.host() {
        "*" => (DEFAULT_CLUSTER.to_owned(), quoted("*")),
        // A host name with a final dot names the same host.
        name => (quoted(name), format!("{}, {}", quoted(name), quoted(&format!("{name}.")))),
    };
    let routes = host.prefixes().filter_map(|(prefix, upstream)| {
        let cluster = match (prefix, upstream) {
            ("/", None) if has_default => DEFAULT_CLUSTER.to_owned(),
            (_, upstream) => quoted(&upstream?.to_string()),
        };
        let path = if prefix == "/" { "prefix: /".to_owned() } else { path_match(prefix) };
        Some(context! { path, cluster })
    });
    context! { name, domains, routes => routes.collect::<Vec<_>>() }
}

/// Returns the cluster for a service. The service's certificate must have the name `host`. A TLS handshake contains this
/// name (`sni`), unless it is an IP address.
fn cluster(url: &UpstreamUrl) -> Value {
    let is_ip = url.host().parse::<IpAddr>().is_ok();
    context! {
        name => quoted(&url.to_string()),
        address => socket_address(url.host(), url.port()),
        is_tls => *url.scheme() == Scheme::HTTPS,
        host => quoted(url.host()),
        san_type => if is_ip { "IP_ADDRESS" } else { "DNS" },
        sni => !is_ip,
    }
}

/// Returns Envoy's matcher for a prefix, which matches only whole segments. Envoy decodes only the percent codes of
/// letters, digits, `-`, `.`, `_` and `~`. The policy decodes all percent codes.
fn path_match(prefix: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    if prefix.bytes().all(is_plain) {
        return format!("path_separated_prefix: {}", quoted(prefix));
    }
    let mut regex = String::new();
    for byte in prefix.bytes() {
        let digit = |digit: u8| match char::from_digit(digit.into(), 16) {
            Some(letter @ 'a'..='f') => format!("[{letter}{}]", letter.to_ascii_uppercase()),
            digit => digit.into_iter().collect(),
        };
        let _ = match byte {
            b'.' => write!(regex, "[.]"),
            byte if is_plain(byte) => write!(regex, "{}", char::from(byte)),
            byte => write!(regex, "(?:\\x{byte:02x}|%{}{})", digit(byte >> 4), digit(byte & 15)),
        };
    }
    format!("safe_regex: {{ regex: {} }}", quoted(&format!("{regex}(?:/.*)?")))
}

/// Parses a host and a port. Returns the address in YAML.
fn address(text: &str) -> Result<String, String> {
    let authority: Authority = text.parse().map_err(|error| format!("{error}; write HOST:PORT"))?;
    let port = authority.port_u16().ok_or("the port is missing; write HOST:PORT")?;
    Ok(socket_address(authority.host().trim_start_matches('[').trim_end_matches(']'), port))
}

fn socket_address(host: &str, port: u16) -> String {
    format!("{{ socket_address: {{ address: {}, port_value: {port} }} }}", quoted(host))
}

/// Returns a JSON string, which is also a valid string of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
