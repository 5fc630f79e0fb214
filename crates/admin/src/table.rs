//! The table of endpoints: path, method, handler.

use http::Method;
use http::request::Parts;

use crate::admin::Admin;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::change::Change;
use crate::row::{Endpoint, get, post};
use crate::{health, metrics, mode, page, policy};

static ROWS: [Endpoint; 7] = [
    get("/healthz", health::alive),
    get("/readyz", health::ready),
    get("/metrics", metrics::shown),
    get("/policy", policy::show),
    get("/kill-switch", mode::describe),
    post("/kill-switch/on", mode::on),
    post("/kill-switch/off", mode::off),
];

/// The response to an accepted request.
pub(crate) fn answer(admin: &Admin, request: &Parts, change: Change) -> Answer {
    let (method, path) = (&request.method, request.uri.path());
    let here: Vec<_> = rows().filter_map(|row| Some((row, row.name_in(path)?))).collect();
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let (headers, query) = (&request.headers, request.uri.query());
    let view = |name| AdminRequest { admin, headers, name, query, change };
    match here.iter().find(|(row, _)| row.method == *wanted) {
        Some((row, name)) => (row.answer)(&view(name)),
        None if here.is_empty() => not_found(&view("")),
        None => answer::method_not_allowed(&methods(here.iter().map(|(row, _)| *row))),
    }
}

fn not_found(request: &AdminRequest<'_>) -> Answer {
    if request.wants_page() {
        return page::not_found(request);
    }
    let paths: Vec<_> = rows().filter(|row| row.method == Method::GET).map(|row| row.path).collect();
    answer::not_found(&paths.join(", "))
}

fn rows() -> impl Iterator<Item = &'static Endpoint> {
    ROWS.iter().chain(page::ROWS)
}

fn methods<'r>(rows: impl Iterator<Item = &'r Endpoint>) -> String {
    let named = rows.map(|row| if row.method == Method::GET { "GET, HEAD" } else { row.method.as_str() });
    named.collect::<Vec<_>>().join(", ")
}
