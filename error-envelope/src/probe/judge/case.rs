//! What is judged.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::super::answer::ProbeResponse;
use super::super::request::ProbeRequest;
use super::super::table::Probe;

/// An answer, and what it is held against.
pub(in super::super) struct Case<'a> {
    pub(in super::super) probe: &'a Probe,
    pub(in super::super) request: &'a ProbeRequest,
    pub(in super::super) got: &'a ProbeResponse,
    /// What the layer would answer by itself.
    pub(in super::super) predicted: Option<&'a Response<Bytes>>,
    /// An error with the answer's code, as this client would get it.
    pub(in super::super) model: Option<&'a Response<Bytes>>,
    /// The ids of the answers before.
    pub(in super::super) seen: &'a HashSet<String>,
    /// The sender's id, where the policy lets it hold.
    pub(in super::super) kept_id: Option<&'a str>,
    /// A browser's code is to read the headers of the contract (`expose_headers`).
    pub(in super::super) exposes: bool,
    /// There is a policy, and not only what the command line says.
    pub(in super::super) by_policy: bool,
}

/// The lines of a header, as people read them.
pub(super) fn shown_lines(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<_> = headers.get_all(name).iter().map(|line| line.as_bytes().escape_ascii().to_string()).collect();
    if lines.is_empty() { "not there".to_owned() } else { format!("{:?}", lines.join(", ")) }
}
