use std::convert::Infallible;
use std::future;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

use tower_error_envelope::ErrorEnvelopeLayer;

use super::*;
use crate::count::Clients;
use crate::in_flight::RequestTracker;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
const LONG: Duration = Duration::from_secs(5);
const MIB: usize = 1 << 20;

/// A connection whose service answers with how many bytes it got, in pieces of at most `room` on the way. `/early` is answered
/// at once while its body is held, `/long` by a mebibyte.
#[expect(clippy::type_complexity, reason = "a service has no name")]
fn served(
    room: usize,
) -> (
    DuplexStream,
    Served<
        DuplexStream,
        impl Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>,
    >,
) {
    let (client, stream) = duplex(room);
    let tracker = RequestTracker::new(ErrorEnvelopeLayer::new());
    let connection = ConnectionState::new(Clients::new(), tracker);
    let of_requests = Arc::clone(&connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let (active, body) = (of_requests.begin(request.version()), of_requests.begin_body(false));
        async move {
            let path = request.uri().path().to_owned();
            let answer = match &*path {
                "/early" => {
                    tokio::spawn(async move {
                        sleep(3 * LONG).await;
                        drop((request, body));
                    });
                    "early".into()
                }
                "/long" => "x".repeat(MIB),
                _ => {
                    let got = request.into_body().collect().await.map_or_else(|_| "broken".into(), sum);
                    drop(body);
                    got
                }
            };
            drop(active);
            Ok(Response::new(Full::from(answer)))
        }
    });
    let servers = Arc::new(Servers::new(&ClientLimits::default().max_head(8 << 10)));
    (client, Served::new(servers, stream, service, connection, future::pending()))
}

fn sum(body: http_body_util::Collected<Bytes>) -> String {
    let bytes = body.to_bytes();
    format!(
        "{} {}",
        bytes.len(),
        bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
    )
}

async fn step<S>(served: &mut Served<DuplexStream, S>) -> Step
where
    S: Service<Request<Incoming>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>,
{
    future::poll_fn(|cx| served.poll_step(cx)).await
}

/// Does what the client does, while it is served.
macro_rules! client {
    ($served:ident, $does:expr) => {
        tokio::select! {
            biased;
            ended = step(&mut $served) => panic!("it ended: {ended:?}"),
            done = async { $does } => done,
        }
    };
}

