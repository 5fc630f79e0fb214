//! Client certificates. The server of the TLS handshake verifies them; this crate only reads their names.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;

/// The name in a client's verified TLS certificate, for the scheme "certificate" (rule G2).
///
/// The TLS server verifies the certificate, and adds this value to the extensions of each request on that connection.
/// `error-envelope gateway` does so; a service of your own must do it in its acceptor. Clients cannot add anything to
/// the extensions.
///
/// ```
/// use http::Request;
/// use tower_error_envelope::auth::ClientCertificate;
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(ClientCertificate::new("spiffe://example.org/billing"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificate(Arc<str>);

impl ClientCertificate {
    /// A certificate with this name. If the name is empty, the certificate lets no request in.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The parts of a request that may contain credentials.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    #[cfg_attr(not(feature = "keys"), expect(dead_code, reason = "what a header has needs keys"))]
    pub(super) headers: &'a HeaderMap,
    pub(super) certificate: Option<&'a ClientCertificate>,
}

impl<'a> From<&'a Parts> for Sent<'a> {
    fn from(head: &'a Parts) -> Self {
        Self { headers: &head.headers, certificate: head.extensions.get() }
    }
}

#[cfg(test)]
impl<'a> From<&'a HeaderMap> for Sent<'a> {
    fn from(headers: &'a HeaderMap) -> Self {
        Self { headers, certificate: None }
    }
}
