//! Defines the request that a handler gets, and decides whether the sender of a request may read data or make changes.
//!
//! 1. If a token file is set, requests must send the token, as `Authorization: Bearer`.
//! 2. If no token file is set, everybody may read. Changes are then refused unless the server listens on loopback,
//!    because anyone could reach any other address.
//! 3. The operator's name and the reason come from the query. They are not verified.

use std::net::IpAddr;

use error_envelope_runtime::SwitchNote;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::admin::Admin;
use crate::small_server::Peer;

/// An accepted request, in the form that its handler gets.
pub(crate) struct AdminRequest<'a> {
    pub(crate) admin: &'a Admin,
    pub(crate) query: Option<&'a str>,
    /// For a POST, the operator's note about the requested change, or the refusal of this change. For any other method,
    /// an empty note.
    pub(crate) change: Change,
}

/// The note about an accepted change, with the operator's name and reason. If the change is refused, the value contains
/// the response's status and the reason of the refusal.
pub(crate) type Change = Result<SwitchNote, Refusal>;

pub(crate) type Refusal = (StatusCode, &'static str);

impl Admin {
    pub(crate) async fn read_change(&self, head: &Parts) -> Change {
        let peer = head.extensions.get::<Peer>().map(|peer| peer.0);
        if self.is_read_only() {
            let why = "read-only: this address is not loopback; start with --admin-token-file FILE, or send the change \
                       to a loopback address on the same machine";
            return Err((StatusCode::FORBIDDEN, why));
        }
        self.check_token(bearer(&head.headers), peer).await?;
        let field = |name| value(head.uri.query(), name).unwrap_or_default();
        let note = SwitchNote::new().by(&field("by")).reason(&field("reason"));
        Ok(peer.into_iter().fold(note, SwitchNote::peer))
    }

    /// Returns true if this address refuses every change.
    pub(crate) fn is_read_only(&self) -> bool {
        self.token.is_none() && self.is_exposed
    }

    /// Checks the token of a request, if a token file is set.
    pub(crate) async fn check_token(&self, token: Option<&str>, peer: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(file) = &self.token else { return Ok(()) };
        let client_address = peer.map(tracing::field::display);
        match file.accepts(token.unwrap_or_default().as_bytes()).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                tracing::warn!(
                    client_address,
                    has_token = token.is_some(),
                    "rejected a request: the admin token is missing or wrong"
                );
                let why = "the admin token is missing or wrong; send it as Authorization: Bearer TOKEN";
                Err((StatusCode::UNAUTHORIZED, why))
            }
            Err(error) => {
                tracing::error!(client_address, %error, "rejected a request: cannot read the admin token file");
                Err((StatusCode::SERVICE_UNAVAILABLE, "cannot read the admin token file; the log has the reason"))
            }
        }
    }
}

/// Returns the value of a query parameter, or `None` if it is absent or empty.
pub(crate) fn value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
