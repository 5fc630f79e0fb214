//! `error-envelope probe`: sends requests that anybody can send and that provoke errors, and reports by rule whether a
//! service keeps the contract.
//!
//! 1. [`table`] lists the probes: a row a line of the report.
//! 2. [`plan`] makes requests for a row, from the routes of the policy or of the command line. The [`oracle`], which is
//!    the layer itself, predicts the response of each; the first that provokes the wanted error is taken.
//! 3. [`walk`] sends them one by one ([`client`]; [`raw`] where a library would not), slowly, each on a connection
//!    of its own, with a cap on its time and its bytes.
//! 4. [`judge`] compares the responses with the contract, without any I/O.
//! 5. With a document, each of its operations is a line too ([`operations`]).
//! 6. [`mod@report`] writes the results, [`advice`] lists first steps.
//!
//! Nothing is changed if a service is as described: requests are malformed, too large, forbidden, or for something that
//! does not exist.

mod advice;
mod answer;
mod client;
mod curl;
mod finding;
mod judge;
mod operations;
mod oracle;
mod outgoing;
mod plan;
mod raw;
mod report;
mod request;
mod table;
mod target;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use humantime::Duration as Time;
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::{Policy, Route as PolicyRoute};

use self::oracle::Oracle;
use self::plan::{Planned, Route, STAND_IN, ServiceInfo};
use self::report::Report;
use self::table::PROBES;
use self::target::Target;
use self::walk::{ProbeOptions, ProbeRun};
use crate::failure::{CommandError, block_on, print, print_unless_closed};
use crate::gateway::limits::{ByteSize, size, time};
use crate::openapi::DocumentFile;
use crate::policy;

/// Check a running service against the error contract
///
/// Sends at most 78 requests, and up to 3 for each operation of --openapi, one after the other. These requests have
/// unknown paths, other methods, wrong credentials, and bodies that are malformed or one byte over the limit. A route's
/// own method is only sent without credentials, with invalid ones, or without a required header. Safe methods are
/// preferred, and DELETE is sent only if --protected names it. Exit codes: 0 if each probe passed or was skipped, 1 if
/// a probe failed or none passed, 2 if the service cannot be reached.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Probe the service at this URL, such as http://127.0.0.1:8080
    url: String,
    /// Probe the routes, limits, headers and credentials of this policy, which the service must have loaded
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Probe the GET, HEAD and OPTIONS operations of this OpenAPI 3.0 or 3.1 document, JSON or YAML, and check that
    /// each declares the status and the code of the response
    #[arg(long, value_name = "FILE")]
    openapi: Option<PathBuf>,
    /// Send malformed JSON to the POST, PUT and PATCH operations of --openapi that accept JSON; a service that ignores
    /// the body may change data
    #[arg(long, requires = "openapi")]
    malformed_bodies: bool,
    /// Probe this path with malformed JSON, such as POST:/orders; repeatable
    #[arg(long, value_name = "METHOD:PATH", value_parser = route)]
    json_path: Vec<(Method, String)>,
    /// Probe this path with missing and invalid credentials, such as GET:/account; repeatable
    #[arg(long, value_name = "METHOD:PATH", value_parser = route)]
    protected: Vec<(Method, String)>,
    /// Send the invalid key for --protected in this header [default: as a bearer token in Authorization]
    #[arg(long, value_name = "NAME", requires = "protected", conflicts_with = "policy")]
    key_header: Option<String>,
    /// Set the service's body limit, if there is no policy [default: 1MiB]
    #[arg(long, value_name = "SIZE", value_parser = size(0, u64::MAX), conflicts_with = "policy")]
    body_limit: Option<ByteSize>,
    /// Add this header to each request, "NAME: VALUE"; for secrets use --header-env, as other users can read a command
    /// line
    #[arg(long, value_name = "LINE")]
    header: Vec<String>,
    /// Add a header with the value of an environment variable, such as authorization=TOKEN
    #[arg(long, value_name = "NAME=VARIABLE")]
    header_env: Vec<String>,
    /// Trust the PEM certificates in FILE instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Limit the requests per second
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0, value_parser = rate)]
    rate: f64,
    /// Limit the time to wait for each response
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    timeout: Time,
    /// Limit the size of a request body; a probe that needs a larger one is skipped
    #[arg(long, value_name = "SIZE", value_parser = size(0, u64::MAX), default_value_t = ByteSize(4 << 20))]
    max_upload: ByteSize,
    /// Set the output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
    /// Also exit with 1 if a probe was skipped
    #[arg(long)]
    deny_skipped: bool,
    /// Print the requests without sending them
    #[arg(long)]
    dry_run: bool,
    /// Print each request and response head to standard error
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Print one line per probe, with its findings below
    #[default]
    Human,
    /// Print one JSON object
    Json,
    /// Print JUnit XML, one test case per probe
    Junit,
}

