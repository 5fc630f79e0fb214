//! Measures the cost of a request for the gateway, for a bare proxy of the same libraries, and for common proxies.
//!
//! `.ci/cost gateway` runs it:
//!
//! 1. Every proxy is a separate process on one core. The service behind the proxies and the clients are on the other
//!    core.
//! 2. In a round, each proxy gets the same number of requests, one proxy after the other. The cost of a request is the
//!    processor time of the proxy's threads that the system has counted, divided by the number of requests.
//! 3. Two processes of the same program can differ by a tenth, and a proxy may cost more if it runs after another
//!    proxy. So each row starts the proxies several times, and the order differs in each round.
//! 4. Each ratio compares a proxy with the bare proxy in the same round. The table shows the medians over all rounds.
//! 5. The memory of an idle connection is the growth of the resident memory while many connections wait for their next
//!    request, divided by their number.
//! 6. With `--check`, callgrind counts instructions and allocations outside the kernel instead, which do not depend on
//!    other work of the machine. The counts are compared with `README.md`. An instruction count is the difference of
//!    two runs of different length. It also counts the instructions of the access log's own code, with and without an
//!    access log.
//!
//! 7. With `--limits`, it measures only the processor time of the bare proxy and the gateway. It fails if the gateway
//!    costs more than the limit of a row.
//!
//! A proxy that is not installed is left out, and a line reports this. Words after `--` choose the rows whose names
//! contain one of these words. The environment variable `GATEWAY_FLAGS` contains further flags for the gateway, and
//! `GATEWAY` the path of another gateway.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod bare;
mod clients;
mod counted;
mod idle;
mod own;
mod peer;
mod processor;
mod service;
mod table;
mod workload;

use std::net::SocketAddr;
use std::process::ExitCode;

use peer::Peer;
use table::Costs;
use workload::Workload;

/// How often a row's proxies are started.
const STARTS: usize = 6;
/// The number of rounds for each start.
const ROUNDS: usize = 3;
/// The number of rounds for idle connections, whose memory hardly differs.
const IDLE_ROUNDS: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--service"] => service::run(),
        ["--bare", service] => bare::run(service.parse().expect("an address"), None),
        ["--bare", service, certificate, key] => {
            bare::run(service.parse().expect("an address"), Some((certificate, key)));
        }
        ["--own", service] => own::run(service.parse().expect("an address"), false),
        ["--own", service, "--access-log"] => own::run(service.parse().expect("an address"), true),
        _ if args.contains(&"--check") => return counted::check(),
        _ if args.contains(&"--bench") => return measure(&args),
        // `cargo test` runs this program, but measures nothing.
        _ => {}
    }
    ExitCode::SUCCESS
}

fn measure(args: &[&str]) -> ExitCode {
    processor::pin_to(1);
    let (quick, limits) = (args.contains(&"--quick"), args.contains(&"--limits"));
    let peers = if limits { &[Peer::Bare, Peer::Gateway] } else { Peer::ALL };
    let words: Vec<_> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let is_chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(**word));
    let service = peer::Process::service();
    let chosen = Workload::ALL.iter().filter(|workload| is_chosen(workload.name()));
    let rows: Vec<_> = chosen.map(|workload| (*workload, rows(*workload, peers, service.address, quick))).collect();
    let cells = rows.iter().map(|(workload, costs)| (workload.name(), costs));
    print!("{}", table::write("Processor time per request in µs", cells));
    if limits {
        return above_limits(&rows);
    }
    if is_chosen(idle::NAME) {
        let rows = idle::rows(service.address, if quick { 1 } else { IDLE_ROUNDS });
        let cells = rows.iter().map(|(name, costs)| (*name, costs));
        print!("\n{}", table::write("Memory of a connection in KiB", cells));
    }
    ExitCode::SUCCESS
}

/// Reports the rows in which the gateway costs more than its limit.
fn above_limits(rows: &[(Workload, Costs)]) -> ExitCode {
    let mut is_above = false;
    for (workload, costs) in rows {
        let (ratio, limit) = (table::ratio(Peer::Gateway, costs), workload.limit());
        if ratio > limit || ratio.is_nan() {
            eprintln!(
                "{}: the gateway costs {ratio:.3} times as much as bare hyper, and may cost {limit}",
                workload.name()
            );
            is_above = true;
        }
    }
    ExitCode::from(u8::from(is_above))
}

/// Returns the processor time per request in microseconds, for each proxy and round.
fn rows(workload: Workload, peers: &[Peer], service: SocketAddr, quick: bool) -> Costs {
    let requests = workload.requests(quick);
    let (starts, rounds) = if quick { (1, 1) } else { (STARTS, ROUNDS) };
    let mut rows: Costs = peers.iter().map(|peer| (*peer, Vec::new())).collect();
    for start in 0..starts {
        let running = rows.iter_mut().filter_map(|(peer, costs)| Some((peer.start(workload, service)?, costs)));
        let mut running: Vec<_> = running.collect();
        running.iter().for_each(|(process, _)| workload.run(process.address, workload.requests(true)));
        if start % 2 == 1 {
            running.reverse();
        }
        for _ in 0..rounds {
            for (process, costs) in &mut running {
                let before = process.processor_time();
                workload.run(process.address, requests);
                costs.push((process.processor_time() - before).as_secs_f64() * 1e6 / requests as f64);
            }
            running.rotate_left(1);
        }
    }
    rows.retain(|(_, costs)| !costs.is_empty());
    rows
}
