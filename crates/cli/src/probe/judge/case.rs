//! The input of the judge.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::super::answer::ProbeResponse;
use super::super::request::ProbeRequest;
use super::super::table::Probe;

/// A response, and the facts to judge it by.
pub(in super::super) struct Case<'a> {
    pub(in super::super) probe: &'a Probe,
    pub(in super::super) request: &'a ProbeRequest,
    pub(in super::super) got: &'a ProbeResponse,
    /// The layer's own response to the request.
    pub(in super::super) predicted: Option<&'a Response<Bytes>>,
    /// An error with the response's code, as this client would get it.
    pub(in super::super) model: Option<&'a Response<Bytes>>,
    /// The ids of earlier responses.
    pub(in super::super) seen: &'a HashSet<String>,
    /// The sender's id, if the policy keeps it.
    pub(in super::super) kept_id: Option<&'a str>,
    /// Whether scripts in a browser must be able to read the contract's headers (`expose_headers`).
    pub(in super::super) exposes: bool,
    /// Whether a policy is given, and not only the flags.
    pub(in super::super) by_policy: bool,
}

/// All values of a header, as a text for people.
pub(super) fn shown_lines(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<_> = headers.get_all(name).iter().map(|line| line.as_bytes().escape_ascii().to_string()).collect();
    if lines.is_empty() { "not there".to_owned() } else { format!("{:?}", lines.join(", ")) }
}
