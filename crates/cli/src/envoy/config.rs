//! `error-envelope envoy-config`: an Envoy bootstrap that runs as it is, or the parts of it to merge into another one.
//!
//! `module.yaml` and `ext_proc.yaml` are the templates, with the comments that the output has. Both include
//! `envoy.yaml`, which has what they share.

use std::net::SocketAddr;
use std::path::PathBuf;

use error_envelope_core::code::ErrorCode;
use error_envelope_extproc::override_modes;
use error_envelope_runtime::FilterConfig;
use http::StatusCode;
use minijinja::{Environment, context};

use super::services::Services;
use super::yaml::{Address, address, quoted};
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
    // A policy that is refused here would also be refused when Envoy starts: it is better to report it now.
    let read = match &args.ext_proc {
        Some(_) => policy::read_for_processor(&args.policy)?,
        None => policy::read_in_envoy(&args.policy)?,
    };
    let services = Services::new(read.file.policy(), args.upstream.as_ref());
    if !args.snippet && services.clusters.is_empty() {
        let why = "there is no service: no scope of the policy has an upstream\n = help: add --upstream HOST:PORT";
        return Err(CommandError::Io(why.to_owned()));
    }
    let yaml = |address: &Option<Address>| address.as_ref().map(Address::yaml);
    let values = context! {
        snippet => args.snippet,
        listen => yaml(&args.listen),
        envoy_admin => yaml(&args.envoy_admin),
        ext_proc => yaml(&args.ext_proc),
        // Over HTTP/1, too, a gRPC call ends with trailers (P1).
        protocol => match args.upstream_h2 {
            true => "{ http2_protocol_options: {} }",
            false => "{ http_protocol_options: { enable_trailers: true } }",
        },
        hosts => services.hosts,
        services => services.clusters,
        filter_config => filter_config(args)?,
        // Every mode that the processor can request.
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

fn render(template: &str, values: &minijinja::Value) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.add_filter("quoted", |text: &str| quoted(text));
    for (name, text) in [
        ("envoy", include_str!("envoy.yaml")),
        ("module", include_str!("module.yaml")),
        ("ext_proc", include_str!("ext_proc.yaml")),
    ] {
        environment.add_template(name, text)?;
    }
    environment.get_template(template)?.render(values)
}

/// The module's `filter_config`.
fn filter_config(args: &Args) -> Result<String, CommandError> {
    let file = std::path::absolute(&args.policy).map_err(|error| CommandError::Io(error.to_string()))?;
    let file = file.to_str().ok_or_else(|| CommandError::Io(format!("{}: not UTF-8", file.display())))?;
    let admin = args.admin.map(|address| format!("\nadmin = \"{address}\"")).unwrap_or_default();
    let token = args.admin_token_file.as_ref();
    let token = token.map(|file| format!("\nadmin_token_file = {}", quoted(file))).unwrap_or_default();
    Ok(format!("policy_file = {}{admin}{token}", quoted(file)))
}

/// The request id that the processor set, or else one made from the time at which Envoy's request began: the same in
/// header and body.
const ID: &str = r#"%COALESCE({"operators":[{"command":"DYNAMIC_METADATA","param":"error_envelope:request_id"},{"command":"START_TIME","param":"req_%s%9f0000000"}]})%"#;

/// A CEL expression that chooses a text by the response's status; the texts come from the catalogue.
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

/// The expression splits the statuses in halves, because Envoy limits how deep expressions may be nested.
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

/// A string literal of CEL. Envoy takes a parenthesis and a percent sign as the end of the expression; no text here has
/// these.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
