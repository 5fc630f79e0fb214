//! Decides whether the sender of a request may change something.
//!
//! 1. With a token file, a change needs the token: as `Authorization: Bearer`, or as `token` of the form.
//! 2. Without one, changes are refused if an address other than loopback is served: anyone could reach it.
//! 3. The operator's name and the reason come from the form, else from the query. They are not verified.

use std::net::IpAddr;
use std::time::Duration;

use error_envelope_runtime::SwitchNote;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};

use crate::admin::Admin;
use crate::error_store::query::value;

/// The largest form, in bytes: it has room for a name, a reason and a token, even with each byte escaped.
const MOST_OF_FORM: usize = 16 * 1024;
const FORM_WITHIN: Duration = Duration::from_secs(5);

/// The address of the client's connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The fields of the form, and whether the change is allowed.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) by: String,
    pub(crate) reason: String,
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
    /// Reads the form, and checks its token.
    pub(crate) async fn read<B: Body>(admin: &Admin, head: &Parts, body: B) -> Self {
        let (form, unread) = match form(&head.headers, body).await {
            Ok(form) => (form, None),
            Err(denied) => (String::new(), Some(denied)),
        };
        let query = head.uri.query();
        let field = |name| value(Some(&form), name).or_else(|| value(query, name)).unwrap_or_default();
        let peer = head.extensions.get::<Peer>().map(|peer| peer.0);
        let token = bearer(&head.headers).map(str::to_owned).or_else(|| value(Some(&form), "token"));
        let denied = match unread {
            None => admin.check_change(token.as_deref(), peer).await.err(),
            unread => unread,
        };
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
                let why = "the admin token is missing or wrong; send it as Authorization: Bearer TOKEN, or in the form";
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

/// The text of a form; empty if the body is not a form.
async fn form<B: Body>(headers: &HeaderMap, body: B) -> Result<String, Denied> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.trim_start().starts_with("application/x-www-form-urlencoded") {
        return Ok(String::new());
    }
    let whole =
        tokio::time::timeout(FORM_WITHIN, Limited::new(body.map_err(|_| "broken off"), MOST_OF_FORM).collect()).await;
    let bytes = whole.ok().and_then(Result::ok).map(|whole| whole.to_bytes());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    text.ok_or_else(|| {
        Denied::new(
            StatusCode::BAD_REQUEST,
            "the form is too long, too slow or incomplete; send at most 16 KiB within 5 s",
        )
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
