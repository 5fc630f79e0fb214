//! The probes: one row a line of the report, and the rules that they check.

mod rows;

pub(super) use self::rows::{OPERATION, PROBES, RULES};

/// One line: its request, and how the response is judged.
pub(super) struct Probe {
    pub(super) name: &'static str,
    /// The action of a client.
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
    /// The rules that it checks in addition to those of every error.
    pub(super) rules: &'static [&'static str],
    /// What would make the probe possible if no request fits.
    pub(super) otherwise: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Head,
    Options,
    Post,
    /// Safe, registered, and rarely served: nothing changes even if a service does.
    Propfind,
    /// The route's own, else POST.
    Route,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestPart {
    /// A path that does not exist, else one below a route that needs no credentials.
    Nowhere,
    /// A route, else the path that does not exist.
    Anywhere,
    /// A route that decodes JSON.
    Json,
    /// A route that requires credentials, its path spelt in another way.
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
    /// Any answer that a document declares.
    Declared,
    /// Any answer that does not require credentials.
    NoGuard,
    /// The envelope, or the own response of the server below the layer (F5).
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
