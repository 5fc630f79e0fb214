//! The protocols whose errors keep their own shape (R10).
//!
//! The content of a body decides whether the body is in a protocol. The media type only distinguishes protocols if the
//! body itself does not name its protocol. A body that is in no protocol is read as if it had no such media type.
//!
//! On a 4xx, the body passes without the stack traces of its errors. On a 5xx, its structure passes, and the
//! catalogue's message replaces its texts. A body without a place for the message is rewritten like any other error.

mod filter;
mod oauth;
pub(super) mod products;
mod soap;

use http::StatusCode;
use memchr::memmem;
use serde_json::value::RawValue;

use super::event_stream::{self, EVENT_STREAM};
use super::json::{self, Object};
use super::parsed_error::Body;
use super::readable::Readable;
use super::trpc;
pub(super) use oauth::read as read_oauth;
use products::Product;
use soap::SoapVersion;

/// A protocol whose errors keep their shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    EventStream,
    Fhir,
    GraphQl,
    JsonApi,
    JsonRpc,
    /// OAuth 2 (RFC 6749 §5.2). An error is treated as OAuth's only if the request has the form of a request to an
    /// OAuth server.
    OAuth {
        /// True if a description, or a nonce of OpenID4VCI, is next to the error.
        is_described: bool,
        /// True if this is an error of a protected resource (RFC 6750 §3.1). Clients of such a resource may use
        /// JSON-RPC.
        is_of_resource: bool,
    },
    Orpc,
    /// A product whose clients understand only its own form, in JSON or XML.
    Product {
        product: Product,
        is_xml: bool,
    },
    Scim,
    Soap(SoapVersion),
    Trpc,
    /// x402, in which a 402 requests a payment from an agent.
    X402,
}

/// A media type that belongs to a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolType {
    EventStream,
    Json(Protocol),
    Soap,
}

const TYPES: [(&str, ProtocolType); 6] = [
    ("application/graphql-response+json", ProtocolType::Json(Protocol::GraphQl)),
    ("application/scim+json", ProtocolType::Json(Protocol::Scim)),
    ("application/vnd.api+json", ProtocolType::Json(Protocol::JsonApi)),
    ("application/fhir+json", ProtocolType::Json(Protocol::Fhir)),
    ("application/soap+xml", ProtocolType::Soap),
    (EVENT_STREAM, ProtocolType::EventStream),
];

/// The schema of errors in SCIM (RFC 7644 §3.12).
const SCIM_ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

impl ProtocolType {
    /// Returns the protocol to which this media type belongs.
    pub fn new(media_type: &[u8]) -> Option<Self> {
        TYPES.iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name.as_bytes())).map(|(_, named)| *named)
    }

    /// Returns the protocol of a JSON object or array with this type.
    pub fn of_json(self) -> Option<Protocol> {
        if let Self::Json(protocol) = self { Some(protocol) } else { None }
    }
}

/// Returns the protocol of a text that is not JSON. SOAP 1.1 has no media type of its own.
pub(super) fn of_text(
    named: Option<ProtocolType>,
    media_type: Option<&[u8]>,
    text: &str,
    head: &Readable<'_>,
) -> Option<Protocol> {
    let is_xml = |it: &[u8]| it.eq_ignore_ascii_case(b"text/xml") || it.eq_ignore_ascii_case(b"application/xml");
    match named {
        Some(ProtocolType::EventStream) => event_stream::begins_with_field(text).then_some(Protocol::EventStream),
        Some(ProtocolType::Soap) => soap::version(text, true).map(Protocol::Soap),
        None if media_type.is_some_and(is_xml) => {
            let of_product = || products::of_xml(text, head).map(|product| Protocol::Product { product, is_xml: true });
            soap::version(text, false).map(Protocol::Soap).or_else(of_product)
        }
        _ => None,
    }
}

impl Protocol {
    /// Returns true if `protocols = "rewrite"` also rewrites this protocol's errors.
    pub const fn is_rewritten(self) -> bool {
        matches!(
            self,
            Self::GraphQl | Self::JsonRpc | Self::OAuth { .. } | Self::Orpc | Self::Product { .. } | Self::Trpc
        )
    }

    /// Returns the word that the media types of this protocol contain.
    pub const fn format(self) -> &'static str {
        match self {
            Self::Soap(_) | Self::Product { is_xml: true, .. } => "xml",
            Self::EventStream => "event-stream",
            _ => "json",
        }
    }

    /// Returns the body that the client gets, with this message in place of each text that must not pass. Returns `None` if the body of a 4xx passes
    /// unchanged, or if the body of a 5xx has no place for a message.
    pub fn filtered(self, body: &[u8], status: StatusCode, message: &str) -> Option<Vec<u8>> {
        match self {
            Self::EventStream | Self::Product { is_xml: true, .. } => None,
            Self::Soap(version) => {
                let has_trace = || str::from_utf8(body).is_ok_and(soap::has_trace);
                (status.is_server_error() || has_trace()).then(|| soap::fault(version, status, message))
            }
            _ => {
                let parts = filter::Parts { id_of_call: self == Self::JsonRpc, data: self == Self::GraphQl };
                filter::filtered(json::utf8_text(body)?, parts, status, message)
            }
        }
    }
}