/// Sends the requests, and writes the report to standard output. Returns the exit code: 1 if a probe failed or none
/// passed, or if one was skipped and that is denied; else 0.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let target = Target::new(&args.url, args.ca.as_deref())?;
    let service = service_info(args, &target)?;
    if args.dry_run {
        return print(&dry_run_report(&service)).map(|()| 0);
    }
    let report = block_on(report(args, &service, &target))?;
    let [passed, failed, skipped] = report.counts();
    let failed = failed > 0 || passed == 0 || args.deny_skipped && skipped > 0;
    let text = match args.format {
        Format::Human => report.human(),
        Format::Json => report.json(),
        Format::Junit => report.junit()?,
    };
    print_unless_closed(&text).map(|()| u8::from(failed))
}

async fn report(args: &Args, service: &ServiceInfo, target: &Target) -> Result<Report, CommandError> {
    let options = ProbeOptions {
        patience: *args.timeout,
        pause: Duration::from_secs_f64(args.rate.recip()),
        verbose: args.verbose,
        by_policy: args.policy.is_some(),
    };
    let mut walk = ProbeRun::new(service, target, options);
    let lines = walk.run_all().await?;
    let is_there = walk.has_ids || lines.iter().all(|line| line.got.is_none());
    let advice = if is_there { Vec::new() } else { advice::first_steps(walk.framework, &args.url) };
    let policy = args.policy.as_ref().map(|policy| policy.display().to_string());
    Ok(Report { url: args.url.clone(), policy, lines, advice })
}

fn service_info(args: &Args, target: &Target) -> Result<ServiceInfo, CommandError> {
    let lines = args.header.iter().map(|line| header_line(line));
    let given: HeaderMap =
        lines.chain(args.header_env.iter().map(|line| header_variable(line))).collect::<Result<_, _>>()?;
    let policy = match &args.policy {
        Some(file) => policy::read(file)?.file.into_policy(),
        None => assumed(args, &given)?,
    };
    let (routes, authority) = (routes(args, &policy), target.host_header()?);
    let document = args.openapi.as_deref().map(DocumentFile::read).transpose()?;
    if document.as_ref().is_some_and(|document| document.operations().is_empty()) {
        return Err(CommandError::Io(
            "--openapi: the document has no operations; if `paths` is in another file, bundle the document first"
                .to_owned(),
        ));
    }
    Ok(ServiceInfo {
        oracle: Oracle::new(policy),
        authority,
        routes,
        given,
        max_upload: args.max_upload.0,
        document,
        malformed_bodies: args.malformed_bodies,
    })
}

/// The routes of the command line, then those of the policy.
fn routes(args: &Args, policy: &Policy) -> Vec<Route> {
    let named = args.json_path.iter().chain(&args.protected);
    let named = named.map(|(method, path)| (Some(method.clone()), path.clone()));
    let mut routes: Vec<_> = named.chain(policy.samples(STAND_IN)).collect();
    // The flags and a route of the policy may both name `/a`.
    let mut seen = std::collections::HashSet::new();
    routes.retain(|route| seen.insert(route.clone()));
    let route = |(method, path): (Option<Method>, String)| {
        let named = args.protected.iter().any(|named| method.as_ref() == Some(&named.0) && path == named.1);
        Route { method, path, named }
    };
    routes.into_iter().map(route).collect()
}

