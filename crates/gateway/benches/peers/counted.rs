//! Counts instructions and allocations outside the kernel with callgrind, and compares them with `README.md`.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode};

use tempfile::TempDir;

use crate::peer::{Peer, Process};
use crate::workload::Workload;

const RECORDED: &str = include_str!("README.md");
/// The factor by which a figure may exceed the recorded one.
const MOST: f64 = 1.03;
/// The file of the access log's code.
const ACCESS: &str = "crates/gateway/src/access.rs";
/// The most instructions that a request may execute in this file if the access log is off. They are enough for two
/// checks that it is off.
const MOST_OFF: f64 = 8.0;
/// The functions that allocate: those of the system, and those of jemalloc, which the command uses.
const ALLOCATORS: &[&str] =
    &["malloc", "calloc", "realloc", "_rjem_malloc", "_rjem_calloc", "_rjem_realloc", "_rjem_mallocx", "_rjem_rallocx"];
const FEW: usize = 640;
const MORE: usize = 1_920;

#[derive(Clone, Copy, Default)]
struct Count {
    instructions: f64,
    allocations: f64,
    /// The instructions in the code of the access log.
    access: f64,
}

pub(crate) fn check() -> ExitCode {
    let service = Process::service();
    let mut risen = costs_while_off(service.address);
    println!();
    println!("| | proxy | instructions | allocations |\n|---|---|---|---|");
    for workload in [Workload::Success, Workload::Error] {
        for peer in [Peer::Bare, Peer::Gateway] {
            let command = peer.own_command(workload.is_tls(), service.address);
            let now = per_request(&command, workload);
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

/// Returns true if a request costs more than [`MOST_OFF`] for an access log that is off.
fn costs_while_off(service: SocketAddr) -> bool {
    let this = std::env::current_exe().expect("the path of this binary").display().to_string();
    let off = vec![this, "--own".into(), service.to_string()];
    let on = [off.clone(), vec!["--access-log".to_owned()]].concat();
    let [off, on] = [off, on].map(|command| per_request(&command, Workload::Success));
    println!("| access log | instructions | in its own lines | allocations |\n|---|---|---|---|");
    for (name, it) in [("off", off), ("on", on)] {
        println!("| {name} | {:.0} | {:.1} | {:.1} |", it.instructions, it.access, it.allocations);
    }
    // With the access log on, its instructions must be visible.
    assert!(on.access > 100.0, "this binary has no table of its lines");
    if off.access > MOST_OFF {
        eprintln!("an access log that is off takes more than a look");
    }
    off.access > MOST_OFF
}

/// Returns the cost of a request. It is the difference between two runs of different length, so it does not contain the
/// cost of starting and stopping.
fn per_request(command: &[String], workload: Workload) -> Count {
    let [few, more] = [FEW, MORE].map(|requests| count(command, workload, requests));
    let requests = (MORE - FEW) as f64;
    Count {
        instructions: (more.instructions - few.instructions) / requests,
        allocations: (more.allocations - few.allocations) / requests,
        access: (more.access - few.access) / requests,
    }
}

fn count(proxy: &[String], workload: Workload, requests: usize) -> Count {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
    let process = Process::announced(command.args(proxy));
    workload.run(process.address, requests);
    process.terminate();
    read(&file)
}

fn read(file: &Path) -> Count {
    let text = fs::read_to_string(file).expect("callgrind writes it at the end");
    let mut profile = Profile::default();
    text.lines().for_each(|line| profile.read(line));
    profile.count
}

/// The parsed output of callgrind. It lists costs below the names of a file and a function. After the first occurrence
/// of a name, an id replaces it. The cost of a call belongs to the called function.
#[derive(Default)]
struct Profile<'a> {
    files: HashMap<&'a str, &'a str>,
    functions: HashMap<&'a str, &'a str>,
    called: &'a str,
    is_access: bool,
    is_call: bool,
    count: Count,
}

impl<'a> Profile<'a> {
    fn read(&mut self, line: &'a str) {
        let of_call = std::mem::take(&mut self.is_call);
        match line.split_once('=') {
            Some(("fl" | "fi" | "fe", name)) => self.is_access = named(&mut self.files, name).contains(ACCESS),
            Some(("cfl" | "cfi", name)) => drop(named(&mut self.files, name)),
            Some(("fn", name)) => drop(named(&mut self.functions, name)),
            Some(("cfn", name)) => self.called = named(&mut self.functions, name),
            Some(("calls", calls)) => {
                self.is_call = true;
                if ALLOCATORS.contains(&self.called) {
                    self.count.allocations += number(calls.split(' ').next());
                }
            }
            None if line.starts_with("totals: ") => self.count.instructions = number(line.split(' ').next_back()),
            None if self.is_access
                && !of_call
                && line.starts_with(|it: char| "+-*".contains(it) || it.is_ascii_digit()) =>
            {
                self.count.access += number(line.split(' ').nth(1));
            }
            _ => {}
        }
    }
}

fn named<'a>(names: &mut HashMap<&'a str, &'a str>, name: &'a str) -> &'a str {
    match name.split_once(' ') {
        Some((id, name)) => {
            names.insert(id, name);
            name
        }
        None => names.get(name).copied().unwrap_or_default(),
    }
}

fn number(text: Option<&str>) -> f64 {
    text.and_then(|it| it.trim().parse().ok()).unwrap_or(0.0)
}

fn recorded(workload: Workload, peer: Peer) -> Option<Count> {
    let row = RECORDED.lines().find_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        (cells.get(1) == Some(&workload.name()) && cells.get(2) == Some(&peer.name()) && cells.len() > 4)
            .then_some(cells)
    })?;
    Some(Count { instructions: row[3].parse().ok()?, allocations: row[4].parse().ok()?, access: 0.0 })
}
