//! The table: a line for each workload, a column for each proxy.

use std::fmt::Write;

use crate::peer::Peer;

/// What each peer cost, round by round.
pub(crate) type Costs = Vec<(Peer, Vec<f64>)>;

pub(crate) fn write(what: &str, rows: impl Iterator<Item = (&'static str, Costs)>) -> String {
    let mut table = format!("{what}, and in brackets the ratio to the bare proxy (medians of rounds):\n\n|");
    let names = Peer::ALL.iter().map(|peer| format!(" {} |", peer.name()));
    let _ = writeln!(table, " |{}", names.collect::<String>());
    let _ = writeln!(table, "|---|{}", "---|".repeat(Peer::ALL.len()));
    for (name, costs) in rows {
        let bare = costs.iter().find(|(peer, _)| *peer == Peer::Bare).map(|(_, costs)| costs.clone());
        let bare = bare.unwrap_or_default();
        let cells = Peer::ALL.iter().map(|peer| match costs.iter().find(|(it, _)| it == peer) {
            Some((_, costs)) => {
                let ratios = costs.iter().zip(&bare).map(|(cost, bare)| cost / bare);
                format!(" {:.1} ({:.2}) |", median(costs.iter().copied()), median(ratios))
            }
            None => " – |".into(),
        });
        let _ = writeln!(table, "| {name} |{}", cells.collect::<String>());
    }
    table
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
