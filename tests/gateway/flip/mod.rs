//! Sends 200 requests a second while the policy's file is replaced 100 times (M2, M3). The files are two valid policies
//! and a broken one, in turn.
//!
//! Each request gets a different response under the two policies, in every way in which a policy can differ. First each
//! policy is tested while it does not change. After that, each response must be one of the two, as a whole. If no
//! change is in progress, it must be that of the active policy.

mod clients;
mod service;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::holds::gateway::{Folder, Gateway};
use crate::wait::{until, when};
use clients::{Answer, Clients, REQUESTS};

const FLIPS: usize = 100;
const FLIP_EVERY: Duration = Duration::from_millis(90);
/// The number of requests that run completely between a change and the next, however long that takes.
const BETWEEN: usize = 4;
const REQUEST_EVERY: Duration = Duration::from_millis(5);

const ONE: &str = include_str!("one.toml");
const TWO: &str = include_str!("two.toml");
const BROKEN: &str = include_str!("broken.toml");
/// The policies in their order. The broken one comes after the first.
const TURN: [&str; 3] = [BROKEN, TWO, ONE];
const TAKEN: &str = "reloaded the policy";
const REFUSED: &str = "rejected the new policy";

/// The response to each request under either policy.
type Wanted = Vec<[Answer; 2]>;

/// One request, and the active policy while it ran, if no change was in progress.
struct Sample {
    kind: usize,
    got: Result<Answer, String>,
    certain: Option<usize>,
}

struct Flipping {
    folder: Folder,
    gateway: Gateway,
    /// The number of changes that began. It equals the number of ended changes if none is in progress.
    begun: AtomicUsize,
    ended: AtomicUsize,
    in_force: AtomicUsize,
    /// The number of requests that ran while no change was in progress.
    between: AtomicUsize,
}

#[test]
fn m3_no_request_is_dropped_or_mixed_while_the_policy_changes_a_hundred_times() {
    let service = service::start();
    let folder = Folder::new("flip");
    fs::write(folder.path("policy.toml"), ONE).unwrap();
    let policy = folder.path("policy.toml").display().to_string();
    let gateway = Gateway::start(service.address, &["--policy", &policy]);
    let [begun, ended, in_force, between] = Default::default();
    let flipping = Arc::new(Flipping { folder, gateway, begun, ended, in_force, between });

    let began = Instant::now();
    let (wanted, samples) = Runtime::new().unwrap().block_on(run(&flipping));
    let took = began.elapsed();

    judge(&wanted, &samples);
    // The whole log, so that repeated lines would also be found.
    let log = Arc::into_inner(flipping).expect("each request has ended").gateway.stopped();
    let refused: Vec<_> = log.lines().filter(|line| line.contains(REFUSED)).collect();
    let broken = (0..FLIPS).filter(|flip| TURN[flip % 3] == BROKEN).count();
    assert_eq!(refused.len(), broken, "each time that it appears: {refused:#?}");
    for line in &refused {
        assert!(line.contains("policy.toml:4: defaults.mode: unknown mode"), "{line}");
    }
    // The first policy became active again after the second one was tested.
    let taken = log.matches(TAKEN).count();
    assert_eq!(taken, 2 + FLIPS - broken, "each valid one takes effect");
    println!("{FLIPS} changes in {took:.1?}: {taken} taken, {} refused, each with its line", refused.len());
}

async fn run(flipping: &Arc<Flipping>) -> (Wanted, Vec<Sample>) {
    let clients = Arc::new(Clients::new(flipping.gateway.address));
    let mut answers = [ask_all(&clients).await, Vec::new()];
    flipping.flip(TWO);
    answers[1] = ask_all(&clients).await;
    flipping.flip(ONE);
    let [one, two] = answers;
    let wanted: Wanted = one.into_iter().zip(two).map(|(one, two)| [one, two]).collect();
    expect_difference(&wanted);

    let flips = async {
        let mut ticks = interval(FLIP_EVERY);
        for flip in 0..FLIPS {
            ticks.tick().await;
            flipping.flip(TURN[flip % 3]);
            flipping.goes_on_between();
        }
    };
    let stop = Arc::new(AtomicUsize::new(0));
    let load = tokio::spawn(load(Arc::clone(flipping), Arc::clone(&clients), Arc::clone(&stop)));
    flips.await;
    stop.store(1, Ordering::SeqCst);
    let samples = load.await.unwrap();

    // The last policy was broken, so the last valid policy applies.
    for (kind, got) in ask_all(&clients).await.iter().enumerate() {
        assert_eq!(got, &wanted[kind][0], "{:?} at the end", REQUESTS[kind]);
    }
    (wanted, samples)
}

