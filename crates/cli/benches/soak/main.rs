//! Runs the gateway under a mixed load for any time: `cargo bench -p error-envelope-cli --bench soak -- --minutes 10`.
//!
//! The clients are those of the gateway's tests. Some keep their connections, and others do not. They use HTTP/1,
//! HTTP/2 and gRPC. Some are slow, leave before or during their response, or send too much. The service responds like
//! many frameworks, cuts off responses, and hangs. The policy is replaced all the time, every third time by an invalid
//! policy. The kill switch is turned on and off. At the end, these checks must pass:
//!
//! 1. The number of requests equals the number of responses and abandoned requests. The log contains one line for each
//!    error and for each abandoned request.
//! 2. Each request has a different id, and each log line of the layer contains an id.
//! 3. The memory at the end is about the same as after the first minute.
//! 4. The number of descriptors is the same as at the beginning.
//!
//! The report is `benches/soak.md`. `-- --beside TEXT` adds to the report what else ran on the machine.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time and spawns tasks")]

#[path = "../../../../tests/it/command.rs"]
mod command;
#[allow(dead_code, reason = "the gateway's tests use more of this module")]
mod holds;
mod memory;
mod report;
#[allow(dead_code, reason = "the tests use more of this module")]
#[path = "../../../../tests/it/wait.rs"]
mod wait;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use tokio::runtime::Runtime;

use holds::gateway::{Folder, Gateway, events};
use holds::mixed::load::{Load, Verdict, judge};
use holds::mixed::service;
use memory::Memory;
use wait::{found, when};

/// Run the gateway under a mixed load
#[derive(Parser)]
struct Args {
    /// Run for this number of minutes; the first minute is for warming up
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    minutes: u64,
    /// Add to the report what else runs on the machine
    #[arg(long, value_name = "TEXT", default_value = "nothing")]
    beside: String,
    /// Ignored, because cargo passes this flag
    #[arg(long, hide = true)]
    bench: bool,
}

/// The clients pause between requests, so that the gateway is not fully loaded. The test is about the duration, not
/// about the load.
const CLIENTS: u64 = 48;
const PAUSE: Duration = Duration::from_millis(40);
const FLIP_EVERY: Duration = Duration::from_millis(500);
const POLICY_FOR: Duration = Duration::from_secs(50);
const OFF_FOR: Duration = Duration::from_secs(3);
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const TURN: [&str; 3] = [
    "version = 1\n",
    "version = 1\n[[route]]\nmatch = \"/says/{*rest}\"\ndialect = \"problem\"\n",
    "version = 1\n[defaults]\nmode = \"sideways\"\n",
];

/// The results of the run.
struct Soak {
    minutes: u64,
    beside: String,
    verdict: Verdict,
    memory: Memory,
    peak_kib: u64,
    descriptors: (usize, usize),
    /// The number of the layer's lines without an id.
    without_id: usize,
    taken: usize,
    refused: usize,
    /// How often the kill switch was turned on.
    thrown: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        // `cargo test --benches` also runs this program, and only checks that it starts.
        return ExitCode::SUCCESS;
    }
    let soak = run(args);
    let report = report::write(&soak);
    print!("{report}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/soak.md");
    let beside = file.with_extension("md.new");
    fs::write(&beside, report).and_then(|()| fs::rename(&beside, &file)).expect("the report is written");
    let failures = soak.failures();
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(Args { minutes, beside, .. }: Args) -> Soak {
    let folder = Folder::new("soak");
    let policy = folder.path("policy.toml");
    fs::write(&policy, TURN[0]).expect("a policy file");
    let seen = Arc::<service::Seen>::default();
    let service = service::recording(&seen);
    let mut command = Gateway::command(&command::binary(), &service.url());
    command.args(["--admin", "127.0.0.1:0", "--policy"]).arg(&policy);
    let gateway = Gateway::run(command);
    let before = gateway.descriptors();
    let load = Load { clients: CLIENTS, pause: PAUSE, seen: Arc::clone(&seen), numbers: Arc::new(AtomicU64::new(0)) };
    let over = AtomicBool::new(false);
    let (ended, memory) = std::thread::scope(|scope| {
        scope.spawn(|| flip(&policy, &over));
        scope.spawn(|| throw(&gateway, &over));
        let memory = scope.spawn(|| sample(&gateway, &over));
        let load = load.on(gateway.address, Duration::from_secs(minutes * 60));
        let ended = Runtime::new().expect("a runtime").block_on(load);
        over.store(true, Ordering::Relaxed);
        (ended, memory.join().expect("no panic while sampling"))
    });
    let came_back = found(|| {
        let open = gateway.descriptors();
        when(open <= before, open)
    });
    let (Ok(after) | Err(after)) = came_back;
    let peak_kib = gateway.peak_kib();
    let log = gateway.stopped();
    let verdict = judge(&ended, &seen.ids.lock().expect("no panic under the lock"), &events(&log));
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let (taken, refused) = (count("reloaded the policy"), count("rejected the new policy"));
    let (thrown, descriptors, without_id) = (count("every route is in mode off"), (before, after), without_id(&log));
    Soak { minutes, beside, verdict, memory, peak_kib, descriptors, without_id, taken, refused, thrown }
}

/// Writes in turn two valid policies and an invalid one.
fn flip(policy: &Path, over: &AtomicBool) {
    for text in TURN.iter().cycle() {
        let beside = policy.with_extension("new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, policy)).expect("the policy is replaced");
        std::thread::sleep(FLIP_EVERY);
        if over.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Turns the kill switch on for a moment now and then.
fn throw(gateway: &Gateway, over: &AtomicBool) {
    loop {
        for (state, time) in [("off", POLICY_FOR), ("on", OFF_FOR)] {
            let answer = gateway.ask_admin("POST", &format!("/kill-switch/{state}"));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let end = Instant::now() + time;
            while Instant::now() < end {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn sample(gateway: &Gateway, over: &AtomicBool) -> Memory {
    let (began, mut memory) = (Instant::now(), Memory::default());
    while !over.load(Ordering::Relaxed) {
        memory.0.push((began.elapsed(), gateway.resident_kib()));
        std::thread::sleep(SAMPLE_EVERY);
    }
    memory
}

/// Returns the number of the layer's log lines that contain no request id.
fn without_id(log: &str) -> usize {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
    let tells = |line: &Value| line.is_null() || line["fields"]["origin"].is_string();
    lines.filter(|line| tells(line) && !line["fields"]["request_id"].is_string()).count()
}

impl Soak {
    fn failures(&self) -> Vec<String> {
        let mut failures: Vec<_> = self.verdict.wrong.iter().take(10).cloned().collect();
        let (before, after) = self.descriptors;
        if after > before {
            failures.push(format!("{after} descriptors after it, and {before} before"));
        }
        if self.without_id > 0 {
            failures.push(format!("{} lines without an id", self.without_id));
        }
        if self.taken == 0 || self.refused == 0 || self.thrown == 0 {
            failures.push("the policy was not replaced, or never turned off".to_owned());
        }
        if !self.memory.is_flat() {
            failures.push("memory grew after the first minute".to_owned());
        }
        failures
    }
}
