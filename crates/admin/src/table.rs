//! The table of endpoints: path, method, handler.

use http::request::Parts;
use http::{Method, StatusCode};

use crate::admin::Admin;
use crate::admin_request::{AdminRequest, Change};
use crate::answer::{self, Answer};
use crate::{errors, mode, now, process, readiness};

/// One path with one method. `GET` serves `HEAD`, too: the server leaves the body out.
struct Endpoint(&'static str, Method, fn(&AdminRequest<'_>) -> Answer);

static ROWS: [Endpoint; 14] = [
    Endpoint("/", Method::GET, |_| answer::page(include_str!("assets/page.html"))),
    Endpoint("/page.css", Method::GET, |_| asset("text/css; charset=utf-8", include_str!("assets/page.css"))),
    Endpoint("/page.js", Method::GET, |_| asset("text/javascript; charset=utf-8", include_str!("assets/page.js"))),
    Endpoint("/page.svg", Method::GET, |_| asset("image/svg+xml", include_str!("assets/page.svg"))),
    Endpoint("/now.json", Method::GET, now::show),
    Endpoint("/errors.json", Method::GET, errors::show),
    Endpoint("/readiness.json", Method::GET, readiness::show),
    Endpoint("/healthz", Method::GET, process::alive),
    Endpoint("/readyz", Method::GET, process::ready),
    Endpoint("/metrics", Method::GET, process::metrics),
    Endpoint("/policy", Method::GET, process::policy),
    Endpoint("/kill-switch", Method::GET, mode::show),
    Endpoint("/kill-switch/on", Method::POST, mode::on),
    Endpoint("/kill-switch/off", Method::POST, mode::off),
];

/// Whether a path needs no token: the page itself, which has no data, and what orchestrators and scrapers read.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/page.css" | "/page.js" | "/page.svg" | "/healthz" | "/readyz" | "/metrics")
}

/// The response to an accepted request.
pub(crate) fn answer(admin: &Admin, request: &Parts, change: Change) -> Answer {
    let here: Vec<_> = ROWS.iter().filter(|row| row.0 == request.uri.path()).collect();
    let wanted = if request.method == Method::HEAD { &Method::GET } else { &request.method };
    match here.iter().find(|row| row.1 == *wanted) {
        Some(row) => (row.2)(&AdminRequest { admin, query: request.uri.query(), change }),
        None if here.is_empty() => {
            let paths: Vec<_> = ROWS.iter().filter(|row| row.1 == Method::GET).map(|row| row.0).collect();
            answer::not_found(&paths.join(", "))
        }
        None => answer::method_not_allowed(if here[0].1 == Method::GET { "GET, HEAD" } else { here[0].1.as_str() }),
    }
}

fn asset(media_type: &'static str, text: &'static str) -> Answer {
    answer::whole(StatusCode::OK, media_type, text)
}
