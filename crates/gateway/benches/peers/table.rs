//! The table, with a line for each workload and a column for each proxy.

use std::fmt::Write;

use crate::peer::Peer;

/// The costs of each proxy, one for each round.
pub(crate) type Costs = Vec<(Peer, Vec<f64>)>;

pub(crate) fn write<'a>(what: &str, rows: impl Iterator<Item = (&'static str, &'a Costs)>) -> String {
    let mut table = format!("{what}, and in brackets the ratio to the bare proxy (medians of rounds):\n\n|");
    let names = Peer::ALL.iter().map(|peer| format!(" {} |", peer.name()));
    let _ = writeln!(table, " |{}", names.collect::<String>());
    let _ = writeln!(table, "|---|{}", "---|".repeat(Peer::ALL.len()));
    for (name, costs) in rows {
        let cells = Peer::ALL.iter().map(|peer| match of(*peer, costs) {
            [] => " – |".into(),
            of_peer => format!(" {:.1} ({:.2}) |", median(of_peer.iter().copied()), ratio(*peer, costs)),
        });
        let _ = writeln!(table, "| {name} |{}", cells.collect::<String>());
    }
    table
}

/// Returns the cost of a peer as a multiple of the bare proxy in the same round.
pub(crate) fn ratio(peer: Peer, costs: &Costs) -> f64 {
    median(of(peer, costs).iter().zip(of(Peer::Bare, costs)).map(|(cost, bare)| cost / bare))
}

fn of(peer: Peer, costs: &Costs) -> &[f64] {
    costs.iter().find(|(it, _)| *it == peer).map_or(&[], |(_, costs)| costs)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
