//! Tests one service that can panic, hang, fail or disappear in each callback that F2 names (rules F1–F4, G3, G5, L1).
//!
//! Each fault meets each state of the layer, with a client that waits, and with one that leaves after each number of
//! polls. Each time there is one response or one abandonment, and one event. Nothing is kept, and the next request is
//! served. A pair whose fault never strikes is counted separately, and must behave as without a fault.

mod faulty;
mod oracle;
mod run;
mod state;
mod trap;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use run::{Client, run};
use state::State;
use trap::{FAULTS, Fault};

/// Counts of the runs.
#[derive(Default)]
struct Tally {
    runs: usize,
    struck: usize,
    /// The pairs of a fault and a state that occurred together.
    met: BTreeSet<String>,
    faults: BTreeSet<String>,
    wrong: Vec<String>,
}

#[test]
fn f2_whatever_fails_wherever_there_is_one_answer_one_event_and_a_next_one() {
    let mut tally = Tally::default();
    for state in State::ALL {
        tally.all_clients(state, None);
        for fault in FAULTS {
            tally.all_clients(state, Some(fault));
        }
    }
    println!("{} runs, {} of them struck; {} pairs met", tally.runs, tally.struck, tally.met.len());
    assert!(tally.wrong.is_empty(), "{} of {}:\n{}", tally.wrong.len(), tally.runs, tally.wrong.join("\n"));
    let never = FAULTS.iter().map(|fault| format!("{fault:?}")).filter(|fault| !tally.faults.contains(fault));
    assert_eq!(never.collect::<Vec<_>>(), Vec::<String>::new(), "faults that never struck prove nothing");
}

impl Tally {
    fn all_clients(&mut self, state: State, fault: Option<Fault>) {
        self.one(state, fault, Client::Waits);
        for polls in 0.. {
            assert!(polls < 1000, "{state:?}, {fault:?}: no end");
            if !self.one(state, fault, Client::LeavesAfter(polls)) {
                return;
            }
        }
    }

    /// Runs one request, and returns true if the client left before the end.
    fn one(&mut self, state: State, fault: Option<Fault>, client: Client) -> bool {
        let context = format!("{state:?}, {fault:?}, {client:?}");
        let done = catch_unwind(AssertUnwindSafe(|| {
            let seen = run(state, fault, client);
            let judged = oracle::judge(state, fault, client, &seen);
            (seen.struck, seen.left, judged.map_err(|wrong| format!("{wrong}: {seen:?}")))
        }));
        self.runs += 1;
        let (struck, left, wrong) = match done {
            Ok((struck, left, judged)) => (struck, left, judged.err()),
            Err(_) => (true, false, Some("a panic got through".to_owned())),
        };
        self.struck += usize::from(struck);
        if let (true, Some(fault)) = (struck, fault) {
            self.met.insert(format!("{state:?} {fault:?}"));
            self.faults.insert(format!("{fault:?}"));
        }
        self.wrong.extend(wrong.map(|wrong| format!("{context}: {wrong}")));
        left
    }
}
