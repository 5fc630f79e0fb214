//! What is asked: one row a line of the report, and the rules that they ask.

mod rows;

pub(super) use self::rows::{OPERATION, PROBES, RULES};

/// One line: what is sent, and how its answer is judged.
pub(super) struct Probe {
    pub(super) name: &'static str,
    /// What a client does.
    pub(super) about: &'static str,
    pub(super) method: Verb,
    pub(super) path: RequestPart,
    /// Header lines beside those that the others say.
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) credentials: Credentials,
    pub(super) required: Required,
    pub(super) body: Body,
    pub(super) wire: Wire,
    pub(super) want: Want,
    /// The rules that it asks beside those of every error.
    pub(super) rules: &'static [&'static str],
    /// What would make it possible where nothing can be asked.
    pub(super) otherwise: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Head,
    Options,
    Post,
    /// Safe, registered, and served by few: nothing is changed where a service does.
    Propfind,
    /// The route's own, else POST.
    Route,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestPart {
    /// A path that nobody has, else one below a route that anybody may ask.
    Nowhere,
    /// A route, else the path that nobody has.
    Anywhere,
    /// A route that decodes JSON.
    Json,
    /// A route that asks for credentials, its path spelt in another way.
    Respelt,
    /// A route that asks for credentials, whatever method it is asked by.
    Closed,
    /// A gRPC method that nobody has.
    Call,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Those of the command line, where there are any.
    Given,
    None,
    /// Of no scheme.
    Malformed,
    /// Well formed, and nobody's.
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
    /// One byte more than the limit, said and not sent.
    Unsent,
    /// The same, said and sent.
    Sent,
    /// The same, sent and not said.
    Chunked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Http1,
    Http2,
}

/// Which answer is right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// The layer's own, with one of these codes; the first rule is the guard's.
    Guard(&'static [&'static str]),
    /// The service's, with one of these statuses.
    Service(&'static [u16]),
    /// Any answer that a document declares.
    Declared,
    /// Any answer that does not ask for credentials.
    NoGuard,
    /// The envelope, or what the server below the layer says by itself (F5).
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
