//! Handles requests to the admin address, as a service.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower_service::Service;

use crate::admin::Admin;
use crate::{answer, table};

/// The service of [`Admin::service`]. It responds at once, and ignores the request's body.
#[derive(Clone, Debug)]
#[must_use]
pub struct AdminService(Admin);

/// The body of a response.
pub struct AdminBody(answer::Body);

impl Admin {
    /// Returns a service to mount in your own server, at the root of a host or an address: its pages link to
    /// each other by absolute paths. Your server must limit heads, waits and connections. No request body is read.
    pub fn service(&self) -> AdminService {
        AdminService(self.clone())
    }
}

impl<B> Service<Request<B>> for AdminService {
    type Response = Response<AdminBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<AdminBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let refusal = self.0.hosts.refusal(&request);
        ready(Ok(refusal.unwrap_or_else(|| table::answer(&self.0, &request)).map(AdminBody)))
    }
}

impl Body for AdminBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for AdminBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminBody").finish_non_exhaustive()
    }
}
