//! Tests the admin address as a server, and limits on the resources that a client may use.

use std::convert::Infallible;
use std::future;
use std::net::SocketAddr;
use std::time::Duration;

use error_envelope_admin::{Admin, SmallServer};
use http::Response;
use http_body_util::Full;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

/// A number above the limit of parallel connections.
const MANY: usize = 200;

struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
}

async fn serve(admin: Admin) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(async move { admin.serve(listener, async { drop(stopped.await) }).await });
    Served { address, stop: Some(stop), ended }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Returns the response to a text, until the connection ends.
async fn response_to(address: SocketAddr, text: &str) -> String {
    let mut answer = Vec::new();
    let _ = send(address, text).await.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn it_answers_once_a_connection_and_ends_when_it_is_told_to() {
    let mut served = serve(Admin::new()).await;
    let get = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answers = response_to(served.address, &get.repeat(2)).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 1, "{answers}");
    assert!(answers.contains("connection: close\r\n") && answers.ends_with("\r\n\r\nok\n"), "{answers}");
    assert!(response_to(served.address, "GET /healthz HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200"));
    let head = response_to(served.address, "HEAD /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(head.contains("content-length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    drop(served.stop.take());
    served.ended.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_answered_beside_silent_clients_that_come_back() {
    let served = serve(Admin::new()).await;
    let mut silent = JoinSet::new();
    for n in 0..MANY {
        let part = if n % 2 == 0 { "" } else { "GET /healthz HTTP/1.1\r\nhost:" };
        let mut stream = send(served.address, part).await;
        silent.spawn(async move {
            loop {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                stream = send(served.address, part).await;
            }
        });
    }
    for probe in 0..20 {
        let answer = response_to(served.address, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = timeout(Duration::from_secs(1), answer).await;
        assert!(answer.as_ref().is_ok_and(|answer| answer.ends_with("ok\n")), "{probe}: {answer:?}");
    }
}

/// The test controls the clock. When nothing else happens, the clock jumps to the next time limit.
#[tokio::test(start_paused = true)]
async fn kept_connections_outlast_the_time_for_a_first_head_and_give_way_where_places_run_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (server, minute) = (SmallServer::new(2, 1 << 14, Duration::from_secs(1)), Duration::from_secs(60));
    let answer = |_| future::ready(Ok::<_, Infallible>(Response::new(Full::new(&b"ok\n"[..]))));
    tokio::spawn(server.keep_alive(minute * 5 / 4).serve(listener, None, answer, future::pending()));
    let get = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let is_answered = async |stream: &mut TcpStream| {
        stream.write_all(get.as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        length > 0 && answer[..length].ends_with(b"\r\n\r\nok\n")
    };
    let mut kept = TcpStream::connect(address).await.unwrap();
    assert!(is_answered(&mut kept).await);
    let began = Instant::now();
    assert_eq!(response_to(address, "GET").await, "");
    assert_eq!(began.elapsed().as_secs(), 5);
    tokio::time::sleep(minute).await;
    assert!(is_answered(&mut kept).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Simulated time would jump to the end of the connections while the kernel delivers a byte.
    tokio::time::resume();
    let began = Instant::now();
    let mut others = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    for other in &mut others {
        assert!(is_answered(other).await);
    }
    assert_eq!(kept.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(began.elapsed() < minute);
    tokio::time::pause();
    let began = Instant::now();
    assert_eq!(others[1].read(&mut [0; 8]).await.unwrap(), 0);
    assert!((74..=75).contains(&began.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_let_go() {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for n in 0..30_000 {
            metrics::counter!("a_total", "label" => format!("{n}{}", "x".repeat(500))).increment(1);
        }
    });
    let served = serve(Admin::new().metrics(recorder.handle())).await;
    let mut stream = send(served.address, "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    // The paused clock jumps to the server's write timeout as soon as the server can write no more.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken).await;
    let head = String::from_utf8_lossy(&taken[..400]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
    assert!(taken.len() < length, "{} of {length}", taken.len());
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let served = serve(Admin::new()).await;
    let answer =
        response_to(served.address, &format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000)))
            .await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}
