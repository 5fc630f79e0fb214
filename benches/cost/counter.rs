//! Counts instructions per request with callgrind, for this bench and for `compare`.

use std::num::NonZeroUsize;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The number of counted requests. It is enough for buffered randomness to be drawn twenty times. Four times as many
/// requests change no count by a thousandth.
const COUNTED: u64 = 500;

pub(crate) fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs a job in a runtime, so that time limits find a timer, as they do in a server.
pub(crate) fn with_runtime<T>(job: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _entered = runtime.enter();
    job()
}

/// Returns the instructions per request of this binary with these arguments, followed by a number of requests. The
/// result is the median of this many processes.
pub(crate) fn instructions(args: &[&str], processes: usize) -> f64 {
    let mut counts = side_by_side(processes, || collected(args) / COUNTED as f64);
    counts.sort_by(f64::total_cmp);
    counts[processes / 2]
}

/// Runs the job twice. The first run warms up, and only the second run is counted.
pub(crate) fn twice(mut job: impl FnMut()) {
    job();
    counted_by_callgrind(&mut job);
}

/// Runs the job. callgrind counts from the beginning to the end of this function, which it finds by its name.
#[inline(never)]
fn counted_by_callgrind(job: &mut dyn FnMut()) {
    job();
}

/// Makes this many runs, as many at once as there are cores. callgrind's counts do not depend on other load of the
/// machine.
fn side_by_side(runs: usize, run: impl Fn() -> f64 + Sync) -> Vec<f64> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let left = AtomicUsize::new(runs);
    let taken = || {
        let mut done = Vec::new();
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            done.push(run());
        }
        done
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(runs)).map(|_| scope.spawn(taken)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic while counting")).collect()
    })
}

fn collected(args: &[&str]) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_by_callgrind*"]);
    let text = output(valgrind.arg(this_binary()).args(args).arg(COUNTED.to_string()), |out| out.stderr);
    let line = text.lines().find_map(|line| line.split_once("Collected : "));
    number(line.unwrap_or_else(|| panic!("callgrind said no total:\n{text}")).1)
}

pub(crate) fn this_binary() -> std::path::PathBuf {
    std::env::current_exe().expect("the path of this binary")
}

pub(crate) fn output(command: &mut Command, stream: impl FnOnce(std::process::Output) -> Vec<u8>) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&stream(output)).into_owned()
}

pub(crate) fn number<T: FromStr>(text: &str) -> T {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}
