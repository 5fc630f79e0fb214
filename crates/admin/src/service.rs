//! Handles requests to the admin address, as a service.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use error_envelope_runtime::SwitchNote;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower_service::Service;

use crate::admin::Admin;
use crate::admin_request::{Peer, bearer};
use crate::answer::{self, Answer};
use crate::table;

/// The service of [`Admin::service`]. It reads no bodies.
#[derive(Clone, Debug)]
#[must_use]
pub struct AdminService(Admin);

/// The body of a response.
pub type AdminBody = Full<Bytes>;

impl Admin {
    /// Returns a service to mount in your own server, at the root of a host or an address: its page reads
    /// absolute paths. Your server must limit heads, waits and connections. It needs a Tokio runtime.
    /// Requests need a [token](Self::token_file) if one is set; otherwise your server must restrict access.
    pub fn service(&self) -> AdminService {
        AdminService(self.clone())
    }

    async fn respond(&self, head: &Parts) -> Answer {
        if let Some(refusal) = self.hosts.refusal(head) {
            return refusal;
        }
        if head.method != Method::POST && !table::is_open(head.uri.path()) {
            let peer = head.extensions.get::<Peer>().map(|peer| peer.0);
            if let Err(refusal) = self.check_token(bearer(&head.headers), peer).await {
                return answer::refused(refusal);
            }
        }
        let change = if head.method == Method::POST { self.read_change(head).await } else { Ok(SwitchNote::new()) };
        table::answer(self, head, change)
    }
}

impl<B> Service<Request<B>> for AdminService {
    type Response = Response<AdminBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AdminBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (admin, (head, _)) = (self.0.clone(), request.into_parts());
        Box::pin(async move { Ok(admin.respond(&head).await) })
    }
}
