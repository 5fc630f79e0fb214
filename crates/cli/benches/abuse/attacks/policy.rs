//! Attacks with a policy that changes all the time.

use std::time::Duration;

use tokio::time::interval;

use crate::front::Front;

const EVERY: Duration = Duration::from_millis(100);
const TURN: [(&str, &str); 3] = [
    ("one policy", "version = 1\n"),
    ("another", "version = 1\n[defaults]\nbody_limit = 64\n"),
    ("a broken one", "version = 1\n[defaults]\nmode = \"sideways\"\n"),
];

pub(super) async fn reloads(front: Front) {
    let mut ticks = interval(EVERY);
    let replacing = async {
        for (name, policy) in TURN.iter().cycle() {
            ticks.tick().await;
            let beside = front.policy.with_extension("new");
            match std::fs::write(&beside, policy).and_then(|()| std::fs::rename(&beside, &front.policy)) {
                Ok(()) => front.note(*name),
                Err(error) => front.note(error.to_string()),
            }
        }
    };
    tokio::select! { () = replacing => {} () = front.over() => {} }
}
