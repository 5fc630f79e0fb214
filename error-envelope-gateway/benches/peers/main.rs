//! What a request costs the gateway beside a bare proxy of the same libraries, and beside the proxies that people run.
//!
//! `.ci/peers` runs it:
//!
//! 1. Every proxy is a process of its own on one core. The service behind them and the clients are on the other.
//! 2. A round asks each proxy for the same number of requests, one proxy after the other. What a request costs is the
//!    processor time that the system has counted for the proxy's threads, divided by the requests.
//! 3. The ratios are those of one round to the bare proxy; the table has their medians over the rounds.
//! 4. `--check` counts instructions and allocations outside the kernel by callgrind instead, which do not depend on what else
//!    the machine does, and compares them with `README.md`. An instruction count is the difference of two runs of different
//!    length. It also counts what a request takes of the access log's own lines, where there is one and where there is none.
//!
//! A proxy that is not installed is left out, and a line says so.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod bare;
mod clients;
mod counted;
mod own;
mod peer;
mod processor;
mod service;
mod table;
mod workload;

use std::net::SocketAddr;
use std::process::ExitCode;

use peer::Peer;
use workload::Workload;

const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--service"] => service::run(),
        ["--bare", service] => bare::run(service.parse().expect("an address"), None),
        ["--bare", service, certificate, key] => {
            bare::run(service.parse().expect("an address"), Some((certificate, key)));
        }
        ["--own", service] => own::run(service.parse().expect("an address"), None),
        ["--own", service, log] => own::run(service.parse().expect("an address"), Some(log.into())),
        _ if args.contains(&"--check") => return counted::check(),
        _ if args.contains(&"--bench") => measure(args.contains(&"--quick")),
        // As `cargo test` runs it, without what it measures.
        _ => {}
    }
    ExitCode::SUCCESS
}

fn measure(quick: bool) {
    processor::pin_to(1);
    let service = peer::Process::service();
    let rounds = if quick { 1 } else { ROUNDS };
    let table = Workload::ALL.iter().map(|workload| (workload, rows(*workload, service.address, rounds, quick)));
    print!("{}", table::write(table));
}

/// Microseconds of the processor per request, by peer, round by round.
fn rows(workload: Workload, service: SocketAddr, rounds: usize, quick: bool) -> Vec<(Peer, Vec<f64>)> {
    let running: Vec<_> = Peer::ALL.iter().filter_map(|peer| Some((*peer, peer.start(workload, service)?))).collect();
    running.iter().for_each(|(_, process)| workload.run(process.address, workload.requests(true)));
    let requests = workload.requests(quick);
    let mut rows: Vec<_> = running.iter().map(|(peer, _)| (*peer, Vec::new())).collect();
    for _ in 0..rounds {
        for ((_, process), (_, costs)) in running.iter().zip(&mut rows) {
            let before = process.processor_time();
            workload.run(process.address, requests);
            costs.push((process.processor_time() - before).as_secs_f64() * 1e6 / requests as f64);
        }
    }
    rows
}