async fn ask_all(clients: &Clients) -> Vec<Answer> {
    let mut answers = Vec::new();
    for kind in 0..REQUESTS.len() {
        answers.push(clients.ask(kind, kind).await.unwrap());
    }
    answers
}

/// Sends two hundred requests a second, even if earlier ones are still in progress.
async fn load(flipping: Arc<Flipping>, clients: Arc<Clients>, stop: Arc<AtomicUsize>) -> Vec<Sample> {
    let mut ticks = interval(REQUEST_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut requests = JoinSet::new();
    for number in 0.. {
        if stop.load(Ordering::SeqCst) == 1 {
            break;
        }
        ticks.tick().await;
        let (flipping, clients) = (Arc::clone(&flipping), Arc::clone(&clients));
        requests.spawn(async move {
            let kind = number % REQUESTS.len();
            let before = flipping.certain();
            let got = clients.ask(number / REQUESTS.len(), kind).await;
            let certain = before.filter(|before| flipping.certain() == Some(*before)).map(|(_, policy)| policy);
            flipping.between.fetch_add(usize::from(certain.is_some()), Ordering::SeqCst);
            Sample { kind, got, certain }
        });
    }
    requests.join_all().await
}

impl Flipping {
    /// Replaces the file, and waits until the log reports it.
    fn flip(&self, policy: &str) {
        let start = self.gateway.log_from(0).len();
        if policy != BROKEN {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        fs::create_dir_all(self.folder.path("new")).unwrap();
        fs::write(self.folder.path("new/policy.toml"), policy).unwrap();
        fs::rename(self.folder.path("new/policy.toml"), self.folder.path("policy.toml")).unwrap();
        let outcome = if policy == BROKEN { REFUSED } else { TAKEN };
        until(&format!("the log says {outcome:?}"), || {
            let log = self.gateway.log_from(start);
            when(log.contains(outcome), log)
        });
        if policy != BROKEN {
            self.in_force.store(usize::from(policy == TWO), Ordering::SeqCst);
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn goes_on_between(&self) {
        let before = self.between.load(Ordering::SeqCst);
        until("requests are answered between two changes", || {
            let more = self.between.load(Ordering::SeqCst) - before;
            when(more >= BETWEEN, more)
        });
    }

    /// Returns the last change, and the policy since then, or `None` while a change is in progress. A broken file
    /// changes nothing.
    fn certain(&self) -> Option<(usize, usize)> {
        let ended = self.ended.load(Ordering::SeqCst);
        let policy = self.in_force.load(Ordering::SeqCst);
        (self.begun.load(Ordering::SeqCst) == ended).then_some((ended, policy))
    }
}

/// Checks that each request has different responses under the two policies, except the one that neither refuses.
fn expect_difference(wanted: &Wanted) {
    for (kind, [one, two]) in wanted.iter().enumerate() {
        if REQUESTS[kind].path == "/ok" {
            assert_eq!((one, one.status), (two, 200));
        } else {
            assert_ne!(one, two, "{:?}", REQUESTS[kind]);
        }
    }
}

fn judge(wanted: &Wanted, samples: &[Sample]) {
    let (mut of, mut certain, mut wrong) = ([0, 0], 0, Vec::new());
    for Sample { kind, got, certain: policy } in samples {
        let request = &REQUESTS[*kind];
        let mut fail = |what: &str| wrong.push(format!("{request:?}: {what}: {got:?}"));
        let Ok(got) = got else {
            fail("no answer");
            continue;
        };
        match wanted[*kind].iter().position(|wanted| wanted == got) {
            None => fail("of neither policy"),
            Some(_) if request.path == "/ok" => {}
            Some(found) => {
                of[found] += 1;
                certain += usize::from(policy.is_some());
                if policy.is_some_and(|policy| policy != found) {
                    fail("of the policy that is not in force");
                }
            }
        }
    }
    println!(
        "{} requests: {of:?} of each policy, {certain} while nothing changed, {} wrong",
        samples.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{} of {}: {:#?}", wrong.len(), samples.len(), &wrong[..wrong.len().min(10)]);
    assert!(samples.len() > 1000 && of.iter().all(|of| *of > FLIPS) && certain > FLIPS);
}
