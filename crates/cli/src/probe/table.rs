//! The probes: one row for each line of the report, and the rules that it checks.

mod rows;

pub(super) use self::rows::{OPERATION, PROBES, RULES};

/// One line: its request, and how the response is judged.
pub(super) struct Probe {
    pub(super) name: &'static str,
    /// What the client does.
    pub(super) about: &'static str,
    pub(super) method: Verb,
    pub(super) path: RequestPart,
    /// Header lines in addition to those that other fields imply.
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) credentials: Credentials,
    pub(super) required: Required,
    pub(super) body: Body,
    pub(super) wire: Wire,
    pub(super) want: Want,
    /// The rules that the probe checks in addition to those of every error.
    pub(super) rules: &'static [&'static str],
    /// Advice that would make the probe possible, for the case that no request fits.
    pub(super) otherwise: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Head,
    Options,
    Post,
    /// A method that is safe and registered, but that few services support. If a service does, it still changes
    /// nothing.
    Propfind,
    /// The route's own, else POST.
    Route,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestPart {
    /// A path that does not exist; if credentials are needed there, a path below a route that needs none.
    Nowhere,
    /// A route; if there is none, the path that does not exist.
    Anywhere,
    /// A route that decodes JSON.
    Json,
    /// A route that requires credentials, with its path in another spelling.
    Respelt,
    /// A route that requires credentials, with any method.
    Closed,
    /// A gRPC method that does not exist.
    Call,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// The credentials of the command line, if there are any.
    Given,
    None,
    /// Malformed for every scheme.
    Malformed,
    /// Well formed, but never issued.
    Wrong,
    Twice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    Given,
    None,
    Twice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Text(&'static str),
    /// One byte more than the limit, declared and not sent.
    Unsent,
    /// One byte more than the limit, declared and sent.
    Sent,
    /// One byte more than the limit, sent in chunks without a declared length.
    Chunked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Http1,
    Http2,
}

/// The right response.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The layer's own, with one of these codes; the first rule is the guard's.
    Guard(&'static [&'static str]),
    /// The service's, with one of these statuses.
    Service(&'static [u16]),
    /// Any response that the document declares.
    Declared,
    /// Any response that does not require credentials.
    NoGuard,
    /// The envelope, or a response of the server below the layer itself (F5).
    Below,
    /// An error of the protocol (section P).
    Rpc(Rpc),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rpc {
    Grpc,
    GrpcWeb,
    Connect,
}
