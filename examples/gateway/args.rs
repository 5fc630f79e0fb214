//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use http::Version;
use http::uri::{Authority, Scheme, Uri};

use crate::log::Log;
use crate::serve::Limits;

/// A reverse proxy whose every error is one JSON envelope, with a request id on every response.
///
/// Without --upstream it runs a service that misbehaves, sends itself one request of each kind, prints what the service
/// said beside what the client got, and serves until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "gateway")]
pub(crate) struct Args {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:8080, with --once 127.0.0.1:0]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The service to forward to, such as http://127.0.0.1:3000; without it, the embedded one
    #[arg(long, value_name = "URL", value_parser = upstream)]
    pub(crate) upstream: Option<Authority>,
    /// Speak HTTP/2 (prior knowledge) to the service instead of HTTP/1.1
    #[arg(long, requires = "upstream")]
    upstream_h2: bool,
    /// How long the service may take to its response head, such as 500ms [default: 30s, for the embedded one 1s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) upstream_timeout: Option<Duration>,
    /// How long a client may pause within a request body
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    client_timeout: Duration,
    /// How long a client may be quiet between requests, or take to a request head
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "30s")]
    idle_timeout: Duration,
    /// How many clients may be connected at once; further ones wait to be accepted
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    max_connections: u32,
    /// The policy file; without it, every default
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// End after the tour: exit code 0 if every row is as expected, else 1
    #[arg(long, conflicts_with = "upstream")]
    pub(crate) once: bool,
    /// Where to write what the client got on the tour: one JSON object {name, status, headers, body} a line
    #[arg(long, value_name = "FILE", requires = "once")]
    pub(crate) tour_json: Option<PathBuf>,
    /// Where to write the tour as a HAR 1.2 file, for `error-envelope replay`; mode "off" shows what the service said
    #[arg(long, value_name = "FILE", requires = "once")]
    pub(crate) tour_har: Option<PathBuf>,
    /// How to write the log to standard error; RUST_LOG says what
    #[arg(long, value_enum, default_value_t = Log::Text)]
    pub(crate) log: Log,
}

impl Args {
    /// The tour alone needs no address that anybody knows, and must not collide.
    pub(crate) fn listen(&self) -> &str {
        let default = if self.once { "127.0.0.1:0" } else { "127.0.0.1:8080" };
        self.listen.as_deref().unwrap_or(default)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { pause: self.client_timeout, idle: self.idle_timeout, connections: self.max_connections }
    }

    pub(crate) fn upstream_version(&self) -> Version {
        if self.upstream_h2 { Version::HTTP_2 } else { Version::HTTP_11 }
    }
}

fn upstream(url: &str) -> Result<Authority, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{error}; say http://HOST:PORT"))?;
    let bare = matches!(uri.path_and_query().map(|path| path.as_str()), None | Some("" | "/"));
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), _) if *scheme != Scheme::HTTP => {
            Err(format!("{scheme} is not spoken here; say http://HOST:PORT"))
        }
        (Some(_), Some(authority)) if bare => Ok(authority.clone()),
        (Some(_), Some(_)) => Err("paths are forwarded as they come; say http://HOST:PORT without a path".into()),
        _ => Err("say http://HOST:PORT".into()),
    }
}
