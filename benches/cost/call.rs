//! Measures the cost of a gRPC call with the layer around the server. tonic's client and server are in one process,
//! with a duplex stream between them, and one message of 100 bytes is sent each way.

use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue, Request, Response};
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Status, Streaming};
use tower::{Service, ServiceBuilder};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_http::request_id::{PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

use crate::Named;
use crate::counter;
use crate::today::MakeUlid;
use echo::Words;
use echo::echo_client::EchoClient;
use echo::echo_server::{Echo, EchoServer};

#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
mod echo {
    include!("../../tests/rpc/echo.rs");
}

/// The highest ratio that is allowed. The aim is 1.06. Between two builds the ratio changes by 0.002.
const MOST: f64 = 1.08;

/// The number of processes. Their counts differ by a hundredth, which depends on the places of their memory.
const PROCESSES: usize = 9;

/// The layers around the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    Nothing,
    /// tower-http's request id, its propagation and its trace. A service that wants an id in its logs has these today.
    Today,
    /// The parts that every layer with ids needs: an id, in the request's extensions and in a header each way.
    Id,
    Envelope,
}

impl Named for Around {
    const ALL: &'static [Self] = &[Self::Nothing, Self::Today, Self::Id, Self::Envelope];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "bare",
            Self::Today => "id+trace",
            Self::Id => "id alone",
            Self::Envelope => "envelope",
        }
    }
}

/// Makes this many calls, twice, and checks that each gets its response.
pub(crate) fn run(around: Around, calls: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut client = runtime.block_on(async { EchoClient::new(channel(around).await) });
    let words = Words { text: "x".repeat(98), count: 0 };
    let mut call = async || {
        let reply = client.say(words.clone()).await.expect("an answer");
        assert_eq!(reply.metadata().contains_key("x-request-id"), around != Around::Nothing);
        assert_eq!(reply.get_ref(), &words);
    };
    counter::twice(|| {
        runtime.block_on(async {
            for _ in 0..calls {
                call().await;
            }
        });
    });
}

/// Returns the table, and a line if the layer costs too much.
pub(crate) fn table(is_check: bool) -> (String, Vec<String>) {
    let count = |around: Around| counter::instructions(&["--call", around.name()], PROCESSES);
    let bare = count(Around::Nothing);
    let mut text = format!("{:<12} {:>7} {:>7} {:>7}\n", "unary call", "instr", "+bare", "/bare");
    let mut risen = Vec::new();
    // The costs of the other stacks are not checked.
    let chosen = |around: &&Around| !is_check || matches!(around, Around::Nothing | Around::Envelope);
    for around in Around::ALL.iter().filter(chosen) {
        let counted = if *around == Around::Nothing { bare } else { count(*around) };
        let ratio = counted / bare;
        let _ = writeln!(text, "{:<12} {counted:>7.0} {:>7.0} {ratio:>7.3}", around.name(), counted - bare);
        if *around == Around::Envelope && ratio > MOST {
            risen.push(format!("a unary call: {ratio:.3} times what it costs without the layer, and {MOST} at most"));
        }
    }
    (text, risen)
}

async fn channel(around: Around) -> Channel {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(server));
    let service = EchoServer::new(Repeats);
    match around {
        Around::Nothing => drop(tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming))),
        Around::Today => {
            let layers = ServiceBuilder::new()
                .layer(SetRequestIdLayer::x_request_id(MakeUlid))
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(TraceLayer::new_for_grpc());
            let server = Server::builder().layer(layers).add_service(service);
            drop(tokio::spawn(server.serve_with_incoming(incoming)));
        }
        Around::Id => {
            let server = Server::builder().layer(tower::layer::layer_fn(WithId)).add_service(service);
            drop(tokio::spawn(server.serve_with_incoming(incoming)));
        }
        Around::Envelope => {
            let server = Server::builder().layer(ErrorEnvelopeLayer::new()).add_service(service);
            drop(tokio::spawn(server.serve_with_incoming(incoming)));
        }
    }
    let mut client = Some(client);
    let connector = tower::service_fn(move |_| {
        let stream = client.take().map(TokioIo::new).ok_or_else(|| std::io::Error::other("one connection is all"));
        std::future::ready(stream)
    });
    Endpoint::from_static("http://in.process").connect_with_connector(connector).await.expect("a connection")
}

#[derive(Clone)]
struct WithId<S>(S);

impl<S, B, R> Service<Request<B>> for WithId<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Identified<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let ulid = ulid::Ulid::generate();
        let mut id = HeaderValue::try_from(format!("req_{ulid}")).expect("an id");
        request.headers_mut().insert(X_REQUEST_ID, id.clone());
        request.extensions_mut().insert(ulid);
        id.set_sensitive(true);
        Identified { future: self.0.call(request), id: Some(id) }
    }
}

pin_project_lite::pin_project! {
    struct Identified<F> {
        #[pin]
        future: F,
        id: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for Identified<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(cx))?;
        response.headers_mut().extend(this.id.take().map(|id| (X_REQUEST_ID, id)));
        Poll::Ready(Ok(response))
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

struct Repeats;

#[tonic::async_trait]
impl Echo for Repeats {
    type RepeatStream = tokio_stream::Empty<Result<Words, Status>>;
    type TalkStream = tokio_stream::Empty<Result<Words, Status>>;

    async fn say(&self, request: tonic::Request<Words>) -> Result<tonic::Response<Words>, Status> {
        Ok(tonic::Response::new(request.into_inner()))
    }

    async fn collect(&self, _: tonic::Request<Streaming<Words>>) -> Result<tonic::Response<Words>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn repeat(&self, _: tonic::Request<Words>) -> Result<tonic::Response<Self::RepeatStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn talk(&self, _: tonic::Request<Streaming<Words>>) -> Result<tonic::Response<Self::TalkStream>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}
