//! The table of endpoints: path, method, handler.

use http::Method;

use crate::answer::{self, Answer};
use crate::row::{Endpoint, get, post};
use crate::{health, metrics, mode, page, policy};

const OWN: [Endpoint; 7] = [
    get("/healthz", health::alive),
    get("/readyz", health::ready),
    get("/metrics", metrics::shown),
    get("/policy", policy::show),
    get("/mode", mode::describe),
    post("/mode/off", mode::off),
    post("/mode/policy", mode::back),
];

/// The result for a path and a method.
pub(crate) enum Lookup<'p> {
    Row(&'static Endpoint, &'p str),
    /// The methods of the path.
    OtherMethods(String),
    Nothing,
}

pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Lookup<'p> {
    let here: Vec<_> = rows().filter_map(|row| Some((row, row.name_in(path)?))).collect();
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    match here.iter().find(|(row, _)| row.method == *wanted) {
        Some((row, name)) => Lookup::Row(row, name),
        None if here.is_empty() => Lookup::Nothing,
        None => Lookup::OtherMethods(methods(here.iter().map(|(row, _)| *row))),
    }
}

pub(crate) fn not_found() -> Answer {
    let paths: Vec<_> = rows().filter(|row| row.method == Method::GET).map(|row| row.path).collect();
    answer::not_found(&paths.join(", "))
}

fn rows() -> impl Iterator<Item = &'static Endpoint> {
    static ROWS: [Endpoint; 7] = OWN;

    ROWS.iter().chain(page::ROWS)
}

fn methods<'r>(rows: impl Iterator<Item = &'r Endpoint>) -> String {
    let named = rows.map(|row| if row.method == Method::GET { "GET, HEAD" } else { row.method.as_str() });
    named.collect::<Vec<_>>().join(", ")
}
