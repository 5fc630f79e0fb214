//! Tests `clients/cases/retry.json`: whether and when a request is repeated, in simulated time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde::Deserialize;
use tokio::time::Instant;
use tower::retry::RetryLayer;
use tower::retry::budget::TpsBudget;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_error_envelope::client::{ErrorReader, Idempotent, ReadErrorLayer, RetryPolicy};

use super::{Answer, cases};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    method: String,
    #[serde(default)]
    repeatable: bool,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    now: Option<String>,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    most_ms: Option<u64>,
    #[serde(default)]
    total_ms: Option<u64>,
    answers: Vec<Sent>,
    expect: Expect,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Sent {
    Failed {
        #[allow(dead_code, reason = "its name says it")]
        fails: bool,
    },
    Answered(Answer),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    waits_ms: Vec<u128>,
    /// `None` if no response arrives.
    status: Option<u16>,
}

#[tokio::test(start_paused = true)]
async fn each_shared_case_is_sent_again_as_it_states() {
    for case in cases::<Case>(include_str!("../../../clients/cases/retry.json")) {
        assert!(case.now.is_none_or(|now| now == "Sun, 06 Nov 1994 08:49:37 GMT"), "{}", case.name);
        let mut policy = RetryPolicy::new().reader(reader()).random(match case.share {
            None | Some(0.5) => || 0.5,
            Some(1.0) => || 1.0,
            Some(other) => panic!("{}: {other} is no share here", case.name),
        });
        if let Some(attempts) = case.attempts {
            policy = policy.attempts(attempts);
        }
        if let Some(most) = case.most_ms {
            policy = policy.backoff(Duration::from_millis(100), Duration::from_millis(most));
        }
        if let Some(total) = case.total_ms {
            policy = policy.total_wait(Duration::from_millis(total));
        }
        let server = Server::new(case.answers);
        let mut request = Request::builder().method(&*case.method).body(Full::new(Bytes::from("x"))).unwrap();
        if case.repeatable {
            request.extensions_mut().insert(Idempotent);
        }
        let response = client(policy, &server).oneshot(request).await;
        let status = response.ok().map(|response| response.status().as_u16());
        assert_eq!((server.waits(), status), (case.expect.waits_ms, case.expect.status), "{}", case.name);
        assert!(server.answers.lock().unwrap().is_empty(), "{}: not all answers were asked for", case.name);
    }
}

fn reader() -> ErrorReader {
    ErrorReader::new().clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
}

/// The responses in their order, and the times of the requests.
#[derive(Clone)]
struct Server {
    answers: Arc<Mutex<VecDeque<Sent>>>,
    requests: Arc<Mutex<Vec<Instant>>>,
}

impl Server {
    fn new(answers: Vec<Sent>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into())), requests: Arc::default() }
    }

    fn answer(&self) -> io::Result<Response<Full<Bytes>>> {
        self.requests.lock().unwrap().push(Instant::now());
        match self.answers.lock().unwrap().pop_front().expect("one more request than there are answers") {
            Sent::Failed { .. } => Err(io::ErrorKind::ConnectionReset.into()),
            Sent::Answered(answer) => Ok(answer.response().map(|body| Full::new(body.into()))),
        }
    }

    fn waits(&self) -> Vec<u128> {
        self.requests.lock().unwrap().windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
    }
}

fn client(
    policy: RetryPolicy,
    server: &Server,
) -> impl Service<Request<Full<Bytes>>, Response = Response<impl http_body::Body>, Error = io::Error> {
    let server = server.clone();
    ServiceBuilder::new()
        .layer(RetryLayer::new(policy))
        .layer(ReadErrorLayer::new(reader()))
        .service(service_fn(move |_| std::future::ready(server.answer())))
}

fn unavailable(times: usize) -> Vec<Sent> {
    vec![Sent::Answered(Answer { status: 503, headers: vec![], body: String::new() }); times]
}

#[tokio::test(start_paused = true)]
async fn all_clones_draw_from_one_budget() {
    let policy = RetryPolicy::new().attempts(10).budget(TpsBudget::new(Duration::from_secs(10), 0, 0.5));
    let mut sent = Vec::new();
    for _ in 0..4 {
        let server = Server::new(unavailable(10));
        client(policy.clone(), &server).oneshot(Request::new(Full::default())).await.unwrap();
        sent.push(server.requests.lock().unwrap().len());
    }
    // Each request deposits half of a repetition.
    assert_eq!(sent.iter().sum::<usize>(), 4 + 2, "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_a_random_part_of_its_bound() {
    let mut waits = Vec::new();
    for _ in 0..50 {
        let server = Server::new(unavailable(4));
        client(RetryPolicy::new().budget(Endless), &server).oneshot(Request::new(Full::default())).await.unwrap();
        waits.push(server.waits());
    }
    // A tokio sleep ends at the end of its millisecond.
    assert!(waits.iter().all(|waits| waits.iter().zip([100, 200, 400]).all(|(wait, bound)| *wait <= bound + 1)));
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 40, "{waits:?}");
}

#[derive(Debug)]
struct Endless;

impl tower::retry::budget::Budget for Endless {
    fn deposit(&self) {}

    fn withdraw(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_is_enough_where_no_body_is_read() {
    let mut answers = unavailable(2);
    answers.push(Sent::Answered(Answer { status: 404, headers: vec![], body: "gone".into() }));
    let server = Server::new(answers);
    let requests = server.clone();
    let client = ServiceBuilder::new()
        .layer(RetryLayer::new(RetryPolicy::new()))
        .service(service_fn(move |_: Request<()>| std::future::ready(requests.answer())));
    assert_eq!(client.oneshot(Request::new(())).await.unwrap().status(), 404);
    assert_eq!(server.waits().len(), 2);
}
