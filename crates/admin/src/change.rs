//! Decides whether the sender of a request may change something.
//!
//! 1. With a token file, a change needs the token, as `Authorization: Bearer`.
//! 2. Without one, changes are refused if an address other than loopback is served: anyone could reach it.
//! 3. The operator's name and the reason come from the query. They are not verified.

use std::net::IpAddr;

use error_envelope_runtime::SwitchNote;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::admin::Admin;

/// The address of the client's connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Who requests a change and why, and whether it is allowed.
#[derive(Default)]
pub(crate) struct Change {
    by: String,
    reason: String,
    peer: Option<IpAddr>,
    pub(crate) denied: Option<Denied>,
}

/// The refusal of a change: the status and the reason.
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

impl Denied {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

impl Change {
    pub(crate) async fn read(admin: &Admin, head: &Parts) -> Self {
        let field = |name| value(head.uri.query(), name).unwrap_or_default();
        let peer = head.extensions.get::<Peer>().map(|peer| peer.0);
        let denied = admin.check_change(bearer(&head.headers), peer).await.err();
        Self { by: field("by"), reason: field("reason"), peer, denied }
    }

    pub(crate) fn note(&self) -> SwitchNote {
        let note = SwitchNote::new().by(&self.by).reason(&self.reason);
        self.peer.into_iter().fold(note, SwitchNote::peer)
    }
}

impl Admin {
    /// Whether every change is refused.
    pub(crate) fn is_read_only(&self) -> bool {
        self.token.is_none() && self.is_exposed
    }

    async fn check_change(&self, token: Option<&str>, peer: Option<IpAddr>) -> Result<(), Denied> {
        let Some(file) = &self.token else {
            let why = "read-only: this address is not loopback; start with --admin-token-file FILE, or send the change \
                       to a loopback address on the same machine";
            return if self.is_exposed { Err(Denied::new(StatusCode::FORBIDDEN, why)) } else { Ok(()) };
        };
        let client_address = peer.map(tracing::field::display);
        match file.accepts(token.unwrap_or_default().as_bytes()).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                tracing::warn!(
                    client_address,
                    has_token = token.is_some(),
                    "rejected a change: the admin token is missing or wrong"
                );
                let why = "the admin token is missing or wrong; send it as Authorization: Bearer TOKEN";
                Err(Denied::new(StatusCode::UNAUTHORIZED, why))
            }
            Err(error) => {
                tracing::error!(client_address, %error, "rejected a change: cannot read the admin token file");
                Err(Denied::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "cannot read the admin token file; the log has the reason",
                ))
            }
        }
    }
}

/// A value of the query that is present and not empty.
pub(crate) fn value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
