//! The party that failed, and the type of its failure, for `Proxy-Status` (RFC 9209; L4).

use std::error::Error;
use std::{fmt, io};

use super::notes::Origin;
use crate::cause::{chain, find};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::table::named;

named! {
    "Returns the name in `Proxy-Status`."
    /// The types of errors that RFC 9209 §2.3 defines.
    #[non_exhaustive]
    pub enum ProxyError {
        /// The name of the service could not be resolved in time.
        DnsTimeout = "dns_timeout",
        /// The name of the service has no address.
        DnsError = "dns_error",
        /// No service is set for the request.
        DestinationNotFound = "destination_not_found",
        /// The service could not be reached.
        DestinationUnavailable = "destination_unavailable",
        /// The service refused the connection.
        ConnectionRefused = "connection_refused",
        /// The service did not accept the connection in time.
        ConnectionTimeout = "connection_timeout",
        /// The connection ended before the head of a response.
        ConnectionTerminated = "connection_terminated",
        /// No further request or connection to the service is allowed at the moment.
        ConnectionLimitReached = "connection_limit_reached",
        /// The service's certificate is not valid.
        TlsCertificateError = "tls_certificate_error",
        /// The TLS handshake with the service failed.
        TlsProtocolError = "tls_protocol_error",
        /// The service sent no response head in time.
        HttpResponseTimeout = "http_response_timeout",
        /// The response was cut off.
        HttpResponseIncomplete = "http_response_incomplete",
        /// The head of the response was too large.
        HttpResponseHeaderSectionSize = "http_response_header_section_size",
        /// A guard refused the request.
        HttpRequestDenied = "http_request_denied",
        /// The request was wrong, or too slow.
        HttpRequestError = "http_request_error",
        /// The response was not valid HTTP.
        HttpProtocolError = "http_protocol_error",
        /// This process failed.
        ProxyInternalError = "proxy_internal_error",
    }
}

/// Recognises errors whose types are from other crates, and returns their type for `Proxy-Status`. The function checks
/// the whole chain of causes.
pub type ProxyErrorRecogniser = fn(&(dyn Error + 'static)) -> Option<ProxyError>;

/// A failure between a proxy and a service, with its type for `Proxy-Status`. A proxy adds this value to the causes of
/// its error.
#[derive(Debug)]
pub struct ProxyFailure {
    kind: ProxyError,
    text: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ProxyFailure {
    /// Creates a failure of this type, with a text for the log.
    pub fn new(kind: ProxyError, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// Sets the error that caused the failure. The list of errors also applies to this error (F1).
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the text for the log.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the type.
    #[must_use]
    pub fn kind(&self) -> ProxyError {
        self.kind
    }
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for ProxyFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl ProxyError {
    /// Returns the type for a response that the service did not make, or `None` if the service returned the fault
    /// itself.
    pub(in crate::session) fn of_answer(
        origin: Origin,
        fault: &Fault,
        cause: Option<&(dyn Error + 'static)>,
        recogniser: Option<ProxyErrorRecogniser>,
    ) -> Option<Self> {
        let of_cause = || {
            let cause = cause?;
            find::<ProxyFailure>(cause)
                .map(|failure| failure.kind)
                .or_else(|| recogniser?(cause))
                .or_else(|| Self::of_io(cause))
        };
        match origin {
            // The connection to the client failed, not the one to the service.
            Origin::Error if fault.status().is_client_error() => Some(Self::HttpRequestError),
            Origin::Fault => find::<ProxyFailure>(fault).map(|failure| failure.kind),
            Origin::Guard if fault.status().is_client_error() => Some(Self::HttpRequestDenied),
            Origin::Error | Origin::Proxy => of_cause().or_else(|| Some(Self::of_code(fault.code()))),
            Origin::Inner => Some(Self::HttpProtocolError),
            Origin::Guard | Origin::Panic => Some(Self::ProxyInternalError),
            Origin::Abandoned => None,
        }
    }

    fn of_io(cause: &(dyn Error + 'static)) -> Option<Self> {
        let kinds = chain(cause).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        kinds.filter_map(Self::of_kind).next()
    }

    fn of_kind(kind: io::ErrorKind) -> Option<Self> {
        use io::ErrorKind as Kind;

        match kind {
            Kind::ConnectionRefused => Some(Self::ConnectionRefused),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
                Some(Self::ConnectionTerminated)
            }
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Some(Self::ConnectionTimeout),
            _ => None,
        }
    }

    /// Returns the type for a code, if the cause is not known.
    fn of_code(code: &ErrorCode) -> Self {
        if *code == ErrorCode::GATEWAY_TIMEOUT {
            Self::HttpResponseTimeout
        } else if *code == ErrorCode::OTHER {
            Self::ConnectionTerminated
        } else if *code == ErrorCode::WORKER_AT_CAPACITY {
            Self::ConnectionLimitReached
        } else {
            Self::ProxyInternalError
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l4_who_failed() {
        let named = |origin, code: ErrorCode, cause: Option<io::Error>| {
            let cause = cause.as_ref().map(|cause| cause as &(dyn Error + 'static));
            ProxyError::of_answer(origin, &Fault::new(code), cause, None).map(ProxyError::as_str)
        };
        let io = |kind| Some(io::Error::other(io::Error::from(kind)));
        let failure = io::Error::other(ProxyFailure::new(ProxyError::DnsError, "no such host"));
        for (origin, code, cause, expected) in [
            (Origin::Guard, ErrorCode::AUTH_MISSING, None, Some("http_request_denied")),
            (Origin::Guard, ErrorCode::SERVICE_UNAVAILABLE, None, Some("proxy_internal_error")),
            (Origin::Error, ErrorCode::OTHER, io(io::ErrorKind::ConnectionRefused), Some("connection_refused")),
            (Origin::Error, ErrorCode::OTHER, Some(failure), Some("dns_error")),
            (Origin::Error, ErrorCode::OTHER, None, Some("connection_terminated")),
            (Origin::Error, ErrorCode::GATEWAY_TIMEOUT, None, Some("http_response_timeout")),
            (Origin::Error, ErrorCode::BAD_REQUEST, None, Some("http_request_error")),
            (Origin::Error, ErrorCode::REQUEST_TIMEOUT, io(io::ErrorKind::UnexpectedEof), Some("http_request_error")),
            (Origin::Error, ErrorCode::INTERNAL_ERROR, None, Some("proxy_internal_error")),
            (Origin::Fault, ErrorCode::NOT_FOUND, None, None),
            (Origin::Panic, ErrorCode::INTERNAL_ERROR, None, Some("proxy_internal_error")),
            (Origin::Inner, ErrorCode::OTHER, None, Some("http_protocol_error")),
        ] {
            assert_eq!(named(origin, code.clone(), cause), expected, "{origin:?} {code}");
        }
    }
}
