//! The applications: tonic's server and an axum router, with tonic-web inside the layer and around it.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::routing::get;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_web::GrpcWebLayer;
use tower::util::MapRequestLayer;
use tower::{BoxError, Service, ServiceBuilder};
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::policy::{BodyLimitPer, PolicyBuilder};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};

use super::pb::echo_server::EchoServer;
use super::scenario::ScenarioLayer;
use super::{Speaker, connect, pb};

/// The key of the `Vault`, for `authorization: Bearer`.
pub(crate) const KEY: &str = "open-sesame-0123456789";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum App {
    /// tonic's server, tonic-web around its services.
    Tonic,
    /// The same, with the failures inside of tonic-web.
    Within,
    /// tonic-web is around the layer, which sees plain gRPC.
    Around,
    /// axum and tonic share one port, with Connect under `/connect`.
    Mixed,
    /// The same without the layer. The proxy in front of it has the policy.
    #[allow(dead_code, reason = "tonic's clients are asked in this process, which has the layer")]
    Bare,
}

impl App {
    pub(crate) const ALL: [Self; 4] = [Self::Tonic, Self::Within, Self::Around, Self::Mixed];
}

/// Serves on a free port of this machine for as long as the runtime runs.
pub(crate) async fn start(app: App) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let layers = ServiceBuilder::new();
    match app {
        App::Tonic => {
            let layers = layers.layer(envelope()).layer(ScenarioLayer).layer(GrpcWebLayer::new());
            let server = Server::builder().accept_http1(true).layer(layers.layer(unlocked())).add_routes(services());
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        }
        App::Within => {
            let layers = layers.layer(envelope()).layer(GrpcWebLayer::new()).layer(ScenarioLayer);
            let server = Server::builder().accept_http1(true).layer(layers.layer(unlocked())).add_routes(services());
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        }
        App::Around => {
            let layers = layers.layer(GrpcWebLayer::new()).layer(behind_tonic_web()).layer(ScenarioLayer);
            let server = Server::builder().accept_http1(true).layer(layers.layer(unlocked())).add_routes(services());
            tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        }
        App::Mixed => {
            let layers = layers.layer(envelope()).layer(ScenarioLayer);
            // The layers are around the whole router. With `Router::layer`, they would see the path too late to unlock
            // it.
            let router = Router::new().fallback_service(layers.layer(unlocked()).service(mixed()));
            tokio::spawn(async { axum::serve(listener, router).await });
        }
        App::Bare => {
            let service = layers.layer(ScenarioLayer).layer(unlocked()).service(mixed());
            tokio::spawn(serve_bare(listener, service));
        }
    }
    address
}

/// An error of the service resets its stream. axum's own server accepts no such error.
async fn serve_bare<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = BoxError, Future: Send> + Clone + Send + 'static,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            builder.serve_connection(TokioIo::new(stream), service).await
        });
    }
}

fn envelope() -> ErrorEnvelopeLayer {
    layer(Policy::builder())
}

/// tonic-web outside of the layer makes gRPC over HTTP/1. The whole of its streams is counted, unless the policy states
/// otherwise.
fn behind_tonic_web() -> ErrorEnvelopeLayer {
    layer(Policy::builder().body_limit_per(BodyLimitPer::Message))
}

fn layer(policy: PolicyBuilder) -> ErrorEnvelopeLayer {
    let policy = policy
        .scheme("app", AuthScheme::bearer().key(Key::of_secret("rpc", KEY)))
        .route(RouteRule::new("/echo.v1.Vault/{*method}").auth(["app"]))
        .route(RouteRule::new("/connect/echo.v1.Vault/{*method}").auth(["app"]));
    ErrorEnvelopeLayer::new().policy(policy.build().expect("a policy"))
}

fn mixed() -> Router {
    let http = Router::new().route("/", get(|| async { "hello\n" })).merge(connect::routes());
    // tonic's fallback is 200 and `unimplemented` for a path without a route, and tonic-web refuses a request that is
    // no RPC.
    let rpc = services().prepare().into_axum_router().reset_fallback().route_layer(GrpcWebLayer::new());
    http.merge(rpc)
}

fn services() -> Routes {
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Routes::new(EchoServer::new(Speaker))
        .add_service(health)
        .add_service(reflection().build_v1().expect("descriptors"))
        .add_service(reflection().build_v1alpha().expect("descriptors"))
}

/// A request that passed the layer to the vault gets the echo there.
fn unlocked<B>() -> MapRequestLayer<impl Fn(Request<B>) -> Request<B> + Clone> {
    MapRequestLayer::new(|mut request: Request<B>| {
        let uri = request.uri().to_string().replacen("/echo.v1.Vault/", "/echo.v1.Echo/", 1);
        *request.uri_mut() = uri.parse::<Uri>().expect("a URI with another path");
        request
    })
}
