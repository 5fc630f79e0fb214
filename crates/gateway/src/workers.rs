//! Threads that serve clients, each with its own runtime.
//!
//! Each thread accepts its own clients, so a busy thread leaves new clients to the others. A connection stays on its
//! thread. The connections to the service stay there, too, if possible: the [pool](super::pool) prefers those that were
//! opened [`here`]. They share the limits of the process, and the connections to a service.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// How many ready sockets a runtime takes from the system before it works on them. The number was measured: with 1,024
/// connections, a request costs a twentieth less processor time than with tokio's default of 1,024; with 32
/// connections, it costs the same.
const EVENTS_AT_ONCE: usize = 16;

/// Makes a runtime that runs on one thread, for a gateway on one core. The threads of [`GatewayConfig::workers`] use
/// the same kind. A program may use any other tokio runtime with I/O and time. This one handles 16 ready sockets at a
/// time, which costs less with many connections.
///
/// # Errors
///
/// If the system has no descriptor left for its sockets.
///
/// ```
/// let runtime = error_envelope_gateway::current_thread_runtime()?;
/// runtime.block_on(async { /* Gateway::bind and Gateway::serve */ });
/// # Ok::<_, std::io::Error>(())
/// ```
///
/// [`GatewayConfig::workers`]: crate::GatewayConfig::workers
pub fn current_thread_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_io_events_per_tick(EVENTS_AT_ONCE).build()
}

/// The id of a worker; `None` stands for the thread of the library's caller.
pub(crate) type WorkerId = Option<NonZeroUsize>;

type Job = Box<dyn FnOnce() + Send>;

/// The time limit for dropping all tasks, each of which logs its request: many times what ten thousand tasks take.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// The last worker id of all gateways of the process.
static LAST_ID: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: Cell<WorkerId> = const { Cell::new(None) };
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// The id of this thread's worker.
pub(crate) fn here() -> WorkerId {
    HERE.get()
}

/// Whether this thread is a worker that is dropping its tasks, and so must start no new ones.
pub(crate) fn ends() -> bool {
    ENDS.get()
}

/// The worker threads. When this is dropped, they end with all their connections. A thread that is still blocked after
/// [`LAST_TASKS`] is not waited for.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    /// `None` once the worker has to stop serving.
    jobs: Option<UnboundedSender<Job>>,
    /// Dropped to make the worker drop its connections.
    go: Option<Sender<()>>,
    /// Receives one report when the worker has started, and one when its tasks have stopped; closed when the worker
    /// ends.
    reports: Receiver<io::Result<()>>,
}

impl Workers {
    /// # Errors
    /// The system has no room for a thread or for its runtime.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        (0..count).map(|_| Worker::start()).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives each worker one of `jobs`, to run in its runtime.
    pub(crate) fn run<J: FnOnce() + Send + 'static>(&mut self, jobs: impl Iterator<Item = J>) {
        for (worker, job) in self.0.iter_mut().zip(jobs) {
            if let Some(jobs) = &worker.jobs {
                let _ = jobs.send(Box::new(job));
            }
        }
    }
}

impl Worker {
    fn start() -> io::Result<Self> {
        let id = NonZeroUsize::new(LAST_ID.fetch_add(1, Ordering::Relaxed) + 1);
        let (jobs, received) = mpsc::unbounded_channel();
        let ((go, may_drop), (report, reports)) = (channel(), channel());
        let serve = move || {
            HERE.set(id);
            // The runtime is created on this thread: if the caller had to drop it, that would panic within the caller's
            // own runtime.
            match current_thread_runtime() {
                Ok(runtime) => run_jobs(runtime, received, &report, &may_drop),
                Err(error) => drop(report.send(Err(error))),
            }
        };
        std::thread::Builder::new().name("gateway-worker".into()).spawn(serve)?;
        reports.recv().unwrap_or_else(|_| Err(io::Error::other("a thread ended when it started")))?;
        Ok(Self { jobs: Some(jobs), go: Some(go), reports })
    }
}

fn run_jobs(
    runtime: Runtime,
    mut received: UnboundedReceiver<Job>,
    report: &Sender<io::Result<()>>,
    may_drop: &Receiver<()>,
) {
    let _ = report.send(Ok(()));
    runtime.block_on(async {
        while let Some(job) = received.recv().await {
            job();
        }
    });
    let _ = report.send(Ok(()));
    let _ = may_drop.recv();
    ENDS.set(true);
    // `shutdown_timeout` would wait before it drops the runtime's tasks, and clients would wait, too.
    runtime.shutdown_background();
}

impl Drop for Workers {
    /// One worker may need what another one serves, so nothing is dropped before all have stopped.
    fn drop(&mut self) {
        let until = Instant::now() + LAST_TASKS;
        self.0.iter_mut().for_each(|worker| drop(worker.jobs.take()));
        let wait = |worker: &Worker| worker.reports.recv_timeout(until.saturating_duration_since(Instant::now()));
        self.0.iter().for_each(|worker| drop(wait(worker)));
        self.0.iter_mut().for_each(|worker| drop(worker.go.take()));
        let is_stuck = |worker: &&Worker| loop {
            match wait(worker) {
                Ok(_) => {}
                Err(error) => return error == RecvTimeoutError::Timeout,
            }
        };
        let stuck = self.0.iter().filter(is_stuck).count();
        if stuck > 0 {
            tracing::warn!(
                target: "error_envelope::gateway::workers", threads = stuck,
                "ended without waiting for blocked threads"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn each_has_a_job_and_what_it_began_ends_with_them() {
        let mut workers = Workers::start(2).unwrap();
        let (report, reports) = mpsc::channel();
        let job = || {
            let report = report.clone();
            // Held by a task that ends with its runtime alone.
            let task = async move {
                report.send(here()).unwrap();
                std::future::pending::<()>().await;
                drop(report);
            };
            move || drop(tokio::spawn(task))
        };
        workers.run(std::iter::repeat_with(job));
        let mut ids = [reports.recv().unwrap(), reports.recv().unwrap()];
        ids.sort_unstable();
        assert!(ids[0] > None && ids[0] < ids[1], "{ids:?}");
        drop(report);
        drop(workers);
        reports.recv().unwrap_err();
        assert_eq!((here(), ends()), (None, false));
    }

    #[test]
    fn one_that_is_blocked_is_left_to_itself() {
        let mut workers = Workers::start(2).unwrap();
        let ((release, blocked), (report, reports)) = (mpsc::channel::<()>(), mpsc::channel());
        let mut blocked = Some(blocked);
        workers.run(std::iter::repeat_with(|| {
            let (blocked, report) = (blocked.take(), report.clone());
            move || {
                report.send(()).unwrap();
                if let Some(blocked) = blocked {
                    let _ = blocked.recv();
                }
            }
        }));
        reports.recv().and_then(|()| reports.recv()).unwrap();
        drop(workers);
        drop(release);
    }
}
