//! Runs a driver over all cases, and reports which cases are not for it, which wait for a missing feature, and which
//! fail.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::always::SECRET;
use super::check::{self, Problems};
use super::format::Case;
use super::load;
use super::seen::{Exchanged, Run};

pub(super) trait Driver: Sync {
    fn name(&self) -> &'static str;

    /// The state that the cases of one lot share, such as a process.
    type Session: Default;

    fn run(&self, session: &mut Self::Session, case: &Case) -> Outcome;

    /// Divides the cases into lots. The cases of one lot run one after the other, and lots run in parallel.
    fn lots(&self, cases: Vec<Case>) -> Vec<Vec<Case>> {
        vec![cases]
    }
}

pub(super) enum Outcome {
    Ran(Run),
    /// The case is not for this driver, for this reason.
    NotMine(&'static str),
}

/// The comparison of deep JSON is recursive: it meets thousands of brackets, and uses some frames for each.
const STACK: usize = 512 << 20;

/// The beginning of a driver's reason if a proxy cannot do what the contract states. At most one case in twenty may
/// have it.
const CANNOT: &str = "Envoy: ";

/// The number of lots at a time. Most of the time is spent waiting for sockets and time-outs.
const WORKERS: usize = 8;

/// Runs all cases, prints a line that counts them, and fails with a list of what is wrong.
pub(super) fn all<D: Driver>(driver: &D) {
    quiet_panics();
    let mut tally = Tally::default();
    let mine = load::cases().into_iter().filter(|case| tally.takes(driver, case)).collect();
    let lots = driver.lots(mine);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(lot) = lots.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut session = D::Session::default();
            for case in lot {
                let result = judged(driver, &mut session, case);
                if let Judged::Fails(text) = &result
                    && std::env::var_os("FAIL_FAST").is_some()
                    && !super::DISPUTED.iter().any(|(row, ..)| *row == case.name)
                {
                    println!(
                        "FIRST ROW {} :: {}",
                        case.name,
                        text.replace('\n', " ").chars().take(300).collect::<String>()
                    );
                    std::process::exit(101);
                }
                results.lock().expect("no panic under the lock").push((case, result));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(lots.len()) {
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).expect("a thread");
        }
    });
    results
        .into_inner()
        .expect("no panic under the lock")
        .into_iter()
        .for_each(|(case, result)| tally.add(driver.name(), case, result));
    let failed = tally.report(driver.name());
    assert!(failed.is_empty(), "{} failed\n\n{}", failed.len(), failed.join("\n"));
}

