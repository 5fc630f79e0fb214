//! Passes the requests of a connection to the layer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt;
use tower::util::Oneshot;
use tower_error_envelope::auth::ClientCertificate;

use super::access::{AccessRecord, Recording};
use super::answer::{Answer, AnswerContext};
use super::client::{Client, Inbound};
use super::client_body::ClientBody;
use super::connection_state::ConnectionState;
use super::headers;
use super::limits::ClientLimits;
use super::response_body::ResponseBody;

/// The hyper service of one connection: passes requests to the layer, with the facts about the client that the layer
/// and the service behind it need.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) client: Box<Client>,
    pub(super) certificate: Option<ClientCertificate>,
    pub(super) recording: Recording,
    pub(super) address: IpAddr,
    pub(super) limits: Arc<ClientLimits>,
    pub(super) state: Arc<ConnectionState>,
}

impl<S> Requests<S> {
    fn inbound(&self, mut request: Request<Incoming>) -> (Inbound, Option<AccessRecord>) {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let record = self.recording.begin(self.address, &mut request);
        let (mut head, body) = request.into_parts();
        self.state.reset.saw_request(head.version);
        self.state.bind(&mut head);
        headers::drop_named(&mut head.headers);
        let body = ClientBody::new(body, &head, &self.limits, &self.state, record.clone());
        self.client.hop.apply(&mut head.headers);
        (Request::from_parts(head, body), record)
    }
}

impl<S, B> Service<Request<Incoming>> for Requests<S>
where
    S: tower::Service<Inbound, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = Infallible;
    type Future = Answer<Oneshot<S, Inbound>, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (active, going) = (self.state.begin(request.version()), self.client.begin(request.version()));
        let (request, record) = self.inbound(request);
        let response = self.service.clone().oneshot(request);
        Answer::new(response, AnswerContext { request: going, active, record })
    }
}
