//! Instructions and allocations outside the kernel, by callgrind, beside what `README.md` records.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode};

use tempfile::TempDir;

use crate::peer::{Peer, Process};
use crate::workload::Workload;

const RECORDED: &str = include_str!("README.md");
/// What a figure may rise by, of what is recorded.
const MOST: f64 = 1.03;
const FEW: usize = 640;
const MORE: usize = 1_920;

#[derive(Clone, Copy)]
struct Count {
    instructions: f64,
    allocations: f64,
}

pub(crate) fn check() -> ExitCode {
    let service = Process::service();
    let mut risen = false;
    println!("| | proxy | instructions | allocations |\n|---|---|---|---|");
    for workload in [Workload::Success, Workload::Error] {
        for peer in [Peer::Bare, Peer::Gateway] {
            let now = per_request(peer, workload, service.address);
            let (instructions, allocations) = (now.instructions, now.allocations);
            println!("| {} | {} | {instructions:.0} | {allocations:.1} |", workload.name(), peer.name());
            let recorded = recorded(workload, peer);
            let is_risen = |was: f64, is: f64| is > was * MOST;
            if peer == Peer::Gateway
                && recorded
                    .is_none_or(|it| is_risen(it.instructions, instructions) || is_risen(it.allocations, allocations))
            {
                eprintln!("{}: more than is recorded", workload.name());
                risen = true;
            }
        }
    }
    ExitCode::from(u8::from(risen))
}

/// Of two runs of different length the difference is that of the requests alone.
fn per_request(peer: Peer, workload: Workload, service: SocketAddr) -> Count {
    let [few, more] = [FEW, MORE].map(|requests| count(peer, workload, service, requests));
    let requests = (MORE - FEW) as f64;
    Count {
        instructions: (more.instructions - few.instructions) / requests,
        allocations: (more.allocations - few.allocations) / requests,
    }
}

fn count(peer: Peer, workload: Workload, service: SocketAddr, requests: usize) -> Count {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    let process = Process::announced(command.args(peer.own_command(workload.is_tls(), service)));
    workload.run(process.address, requests);
    process.interrupt();
    read(&file)
}

/// callgrind's file has the total in a line of its own, and the calls of a function below its name.
fn read(file: &Path) -> Count {
    let text = fs::read_to_string(file).expect("callgrind writes it at the end");
    let mut names = HashMap::new();
    let (mut called, mut instructions, mut allocations) = ("", 0.0, 0.0);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            let (id, name) = name.split_once(' ').unwrap_or((name, ""));
            called = if name.is_empty() { names.get(id).copied().unwrap_or_default() } else { name };
            names.insert(id, called);
        } else if let Some(name) = line.strip_prefix("fn=") {
            if let Some((id, name)) = name.split_once(' ') {
                names.insert(id, name);
            }
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if ["malloc", "calloc", "realloc"].contains(&called) {
                allocations += calls.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
            }
        } else if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().unwrap_or(0.0);
        }
    }
    Count { instructions, allocations }
}

fn recorded(workload: Workload, peer: Peer) -> Option<Count> {
    let row = RECORDED.lines().find_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells.get(1) == Some(&workload.name()) && cells.get(2) == Some(&peer.name()) && cells.len() > 4)
            .then_some(cells)
    })?;
    Some(Count { instructions: row[3].parse().ok()?, allocations: row[4].parse().ok()? })
}
