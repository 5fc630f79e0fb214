//! Checks that the time of looking for a key does not reveal how close a wrong key came (rule G2): `cargo bench -p
//! benches --bench constant_time`.
//!
//! It applies Welch's t-test to a million runs of two classes, a near miss and a far one, interleaved at random, as
//! dudect does. Above 4.5 the two can be distinguished, and `--check` fails.
#![allow(clippy::disallowed_methods, reason = "what is measured is time")]

#[allow(dead_code, unreachable_pub, reason = "digests alone are compared")]
#[path = "../../crates/core/src/guard/auth/digest.rs"]
mod digest;
mod welch;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
use http::Request;
use http::request::Parts;
use rand::RngExt as _;
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::{Policy, RequestId};

use self::digest::Digest;
use self::welch::{Class, Sample};

const RUNS: usize = 1_000_000;

/// The number of batches. The runs of one batch share the places of their values in memory, so many batches are needed.
const BATCHES: usize = 20_000;

/// The limit above which two classes are treated as distinguished. Chance exceeds it once in 100,000 times.
const TELLING: f64 = 4.5;

/// The number of wrong inputs of each class. A single input might be recognised by itself.
const INPUTS: usize = 64;

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let keys: Vec<[u8; 32]> = (0..4).map(|_| rand::random()).collect();
    let list: Vec<Digest> = keys.iter().map(Digest::from_bytes).collect();
    let equal = |wrong: [u8; 32]| keys.iter().any(|key| equal_until_it_is_not(key, &wrong));
    let naive = t_value(|| near_and_far(&keys), |wrong| *wrong, equal);
    let eight_times = |wrong: Digest| (0..8).filter_map(|_| digest::position(black_box(&wrong), &list)).count();
    let position = t_value(|| near_and_far(&keys), Digest::from_bytes, eight_times);
    let whole = end_to_end();
    println!("{:44} {:>8}", "", "|t|");
    println!("{:44} {naive:8.2}   (what a leak looks like)", "digests, compared until they differ");
    println!("{:44} {position:8.2}", "digests, compared as the layer does");
    println!("{:44} {whole:8.2}", "a request with a wrong key, to its refusal");
    println!("one key among 10,000: {:.1} µs", of_many());
    let holds = naive > TELLING && position < TELLING && whole < TELLING;
    if check && !holds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Returns how well the two classes of inputs can be distinguished by the time of `work`. The places of values in
/// memory must not reveal the class. So inputs are made anew for each batch, and prepared anew for each run.
fn t_value<I, P, O>(fresh: impl Fn() -> Vec<[I; 2]>, prepare: impl Fn(&I) -> P, work: impl Fn(P) -> O) -> f64 {
    let mut random = rand::rng();
    let mut samples = Vec::with_capacity(RUNS);
    for _ in 0..BATCHES {
        let inputs = fresh();
        for _ in 0..RUNS / BATCHES {
            let (far, which) = (random.random::<bool>(), random.random_range(0..inputs.len()));
            let prepared = black_box(prepare(&inputs[which][usize::from(far)]));
            let begun = Instant::now();
            let outcome = black_box(work(prepared));
            let nanoseconds = begun.elapsed().as_nanos();
            drop(outcome);
            samples.push(Sample { class: if far { Class::Far } else { Class::Near }, nanoseconds });
        }
    }
    welch::greatest_t(&samples)
}

/// Returns pairs of digests near the last key. The first differs from it in the last byte, and the second in the first
/// byte.
fn near_and_far(keys: &[[u8; 32]]) -> Vec<[[u8; 32]; 2]> {
    let key = keys[keys.len() - 1];
    let with = |place: usize, bits: u8| {
        let mut wrong = key;
        wrong[place] ^= bits;
        wrong
    };
    (1..=INPUTS as u8).map(|bits| [with(31, bits), with(0, bits)]).collect()
}

/// Compares two keys in the way that nobody should.
fn equal_until_it_is_not(key: &[u8; 32], wrong: &[u8; 32]) -> bool {
    for (a, b) in key.iter().zip(wrong) {
        if black_box(a) != black_box(b) {
            return false;
        }
    }
    true
}

/// Measures both classes with one policy, through the whole beginning of a request. The places of its keys and of its
/// prepared values in memory must not reveal the class. Only the sent key differs: the policy has a key that differs
/// from it in the last character, or in the first. Chance decides which key belongs to which class.
fn end_to_end() -> f64 {
    let fresh = || {
        let id = || RequestId::from_parts(rand::random(), rand::random()).to_string();
        let sent: Vec<Arc<str>> = (0..16).map(|_| id().into()).collect();
        let near = usize::from(rand::random::<bool>());
        let config = config(&sent, near);
        // The first refusal prepares the others.
        drop(refused((config.clone(), request("nobody's"))));
        let pairs = sent.chunks(2).map(|pair| [near, 1 - near].map(|at| (config.clone(), pair[at].clone())));
        pairs.collect()
    };
    let prepare = |(config, key): &(Arc<SessionConfig>, Arc<str>)| (config.clone(), request(key));
    t_value(fresh, prepare, refused)
}

fn refused((config, mut head): (Arc<SessionConfig>, Parts)) -> ((Session, RequestStep), Parts) {
    let facts = BodyFacts { ended: true, ..BodyFacts::default() };
    let id = || RequestId::from_parts(1, 1);
    let begun = Session::begin(config, &mut head, facts, id);
    assert!(matches!(begun.1, RequestStep::Send(_)));
    (begun, head)
}

/// Returns a policy whose keys are the sent keys, except for one character. It is the last character of every second
/// key from `near` on, and the first character of the others.
fn config(sent: &[Arc<str>], near: usize) -> Arc<SessionConfig> {
    let wrong = |(at, key): (usize, &Arc<str>)| {
        let place = if at % 2 == near { key.len() - 1 } else { 0 };
        Key::of_secret(&**key, format!("{}~{}", &key[..place], &key[place + 1..]))
    };
    let scheme = sent.iter().enumerate().fold(AuthScheme::bearer(), |scheme, key| scheme.key(wrong(key)));
    let policy = Policy::builder().scheme("api", scheme).auth(["api"]).build().expect("a policy that is right");
    Arc::new(SessionConfig::new(policy, || std::time::UNIX_EPOCH))
}

/// Returns the time of looking for a key among 10,000, in microseconds.
fn of_many() -> f64 {
    let list: Vec<Digest> = (0..10_000_u32).map(|it| Digest::hash(&it.to_le_bytes())).collect();
    let wrong = Digest::hash(b"none");
    let begun = Instant::now();
    for _ in 0..1_000 {
        black_box(digest::position(black_box(&wrong), &list));
    }
    begun.elapsed().as_secs_f64() * 1_000.0
}

fn request(key: &str) -> Parts {
    let request = Request::get("/").header("authorization", format!("Bearer {key}"));
    request.body(()).expect("a request").into_parts().0
}