/// The default policy, with the command line's facts about the service.
fn assumed(args: &Args, given: &HeaderMap) -> Result<Policy, CommandError> {
    let (scheme, name) = match &args.key_header {
        Some(name) => (AuthScheme::header(name), name.as_str()),
        None => (AuthScheme::bearer(), "authorization"),
    };
    // Only what the user gives is accepted as a credential; nothing made up here is.
    let given = given.iter().filter(|(given, _)| given.as_str().eq_ignore_ascii_case(name));
    let given = given.map(|(_, value)| value.as_bytes().strip_prefix(b"Bearer ").unwrap_or(value.as_bytes()));
    let keys = given.map(|key| Key::of_secret("given", key)).chain([Key::sha256("nobody", "0".repeat(64))]);
    let scheme = keys.fold(scheme, AuthScheme::key);
    let policy = Policy::builder().scheme("key", scheme);
    let policy = args.body_limit.into_iter().fold(policy, |policy, limit| policy.body_limit(limit.0));
    let policy = named_routes(args).into_values().fold(policy, |policy, route| policy.route(route));
    policy.build().map_err(|error| CommandError::Io(format!("the command line: {error}")))
}

fn named_routes(args: &Args) -> BTreeMap<String, PolicyRoute> {
    let mut routes: BTreeMap<String, PolicyRoute> = BTreeMap::new();
    let named = args.json_path.iter().map(|it| (it, true)).chain(args.protected.iter().map(|it| (it, false)));
    for ((method, path), is_json) in named {
        let pattern = format!("{method} {path}");
        let route = routes.remove(&pattern).unwrap_or_else(|| PolicyRoute::new(&pattern));
        routes.insert(pattern, if is_json { route.json(true) } else { route.auth(["key"]) });
    }
    routes
}

/// The report of `--dry_run_report-run`: the requests that would be sent, by line.
fn dry_run_report(service: &ServiceInfo) -> String {
    let lines = PROBES.iter().map(|probe| {
        let about = format!("{}: {}", probe.name, probe.about);
        dry_run_line(&about, 1, service.plan(probe))
    });
    let operations = service.operations();
    let operations = operations.iter().map(|it| dry_run_line(&it.line(), usize::MAX, service.plan_operation(it)));
    lines.chain(operations).collect()
}

/// The line's first requests: at most `most` of them.
fn dry_run_line(about: &str, most: usize, planned: Result<Vec<Planned>, String>) -> String {
    let planned = match planned {
        Ok(planned) => planned,
        Err(why) => return format!("# {about}\n# not sent: {why}\n\n"),
    };
    let more = match planned.len().saturating_sub(most) {
        0 => String::new(),
        count => format!(" (and up to {count} more if the response differs)"),
    };
    let request: Vec<_> = planned.iter().take(most).map(|planned| planned.request.to_string()).collect();
    format!("# {about}{more}\n{}\n", request.join("\n"))
}

fn route(text: &str) -> Result<(Method, String), String> {
    let wrong = || "write METHOD:PATH, such as POST:/orders".to_owned();
    let (method, path) = text.split_once(':').ok_or_else(wrong)?;
    let path = path
        .parse::<http::uri::PathAndQuery>()
        .ok()
        .filter(|path| path.path().starts_with('/') && path.query().is_none());
    Ok((method.to_ascii_uppercase().parse().map_err(|_| wrong())?, path.ok_or_else(wrong)?.to_string()))
}

/// Parses `NAME: VALUE`. An invalid line may be a secret, and clap repeats a value that its own parser refuses. So the
/// line is parsed here.
fn header_line(text: &str) -> Result<(HeaderName, HeaderValue), CommandError> {
    let wrong = || CommandError::Io("--header: write NAME: VALUE".to_owned());
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    Ok((name.trim().parse().map_err(|_| wrong())?, value.trim().parse().map_err(|_| wrong())?))
}

fn header_variable(text: &str) -> Result<(HeaderName, HeaderValue), CommandError> {
    let wrong =
        |what: &str| CommandError::Io(format!("--header-env: {what}write NAME=VARIABLE, such as authorization=TOKEN"));
    let (name, variable) = text.split_once('=').ok_or_else(|| wrong(""))?;
    let name: HeaderName = name.parse().map_err(|_| wrong(""))?;
    let value = std::env::var(variable);
    let value = value.map_err(|_| wrong(&format!("{name}: the environment variable is not set; ")))?;
    let value = value.parse().map_err(|_| wrong(&format!("{name}: the value is not a valid header value; ")))?;
    Ok((name, value))
}

fn rate(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number".to_owned())?;
    if (0.001..=100_000.0).contains(&number) { Ok(number) } else { Err("write a number of 0.001 to 100000".to_owned()) }
}