/// Returns true if this media type is a type of gRPC. The request is not considered.
pub fn names_grpc(media_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";

    media_type.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && matches!(media_type.get(GRPC.len()), None | Some(b'+' | b'-'))
}

/// Returns the protocol of a JSON object.
pub(super) fn detect(body: &Body<'_, '_>, status: StatusCode, head: &Readable<'_>) -> Option<Protocol> {
    let object = &body.object;
    let of_product = || products::of_json(body, head).map(|product| Protocol::Product { product, is_xml: false });
    let of_oauth = |oauth::Detected { is_described, is_of_resource }| Protocol::OAuth { is_described, is_of_resource };
    Some(match status {
        StatusCode::PAYMENT_REQUIRED if is_x402(object) => Protocol::X402,
        _ if is_json_rpc(object) => Protocol::JsonRpc,
        _ if trpc::is_error(body) => Protocol::Trpc,
        _ if is_orpc(object) => Protocol::Orpc,
        _ if is_graphql(object) => Protocol::GraphQl,
        _ if is_scim(object) => Protocol::Scim,
        _ if object.string("resourceType").is_some_and(|it| it == "OperationOutcome") => Protocol::Fhir,
        _ => return oauth::detect(object).map(of_oauth).or_else(of_product),
    })
}

/// Returns the protocol of a JSON array that is a batch. All elements of the batch must be in that protocol.
pub(super) fn detect_batch(text: &str) -> Option<Protocol> {
    let batch = json::array(text).filter(|batch| !batch.is_empty())?;
    let all = |is: fn(Object<'_>) -> bool| batch.iter().all(|it| Object::parse(it.get()).is_some_and(is));
    if all(|it| is_json_rpc(&it)) {
        Some(Protocol::JsonRpc)
    } else if all(|it| trpc::is_error(&Body::new(None, it))) {
        Some(Protocol::Trpc)
    } else if all(|it| is_orpc(&it)) {
        Some(Protocol::Orpc)
    } else {
        None
    }
}

/// Returns true if a body is a response of JSON-RPC 2.0.
fn is_json_rpc(body: &Object<'_>) -> bool {
    body.string("jsonrpc").is_some_and(|version| version == "2.0")
}

/// Returns true if a body is an error of oRPC, `{"json":{"defined","code","status","message"…}}`. Next to `json`, oRPC
/// writes only `meta`.
fn is_orpc(body: &Object<'_>) -> bool {
    let is_error = |error: Object<'_>| {
        error.raw("defined").is_some_and(|it| matches!(it.get(), "true" | "false"))
            && error.string("code").is_some_and(|code| super::outgoing::is_identifier(&code))
            && error.number("status").is_some()
            && error.string("message").is_some()
    };
    body.object("json").is_some_and(is_error) && body.members().all(|(name, _)| matches!(name, "json" | "meta"))
}

/// The maximum number of errors of a list that are checked. The first errors of a list suffice to identify the
/// protocol.
const MOST_LOOKED_AT: usize = 16;

/// Returns true if a body is a response of GraphQL. Any API could send `errors` alone. So an element must have a place in
/// the document or a code under `extensions`, or the body must have `data` and only GraphQL's own members.
fn is_graphql(body: &Object<'_>) -> bool {
    let has = |errors: &RawValue, name: &str| memmem::find(errors.get().as_bytes(), name.as_bytes()).is_some();
    let may_be = |errors: &&RawValue| body.has("data") || has(errors, "\"locations\"") || has(errors, "\"extensions\"");
    let errors = body.raw("errors").filter(may_be).and_then(|errors| json::array(errors.get()));
    let Some(errors) = errors else { return false };
    let has_code = |error: &Object<'_>| error.object("extensions").is_some_and(|it| it.string("code").is_some());
    let first = errors.iter().take(MOST_LOOKED_AT).map(|it| Object::parse(it.get()));
    let with_message = first.map(|it| it.filter(|error| error.string("message").is_some()));
    let Some(errors) = with_message.collect::<Option<Vec<_>>>().filter(|errors| !errors.is_empty()) else {
        return false;
    };
    let is_only = |object: &Object<'_>, names: &[&str]| object.members().all(|(name, _)| names.contains(&name));
    let of_error = ["message", "locations", "path", "extensions"];
    errors.iter().any(|error| error.has("locations") || has_code(error))
        || body.has("data")
            && is_only(body, &["data", "errors", "extensions"])
            && errors.iter().all(|error| is_only(error, &of_error))
}

fn is_x402(body: &Object<'_>) -> bool {
    body.number("x402Version").is_some() && body.raw("accepts").is_some_and(|it| json::array(it.get()).is_some())
}

fn is_scim(body: &Object<'_>) -> bool {
    let names_error = |name: &&RawValue| json::string(name).is_some_and(|name| name == SCIM_ERROR);
    body.raw("schemas").and_then(|names| json::array(names.get())).is_some_and(|names| names.iter().any(names_error))
}

#[cfg(test)]
mod tests;
