//! The states of the layer. One request, and the service's reaction to it, lead to each state.

use http::{HeaderMap, Request, Response};

use super::faulty::{Act, Side, Step};
use super::trap::{Extension, Trap, Where};

/// The current work of the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    /// Calling, then passing a body.
    Passing,
    /// Passing an error, its mode being `off`.
    Off,
    /// Passing an error that keeps its shape by its head.
    Kept,
    /// Passing a body that fails after it has begun.
    ResponseBreaks,
    /// Dropping a body that the status forbids.
    Stripping,
    /// Calling a service that fails.
    Failing,
    /// Calling a service whose reading of the request fails.
    RequestBreaks,
    /// Holding what `poll_ready` said.
    Unready,
    /// Collecting an error's body.
    Collecting,
    /// Collecting an error's body that breaks.
    CollectingBreaks,
    /// Collecting an error's body that keeps its shape, then returning it.
    Replaying,
    /// Peeking, then calling.
    PeekForwards,
    /// Peeking, then refusing and draining.
    PeekRefuses,
    /// Peeking at a body that fails.
    PeekBreaks,
    /// Draining after the head.
    DrainsAfterHead,
    /// Draining while the service holds the body.
    DrainsInPlace,
    /// Draining a body that breaks, after the head.
    DrainBreaksAfterHead,
    /// Draining a body that breaks, while the service holds it.
    DrainBreaksInPlace,
}

pub(super) const JSON_RPC: [&str; 2] = [r#"{"jsonrpc":"2.0","id":1,"#, r#""error":{"code":1,"message":"m"}}"#];
pub(super) const NEXT: &str = "/next";

impl State {
    pub(super) const ALL: [Self; 18] = [
        Self::Passing,
        Self::Off,
        Self::Kept,
        Self::ResponseBreaks,
        Self::Stripping,
        Self::Failing,
        Self::RequestBreaks,
        Self::Unready,
        Self::Collecting,
        Self::CollectingBreaks,
        Self::Replaying,
        Self::PeekForwards,
        Self::PeekRefuses,
        Self::PeekBreaks,
        Self::DrainsAfterHead,
        Self::DrainsInPlace,
        Self::DrainBreaksAfterHead,
        Self::DrainBreaksInPlace,
    ];

    /// Returns the status of a run without a fault.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Passing | Self::ResponseBreaks | Self::PeekForwards => 200,
            Self::Stripping => 204,
            Self::RequestBreaks | Self::Replaying | Self::PeekBreaks => 400,
            Self::Kept | Self::Collecting | Self::CollectingBreaks => 404,
            _ if self.drains_after_head() || self.drains_in_place() => 413,
            Self::PeekRefuses => 415,
            Self::Off => 418,
            Self::Failing => 500,
            _ => 503,
        }
    }

    pub(super) fn drains_after_head(self) -> bool {
        matches!(self, Self::DrainsAfterHead | Self::DrainBreaksAfterHead)
    }

    pub(super) fn drains_in_place(self) -> bool {
        matches!(self, Self::DrainsInPlace | Self::DrainBreaksInPlace)
    }

    /// Returns true if a guard refuses, and the service is not called.
    pub(super) fn is_refused(self) -> bool {
        matches!(self, Self::PeekRefuses | Self::PeekBreaks) || self.drains_after_head()
    }

    pub(super) fn peeks(self) -> bool {
        matches!(self, Self::PeekForwards | Self::PeekRefuses | Self::PeekBreaks)
    }

    pub(super) fn request(self, trap: &Trap) -> Request<Act> {
        let (path, steps) = match self {
            Self::Off => ("/off", vec![Step::Wait, Step::Data("one"), Step::Wait, Step::Data("two")]),
            Self::PeekForwards => ("/json", vec![Step::Wait, Step::Data(""), Step::Wait, Step::Trailers]),
            Self::PeekRefuses => ("/json", vec![Step::Wait, Step::Data("one"), Step::Wait, Step::Data("two")]),
            Self::PeekBreaks => ("/json", vec![Step::Wait, Step::Data(""), Step::Break]),
            Self::DrainsAfterHead | Self::DrainsInPlace => {
                ("/any", vec![Step::Wait, Step::Data("123456789"), Step::Wait, Step::Data("more")])
            }
            Self::DrainBreaksAfterHead | Self::DrainBreaksInPlace => {
                ("/any", vec![Step::Wait, Step::Data("123456789"), Step::Wait, Step::Break])
            }
            Self::RequestBreaks => ("/any", vec![Step::Wait, Step::Data("one"), Step::Wait, Step::Break]),
            _ => ("/any", vec![Step::Wait, Step::Data("one"), Step::Wait, Step::Data("two"), Step::Trailers]),
        };
        let mut request = Request::post(path);
        if self.drains_after_head() {
            request = request.header("content-length", "13");
        }
        let extension = Extension(trap.clone(), Where::RequestExtension);
        request.extension(extension).body(Act::new(Side::Request, steps, trap)).unwrap()
    }

    /// Returns the service's response, or `None` if it fails.
    pub(super) fn response(self, trap: &Trap) -> Option<Response<Act>> {
        let two_chunks =
            |first, second| vec![Step::Wait, Step::Data(first), Step::Wait, Step::Data(second), Step::Trailers];
        let (status, kind, steps) = match self {
            Self::Failing => return None,
            Self::Off | Self::Stripping | Self::Collecting => (self.status(), "text/plain", two_chunks("one", "two")),
            Self::Kept => (404, "application/soap+xml", two_chunks("one", "two")),
            Self::CollectingBreaks => (404, "text/plain", vec![Step::Wait, Step::Data("one"), Step::Break]),
            Self::Replaying => (400, "application/json", two_chunks(JSON_RPC[0], JSON_RPC[1])),
            Self::ResponseBreaks => (200, "text/plain", vec![Step::Data("one"), Step::Wait, Step::Break]),
            _ => (200, "text/plain", two_chunks("one", "two")),
        };
        let extension = Extension(trap.clone(), Where::ResponseExtension);
        let head = Response::builder().status(status).header("content-type", kind).extension(extension);
        Some(head.body(Act::new(Side::Response, steps, trap)).unwrap())
    }
}

pub(super) fn next_request() -> Request<Act> {
    Request::get(NEXT).body(Act::new(Side::Request, vec![], &Trap::new(None))).unwrap()
}

pub(super) fn next_response() -> Response<Act> {
    Response::new(Act::new(Side::Response, vec![Step::Data("next")], &Trap::new(None)))
}

pub(super) fn trailers() -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("1"))])
}