enum Judged {
    Holds,
    Fails(String),
    NotMine(&'static str),
}

/// A panic that leaves the layer, or one of the runner, fails its case and not the cases after it.
fn judged<D: Driver>(driver: &D, session: &mut D::Session, case: &Case) -> Judged {
    let ran = catch_unwind(AssertUnwindSafe(|| match driver.run(session, case) {
        Outcome::NotMine(why) => Judged::NotMine(why),
        Outcome::Ran(run) => match check::problems(case, &run) {
            problems if problems.is_empty() => Judged::Holds,
            problems => Judged::Fails(report(case, &problems, &run)),
        },
    }));
    ran.unwrap_or_else(|panic| {
        *session = D::Session::default();
        let text = text_of(&*panic);
        Judged::Fails(report(case, &vec![("F2", format!("a panic came through: {text}"))], &Run::default()))
    })
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    owned.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[derive(Default)]
struct Tally {
    ran: usize,
    failed: Vec<String>,
    not_mine: BTreeMap<&'static str, usize>,
    /// The cases that the driver can send, but that the proxy cannot answer as the contract states.
    cannot: Vec<String>,
    /// Rows that contradict a rule.
    disputed: Vec<String>,
    waiting: usize,
    words: BTreeMap<String, usize>,
}

impl Tally {
    fn takes(&mut self, driver: &impl Driver, case: &Case) -> bool {
        let lacks: Vec<&String> = case.needs.iter().filter(|word| !super::has(word)).collect();
        if !named(driver.name(), case) {
            *self.not_mine.entry("the case names other drivers").or_default() += 1;
            return false;
        }
        self.waiting += usize::from(!lacks.is_empty());
        for word in &lacks {
            *self.words.entry((*word).clone()).or_default() += 1;
        }
        lacks.is_empty()
    }

    fn add(&mut self, driver: &str, case: &Case, result: Judged) {
        let name = case.name.clone();
        let disputed = super::DISPUTED
            .iter()
            .find(|(row, drivers, _)| *row == name && (drivers.is_empty() || drivers.contains(&driver)));
        let disputed = disputed.map(|(_, _, rule)| (*rule, false));
        let differs = || super::envoy::difference(driver, case).map(|it| (it.why, it.races));
        match (result, disputed.or_else(differs)) {
            (Judged::Fails(_), Some((why, _))) => {
                self.disputed.push(format!("{name} against {}", why.split(':').next().unwrap_or_default()));
            }
            (Judged::Holds, Some((_, false))) => {
                self.failed.push(format!("{name} holds: take it off the disputed rows"))
            }
            (result, _) => self.judge(name, result),
        }
    }

    fn judge(&mut self, name: String, result: Judged) {
        match result {
            Judged::NotMine(why) => {
                *self.not_mine.entry(why).or_default() += 1;
                if why.starts_with(CANNOT) {
                    self.cannot.push(format!("cannot: {name}: {why}"));
                }
            }
            Judged::Holds => self.ran += 1,
            Judged::Fails(text) => {
                self.ran += 1;
                self.failed.push(text);
            }
        }
    }

    fn report(mut self, driver: &str) -> Vec<String> {
        self.failed.sort();
        self.cannot.sort();
        self.cannot.iter().for_each(|line| say(line));
        let Self { ran, failed, not_mine, cannot, disputed, waiting, words } = self;
        assert!(cannot.len() * 20 <= ran + cannot.len(), "{driver}: {} of {ran} cannot be answered", cannot.len());
        let listed = |counts: Vec<(String, usize)>| {
            counts.into_iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
        };
        let words = listed(words.into_iter().collect());
        let reasons = listed(not_mine.iter().map(|(why, count)| ((*why).to_owned(), *count)).collect());
        let (others, count) = (not_mine.values().sum::<usize>(), failed.len());
        let line = format!(
            "{driver}: {ran} ran, {count} failed, {} disputed ({}), {others} not for this driver ({reasons}), {waiting} waiting: {words}",
            disputed.len(),
            disputed.join(", ")
        );
        say(&line);
        assert!(ran > 0 || std::env::var_os("CASES").is_some(), "{line}: a driver that runs nothing proves nothing");
        failed
    }
}

/// This function does not use `println!`, because the test harness hides that output when a test passes.
pub(super) fn say(line: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
}

/// `gateway` stands for both drivers of the gateway, and for Envoy, because a result in one proxy holds in the other.
pub(super) fn named(driver: &str, case: &Case) -> bool {
    let Some(drivers) = &case.drivers else { return true };
    let kind = driver.split('-').next().unwrap_or_default();
    drivers
        .iter()
        .any(|name| name == driver || name == kind || ["envoy", "ext_proc"].contains(&kind) && name == "gateway")
}

fn report(case: &Case, problems: &Problems, run: &Run) -> String {
    let mut text = format!("{} [{}] {}\n", case.name, case.rules.join(" "), case.why);
    for (rule, what) in problems {
        let _ = writeln!(text, "  {rule}: {what}");
    }
    run.exchanges.iter().take(2).for_each(|exchanged| came(&mut text, exchanged));
    text
}

fn came(text: &mut String, exchanged: &Exchanged) {
    let Ok(response) = &exchanged.response else { return };
    let _ = writeln!(text, "  < {} ({:?})", response.status, response.end);
    for (name, value) in &response.headers {
        let _ = writeln!(text, "  < {name}: {}", String::from_utf8_lossy(value));
    }
    let body = String::from_utf8_lossy(&response.body);
    let _ = writeln!(text, "  < {}", body.chars().take(600).collect::<String>());
}

/// Without this, the panics that cases request would fill the screen.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_expected = text_of(panic.payload()) == SECRET;
            if !is_expected {
                loud(panic);
            }
        }));
    });
}