async fn answer(client: &mut DuplexStream, ends: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(ends.as_bytes()) {
        let mut bytes = [0; 1024];
        let count = client.read(&mut bytes).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8(answer).unwrap()
}

macro_rules! is_quiet {
    ($served:ident) => {
        matches!($served.state, State::Quiet(_))
    };
}

#[tokio::test(start_paused = true)]
async fn a_connection_between_two_requests_has_no_server_and_loses_nothing() {
    let (mut client, mut served) = served(MIB);
    client!(served, sleep(LONG).await);
    assert!(is_quiet!(served), "no notice was sent yet");
    for _ in 0..3 {
        client!(served, {
            client.write_all(GET).await.unwrap();
            assert!(answer(&mut client, "0 0").await.starts_with("HTTP/1.1 200 OK\r\n"));
        });
        assert!(!is_quiet!(served), "the next request may come at once");
        client!(served, sleep(LONG).await);
        assert!(is_quiet!(served));
        // A head in two halves with a pause between them.
        client!(served, {
            client.write_all(&GET[..9]).await.unwrap();
            sleep(LONG).await;
            client.write_all(&GET[9..]).await.unwrap();
            answer(&mut client, "0 0").await;
        });
        client!(served, sleep(LONG).await);
    }
    // Its client has written everything, and still reads: it gets the end of the stream.
    client.shutdown().await.unwrap();
    assert!(matches!(step(&mut served).await, Step::Ended(Ok(()))));
    let mut rest = String::new();
    assert_eq!(client.read_to_string(&mut rest).await.unwrap(), 0, "no bytes are sent to a client that has left");
    assert!(matches!(served.state, State::Closing(_)), "no server was made for the end");
}

#[tokio::test(start_paused = true)]
async fn a_client_at_work_keeps_its_server_whatever_it_pauses_for() {
    let (mut client, mut served) = served(MIB);
    for round in 0..5 {
        client!(served, {
            client.write_all(GET).await.unwrap();
            answer(&mut client, "0 0").await;
        });
        client!(served, sleep(2 * SHORT_SILENCE).await);
        assert_eq!(is_quiet!(served), round == 0, "{round}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_head_makes_few_servers() {
    let (mut client, mut served) = served(MIB);
    client!(served, {
        client.write_all(&GET[..9]).await.unwrap();
        sleep(LONG).await;
    });
    let server_dropped = served.server_dropped.unwrap();
    assert!(server_dropped.elapsed() > SHORT_SILENCE, "{:?}", server_dropped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_to_end_says_so_between_two_requests() {
    let (mut client, mut served) = served(MIB);
    client!(served, sleep(LONG).await);
    served.graceful_shutdown(future::pending());
    assert!(matches!(served.state, State::Closing(_)), "a stream of TLS is shut down, not dropped");
    assert!(matches!(step(&mut served).await, Step::Ended(Ok(()))));
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_within_a_body_keeps_its_server() {
    let (mut client, mut served) = served(1024);
    client!(served, {
        client.write_all(b"POST /early HTTP/1.1\r\nhost: test.example\r\ncontent-length: 9\r\n\r\nGET ").await.unwrap();
        answer(&mut client, "early").await;
        sleep(LONG).await;
    });
    assert!(!is_quiet!(served), "the rest of the body is no request");
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_client_does_not_read_keeps_its_server() {
    let (mut client, mut served) = served(1024);
    client!(served, {
        client.write_all(b"GET /long HTTP/1.1\r\nhost: test.example\r\n\r\n").await.unwrap();
        sleep(LONG).await;
    });
    assert!(!is_quiet!(served), "the answer is not written");
    let body = client!(served, answer(&mut client, &"x".repeat(MIB)).await);
    assert!(body.starts_with("HTTP/1.1 200 OK\r\n"));
    client!(served, sleep(LONG).await);
    assert!(is_quiet!(served));
}

#[tokio::test(start_paused = true)]
async fn an_upload_arrives_as_it_was_sent_and_a_head_has_its_own_limit() {
    let body: Vec<u8> = (0..3 * MIB).map(|at| (at % 251) as u8).collect();
    let sent = format!(
        "{} {}",
        body.len(),
        body.iter().fold(0_u64, |sum, it| sum.wrapping_mul(31).wrapping_add(u64::from(*it)))
    );
    let head = |padding: usize| {
        let (length, padding) = (body.len(), "x".repeat(padding));
        format!("POST / HTTP/1.1\r\nhost: test.example\r\nx-padding: {padding}\r\ncontent-length: {length}\r\n\r\n")
    };
    let (mut client, mut served) = served(4 * MIB);
    for padding in [1, 8_000] {
        client!(served, {
            client.write_all(head(padding).as_bytes()).await.unwrap();
            client.write_all(&body).await.unwrap();
            answer(&mut client, &sent).await;
        });
    }
    client.write_all(head(8_200).as_bytes()).await.unwrap();
    let _ = tokio::time::timeout(LONG, step(&mut served)).await;
    drop(served);
    let mut refused = String::new();
    client.read_to_string(&mut refused).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_quiet_connection_at_once() {
    for bytes in [&b""[..], b"PRI * HT", GET] {
        let (mut client, mut served) = served(MIB);
        client!(served, {
            client.write_all(bytes).await.unwrap();
            sleep(LONG).await;
        });
        served.graceful_shutdown(future::pending());
        assert!(matches!(step(&mut served).await, Step::Ended(Ok(()))), "{bytes:?}");
    }
}
