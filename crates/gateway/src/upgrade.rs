//! Upgrades: after a 101 the two connections are joined, and all bytes pass unchanged.

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{HeaderName, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tower_error_envelope::{ErrorCode, Fault};

use super::access::{AccessRecord, Outcome};
use super::capacity::Permit;
use super::headers::{HopHeaders, has_token};
use super::pool::UpstreamBody;

const LOG: &str = "error_envelope::gateway::upgrade";

/// A client's request for another protocol, and the client's side of the connection once the service agrees.
pub(crate) struct UpgradeRequest {
    protocols: Vec<HeaderValue>,
    client: OnUpgrade,
}

impl UpgradeRequest {
    /// Taken from a request; `None` in HTTP/1.0, which has no upgrades (RFC 9110 §7.8), and in HTTP/2.
    ///
    /// Also `None` for `h2c`: requests inside that connection would bypass every guard of the layer.
    pub(crate) fn take_from<B>(request: &mut Request<B>, hop: HopHeaders) -> Option<Self> {
        let may_upgrade = request.version() == Version::HTTP_11 && hop.contains(&UPGRADE) && hop.contains(&CONNECTION);
        let headers = request.headers();
        if !may_upgrade || !has_token(headers, &CONNECTION, "upgrade") || has_token(headers, &UPGRADE, "h2c") {
            return None;
        }
        let protocols = headers.get_all(UPGRADE).iter().cloned().collect();
        Some(Self { protocols, client: hyper::upgrade::on(request) })
    }

    /// Adds the upgrade to the headers of the request to the service.
    pub(crate) fn forward(&self, headers: &mut HeaderMap) {
        set_upgrade(headers, self.protocols.iter().cloned());
    }
}

/// Turns the service's 101 into one from the gateway. A service that switches without a request for it has broken the
/// protocol.
pub(crate) fn switch(
    upgrade_request: Option<UpgradeRequest>,
    mut response: Response<UpstreamBody>,
    share: Option<Permit>,
    record: Option<AccessRecord>,
) -> Result<Response<UpstreamBody>, Fault> {
    let Some(upgrade_request) = upgrade_request else {
        return Err(Fault::new(ErrorCode::OTHER).caused_by("the service switched protocols without a request for it"));
    };
    let protocols: Vec<_> = response.headers().get_all(UPGRADE).iter().cloned().collect();
    let joined = join(upgrade_request.client, hyper::upgrade::on(&mut response));
    let (permit, share) = share.map(Permit::share).unzip();
    tokio::spawn(async move {
        let (received, sent) = joined.await;
        if let Some(record) = record {
            record.received(received);
            record.ended(Outcome::Complete, sent);
        }
        drop(permit);
    });
    let (mut head, body) = response.into_parts();
    let hop = HopHeaders::from_headers(&head.headers);
    super::headers::towards_client(&mut head, hop);
    set_upgrade(&mut head.headers, protocols);
    debug_assert_eq!(head.status, StatusCode::SWITCHING_PROTOCOLS);
    Ok(Response::from_parts(head, body.hold(share)))
}

fn set_upgrade(headers: &mut HeaderMap, protocols: impl IntoIterator<Item = HeaderValue>) {
    static NAME: HeaderName = UPGRADE;
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    for protocol in protocols {
        headers.append(&NAME, protocol);
    }
}

/// Joins the two connections. Returns how many bytes passed from the client and to it; 0 if a connection failed.
async fn join(client: OnUpgrade, service: OnUpgrade) -> (u64, u64) {
    let (client, service) = match tokio::try_join!(client, service) {
        Ok(sides) => sides,
        Err(error) => {
            tracing::debug!(target: LOG, %error, "upgrade failed");
            return (0, 0);
        }
    };
    let copied = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(service)).await;
    copied.unwrap_or_else(|error| {
        tracing::debug!(target: LOG, %error, "upgraded connection failed");
        (0, 0)
    })
}
