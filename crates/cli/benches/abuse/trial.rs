//! Runs one attack with its own gateway and service. The attack runs first at full speed, and then at its own pace.
//! Good clients send requests at the same time.
//!
//! 1. While the attack runs at full speed, the trial measures memory, descriptors and responses. It measures no times,
//!    because clients, gateway and service share the machine and slow each other down.
//! 2. The times come from five pairs of runs: good requests alone, and good requests during the attack at its own pace.
//!    If the times are too slow, fifteen pairs run.
//! 3. The attackers leave. The trial waits until the gateway has closed their descriptors, stops the gateway, and reads
//!    its whole log. The log must contain each request that the service received and never answered exactly once, as
//!    abandoned. It must contain no other request twice.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::attacks::{Attack, Log};
use crate::front::{Front, Tally};
use crate::gateway::{Folder, Gateway, events};
use crate::good::Good;
use crate::row::{Descriptors, P99, Row};
use crate::target::{self, Seen};
use crate::wait::{found, when};

pub(crate) const PAIRS: usize = 5;
/// The most pairs, which run if the first pairs are too slow. Other work of the machine affects only some of the pairs,
/// but the effect of an attack remains.
const MOST_PAIRS: usize = 15;
const FLAT_OUT: Duration = Duration::from_secs(5);
const PACED: Duration = Duration::from_secs(3);
/// The most series of metrics for one policy without routes. Each histogram has a dozen series.
const MOST_SERIES: usize = 200;
/// The time limit for an attack that must reach a number of responses.
const LONGEST: Duration = Duration::from_secs(120);
/// The number of descriptors that may stay open, such as those of kept connections to the service.
const KEPT: usize = 32;
const QUICK: Duration = Duration::from_millis(1500);

struct Trial {
    attack: &'static Attack,
    gateway: Gateway,
    seen: Arc<Seen>,
    front: Front,
    over: watch::Sender<bool>,
    attackers: Runtime,
    good: Runtime,
    most: AtomicUsize,
}

pub(crate) fn run(attack: &'static Attack, binary: &Path, quick: bool) -> Row {
    let seen = Arc::<Seen>::default();
    let service = target::start(&seen);
    let folder = Folder::new(&attack.name.replace(' ', "-"));
    let policy = folder.path("policy.toml");
    std::fs::write(&policy, attack.policy).expect("a policy file");
    let mut command = Gateway::command(binary, &service.url());
    command.args(attack.args).arg("--policy").arg(&policy);
    match attack.log {
        Log::Read | Log::Unread => {}
        Log::Full => drop(command.stderr(File::create("/dev/full").expect("Linux's /dev/full"))),
    }
    let unread = matches!(attack.log, Log::Unread).then(|| std::io::pipe().expect("a pipe"));
    let unread = unread.map(|(reader, writer)| {
        command.stderr(Stdio::from(writer));
        reader
    });
    let gateway = Gateway::run(command);
    let (over, is_over) = watch::channel(false);
    let front = Front {
        address: gateway.address,
        policy,
        quick,
        flat_out: true,
        over: is_over,
        tally: Arc::<Mutex<Tally>>::default(),
        sent: Arc::default(),
    };
    let runtime = || Runtime::new().expect("a runtime");
    let most = AtomicUsize::new(0);
    let trial = Trial { attack, gateway, seen, front, over, attackers: runtime(), good: runtime(), most };
    let row = trial.measure(quick);
    drop((unread, service));
    row
}

impl Trial {
    fn measure(self, quick: bool) -> Row {
        let (began, before) = (Instant::now(), self.gateway.descriptors());
        let mut good = Good::default();
        loop {
            good.add(self.beside(true, if quick { QUICK } else { FLAT_OUT }));
            if quick || self.done() >= self.attack.at_least || began.elapsed() > LONGEST {
                break;
            }
        }
        self.descriptors_come_to(|open| open <= before + KEPT);
        let mut pairs = Vec::new();
        let mut asked = if quick { 0 } else { PAIRS };
        while pairs.len() < asked {
            let quiet = self.good.block_on(Good::ask(self.front.address, PACED));
            let beside = self.beside(false, PACED);
            pairs.push((quiet.p99(), beside.p99()));
            good.add(quiet);
            good.add(beside);
            // The next half of the pair must be quiet, and closing connections is also work. Kept connections to the
            // service cause no work.
            self.descriptors_come_to(|open| open <= before + KEPT);
            if pairs.len() == PAIRS && P99::from_pairs(&pairs).is_slow() {
                asked = MOST_PAIRS;
            }
        }
        let after = self.descriptors_come_to(|open| open <= before);
        let (peak_kib, threads) = (self.gateway.peak_kib(), self.gateway.threads());
        let Attack { name, done, limit, .. } = *self.attack;
        let descriptors = Descriptors { before, most: self.most.load(Ordering::Relaxed), after };
        let answered = self.front.tally.lock().expect("no panic under the lock").clone();
        let (answers, p99) = (good.ids.len(), (!pairs.is_empty()).then(|| P99::from_pairs(&pairs)));
        let sent = self.front.sent.load(Ordering::Relaxed);
        let wrong = self.judge(&good);
        Row { name, done, sent, limit, answered, peak_kib, descriptors, threads, good: answers, p99, wrong }
    }

