//! Measures the memory of a connection that waits for its next request, and the memory that remains after it is closed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::clients::Load;
use crate::peer::{Peer, Process};
use crate::table::Costs;
use crate::workload::Workload;

pub(crate) const NAME: &str = "idle connection";
const CONNECTIONS: usize = 1_000;
/// The time after which a proxy has released the memory that it releases only after a delay.
const QUIET: Duration = Duration::from_secs(5);
/// The time for a proxy to close the connections that its clients have closed.
const CLOSES: Duration = Duration::from_secs(10);

/// Returns the rows: while the connections wait, and after they were closed.
pub(crate) fn rows(service: SocketAddr, rounds: usize) -> [(&'static str, Costs); 2] {
    let peers = || Peer::ALL.iter().copied();
    let (mut waiting, mut closed): (Costs, Costs) =
        peers().map(|peer| ((peer, Vec::new()), (peer, Vec::new()))).unzip();
    for _ in 0..rounds {
        for (at, peer) in peers().enumerate() {
            let Some(process) = peer.start(Workload::Success, service) else { continue };
            let (per_connection, kept) = measure(&process);
            waiting[at].1.push(per_connection);
            closed[at].1.push(kept);
        }
    }
    for costs in [&mut waiting, &mut closed] {
        costs.retain(|(_, costs)| !costs.is_empty());
    }
    [(NAME, waiting), ("the same, closed again", closed)]
}

fn measure(process: &Process) -> (f64, f64) {
    let load = Load { connections: CONNECTIONS, ..Load::get("/ok", 200) };
    // The memory that the first request needs belongs to the code, not to a connection.
    Load { connections: 1, ..load }.run(process.address, false, 100);
    let (before, open) = (process.memory(), process.descriptors());
    let grown = || process.memory().saturating_sub(before) as f64 / 1024.0 / CONNECTIONS as f64;
    let mut per_connection = 0.0;
    load.wait(process.address, || {
        std::thread::sleep(QUIET);
        per_connection = grown();
    });
    let began = Instant::now();
    while process.descriptors() > open && began.elapsed() < CLOSES {
        std::thread::sleep(Duration::from_millis(10));
    }
    (per_connection, grown())
}
