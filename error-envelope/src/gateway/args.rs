//! The flags of the gateway, and those that the demo has as well.

use std::path::PathBuf;
use std::time::Duration;

use http::Version;
use http::uri::{Authority, Scheme, Uri};
use humantime::parse_duration;

use super::log::Log;
use super::serve::Limits;

/// Serve as a reverse proxy whose every error is one JSON envelope
///
/// It stands in front of one service, reads the policy file and follows it as it changes, and gives every response a
/// request id. The first line on standard output says where it listens. Ctrl-C and SIGTERM let requests in flight finish;
/// SIGHUP reads the policy anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(super) listen: String,
    /// The service to forward to, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL", value_parser = upstream)]
    pub(super) upstream: Authority,
    /// Speak HTTP/2 (prior knowledge) to the service instead of HTTP/1.1
    #[arg(long)]
    upstream_h2: bool,
    /// How long the service may take to its response head, such as 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s")]
    pub(super) upstream_timeout: Duration,
    #[command(flatten)]
    pub(super) front: Front,
}

/// What faces the clients.
#[derive(Debug, clap::Args)]
pub(crate) struct Front {
    /// How long a client may pause within a request body
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    client_timeout: Duration,
    /// How long a client may be quiet between requests, or take to a request head
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30s")]
    idle_timeout: Duration,
    /// How many clients may be connected at once; further ones wait to be accepted
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), default_value_t = 10_000)]
    max_connections: u32,
    /// The policy file; without it, every default
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How to write the log to standard error; RUST_LOG says what
    #[arg(long, value_enum, default_value_t = Log::Text)]
    pub(crate) log: Log,
}

impl Args {
    pub(super) fn upstream_version(&self) -> Version {
        if self.upstream_h2 { Version::HTTP_2 } else { Version::HTTP_11 }
    }
}

impl Front {
    pub(crate) fn limits(&self) -> Limits {
        Limits { pause: self.client_timeout, idle: self.idle_timeout, connections: self.max_connections }
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