    /// Returns the number of responses that the attack got, plus the number of frames that get no responses.
    fn done(&self) -> u64 {
        let answers: u64 = self.front.tally.lock().expect("no panic under the lock").values().sum();
        answers + self.front.sent.load(Ordering::Relaxed)
    }

    /// Waits until few enough descriptors are open, and returns their number.
    fn descriptors_come_to(&self, enough: impl Fn(usize) -> bool) -> usize {
        let (Ok(open) | Err(open)) = found(|| {
            let open = self.gateway.descriptors();
            when(enough(open), open)
        });
        open
    }

    fn holds(&self) -> usize {
        self.front.many(self.attack.holds)
    }

    /// Sends good requests during the attack.
    fn beside(&self, flat_out: bool, time: Duration) -> Good {
        self.over.send_replace(false);
        let attack = self.attackers.spawn((self.attack.go)(Front { flat_out, ..self.front.clone() }));
        let held = self.descriptors_come_to(|open| open >= self.holds());
        self.most.fetch_max(held, Ordering::Relaxed);
        let good = self.good.block_on(async {
            let asking = Good::ask(self.front.address, time);
            let counting = async {
                loop {
                    self.most.fetch_max(self.gateway.descriptors(), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::select! { good = asking => good, () = counting => unreachable!() }
        });
        self.over.send_replace(true);
        if let Err(panicked) = self.attackers.block_on(attack) {
            self.front.note(format!("the attack failed: {panicked}"));
        }
        good
    }

    /// Checks that requests of attackers add no labels to metrics. Otherwise they could create any number of series.
    fn strangers_series(&self) -> Option<String> {
        let metrics = self.gateway.ask_admin("GET", "/metrics");
        let series = metrics.lines().filter(|line| line.starts_with("error_envelope_")).count();
        let strange = metrics.lines().find(|line| line.contains("/path/") || line.contains("host-"));
        match strange {
            Some(line) => Some(format!("a series of a stranger's: {line}")),
            None if !(1..=MOST_SERIES).contains(&series) => Some(format!("{series} series: {metrics}")),
            None => None,
        }
    }

    /// Returns the failures: lost requests, and missing or superfluous lines of the log.
    fn judge(self, good: &Good) -> Vec<String> {
        let at_least = if self.front.quick { 1 } else { self.attack.at_least };
        let mut wrong: Vec<_> = good.lost.iter().map(|lost| format!("a good answer was lost: {lost}")).collect();
        wrong.truncate(3);
        if self.done() < at_least {
            wrong.push(format!("it came to {} of {at_least}", self.done()));
        }
        let most = self.most.load(Ordering::Relaxed);
        if most < self.holds() {
            wrong.push(format!("it held {most} descriptors of {} at once", self.holds()));
        }
        if self.gateway.has_admin() {
            wrong.extend(self.strangers_series());
        }
        let log = self.gateway.stopped();
        if !matches!(self.attack.log, Log::Read) {
            return wrong;
        }
        let mut logged = HashMap::<String, Vec<String>>::new();
        for event in events(&log) {
            logged.entry(event.id).or_default().push(event.origin);
        }
        let seen = self.seen.0.lock().expect("no panic under the lock");
        let said = |id: &String| logged.get(id).map_or(&[][..], Vec::as_slice);
        let unanswered = seen.iter().filter(|(_, answered)| !**answered).map(|(id, _)| id);
        let missing = unanswered.filter(|id| said(id).len() != 1).map(|id| format!("{id}: logged {:?}", said(id)));
        let twice =
            logged.iter().filter(|(_, events)| events.len() > 1).map(|(id, events)| format!("{id}: {events:?}"));
        let needless =
            good.ids.iter().filter(|id| !said(id).is_empty()).map(|id| format!("{id} was answered: {:?}", said(id)));
        for (what, mut found) in [
            ("abandoned, and not logged once", missing.collect::<Vec<_>>()),
            ("logged twice", twice.collect()),
            ("logged, and nothing was wrong", needless.collect()),
        ] {
            if !found.is_empty() {
                let count = found.len();
                found.truncate(3);
                wrong.push(format!("{what}: {count}, such as {}", found.join("; ")));
            }
        }
        wrong
    }
}
