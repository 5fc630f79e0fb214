//! Tests that the layer does not change what a gRPC service sends itself (P1): heads, the bytes of messages, and
//! trailers, for successes and its own statuses. Only the id differs.
//!
//! tonic's client makes each call twice: to the service alone, and to the one with the layer in `enforce`. Calls are
//! plain or use gzip. The test compares what the client saw, and each response as it came from the wire.

mod recorder;

use futures_util::{TryStreamExt, stream};
use http::Uri;
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::rpc_app::pb::Words;
use crate::rpc_app::pb::echo_client::EchoClient;
use crate::rpc_app::pb::echo_server::EchoServer;
use crate::rpc_app::{SCENARIO, Speaker};
use recorder::{Raw, Recorder};

/// Everything that a client sees of a call.
#[derive(Debug, PartialEq)]
struct Seen {
    raw: Raw,
    outcome: Result<Reply, StatusFacts>,
}

/// A success: its metadata, messages and trailers.
type Reply = (Headers, Vec<Words>, Headers);
/// A status: its code, message, details and metadata.
type StatusFacts = (i32, String, Vec<u8>, Headers);
type Headers = Vec<(String, Vec<u8>)>;

const CALLS: [&str; 4] = ["Say", "Collect", "Repeat", "Talk"];
const SCENARIOS: [&str; 3] = ["fine", "own", "own_late"];

#[tokio::test]
async fn p1_what_a_service_says_itself_is_as_without_the_layer() {
    let (bare, layered) = (serve(false).await, serve(true).await);
    for gzip in [false, true] {
        for scenario in SCENARIOS {
            for call in CALLS {
                let [alone, within] =
                    [look(&bare, call, scenario, gzip).await, look(&layered, call, scenario, gzip).await];
                assert_eq!(alone, within, "{call}, {scenario}, gzip: {gzip}");
                let breaks = scenario == "own" || scenario == "own_late" && ["Repeat", "Talk"].contains(&call);
                assert_eq!(alone.outcome.is_err(), breaks, "{call}, {scenario}: {alone:?}");
                assert_eq!(alone.raw.is_compressed(), gzip && scenario != "own", "{call}, {scenario}: {alone:?}");
            }
        }
    }
}

/// The comparison would notice a difference.
#[tokio::test]
async fn calls_that_differ_look_different() {
    let bare = serve(false).await;
    let mut all = Vec::new();
    for (call, scenario, gzip) in
        [("Say", "fine", false), ("Say", "fine", true), ("Say", "own", false), ("Repeat", "own_late", false)]
    {
        all.push(look(&bare, call, scenario, gzip).await);
    }
    for (index, seen) in all.iter().enumerate() {
        assert!(all[..index].iter().all(|other| other != seen));
    }
}

async fn serve(layered: bool) -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = Uri::try_from(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let echo = EchoServer::new(Speaker).accept_compressed(Gzip).send_compressed(Gzip);
    let incoming = TcpIncoming::from(listener);
    if layered {
        let mut server = Server::builder().layer(ErrorEnvelopeLayer::new());
        tokio::spawn(server.add_service(echo).serve_with_incoming(incoming));
    } else {
        tokio::spawn(Server::builder().add_service(echo).serve_with_incoming(incoming));
    }
    uri
}

async fn look(uri: &Uri, call: &str, scenario: &str, gzip: bool) -> Seen {
    let recorder = Recorder::default();
    let mut client = EchoClient::with_origin(recorder.clone(), uri.clone());
    if gzip {
        client = client.accept_compressed(Gzip).send_compressed(Gzip);
    }
    let outcome = ask(client, call, scenario).await.map_err(status_facts);
    Seen { raw: recorder.take(), outcome }
}

async fn ask(mut client: EchoClient<Recorder>, call: &str, scenario: &str) -> Result<Reply, Status> {
    let text = "hello ".repeat(20);
    let words = Words { text, count: 3 };
    let all = stream::iter(vec![words.clone(); 3]);
    match call {
        "Say" => one(client.say(request(scenario, words)).await?),
        "Collect" => one(client.collect(request(scenario, all)).await?),
        "Repeat" => many(client.repeat(request(scenario, words)).await?).await,
        _ => many(client.talk(request(scenario, all)).await?).await,
    }
}

fn request<T>(scenario: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(SCENARIO, scenario.parse().unwrap());
    request
}

fn one(response: Response<Words>) -> Result<Reply, Status> {
    let (metadata, words, _) = response.into_parts();
    Ok((headers(metadata), vec![words], Vec::new()))
}

async fn many(response: Response<Streaming<Words>>) -> Result<Reply, Status> {
    let (metadata, mut stream, _) = response.into_parts();
    let words = (&mut stream).try_collect().await?;
    let trailers = stream.trailers().await?.unwrap_or_default();
    Ok((headers(metadata), words, headers(trailers)))
}

fn status_facts(status: Status) -> StatusFacts {
    let metadata = headers(status.metadata().clone());
    (status.code() as i32, status.message().to_owned(), status.details().to_vec(), metadata)
}

/// Returns the headers in order, without the id and the time.
fn headers(metadata: MetadataMap) -> Headers {
    recorder::others(&metadata.into_headers())
}
