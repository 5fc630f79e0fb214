//! Threads that serve clients, each with a runtime of its own.
//!
//! Each accepts for itself, so that one which is busy leaves new clients to the others. A connection stays on its thread. So does,
//! where it can, the one to the service that its requests go over: the [pool](super::pool) prefers those that were opened
//! [`here`]. What they share is what holds for the process: limits, and the connections to a service.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// None is the thread of whoever calls the library.
pub(crate) type WorkerId = Option<NonZeroUsize>;

type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    static HERE: Cell<WorkerId> = const { Cell::new(None) };
}

/// The worker that this thread is.
pub(crate) fn here() -> WorkerId {
    HERE.get()
}

/// Ends its threads when it is dropped, and what they serve.
pub(crate) struct Workers(Vec<Worker>);

struct Worker {
    /// None once it is told to end.
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// # Errors
    /// The system has no room for a thread or for its runtime.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        (1..=count).filter_map(NonZeroUsize::new).map(Worker::start).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives each worker one of `jobs`, to run in its runtime.
    pub(crate) fn run<J: FnOnce() + Send + 'static>(&self, jobs: impl Iterator<Item = J>) {
        for (worker, job) in self.0.iter().zip(jobs) {
            if let Some(jobs) = &worker.jobs {
                let _ = jobs.send(Box::new(job));
            }
        }
    }
}

impl Worker {
    fn start(id: NonZeroUsize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (jobs, received) = mpsc::unbounded_channel();
        let serve = move || {
            HERE.set(Some(id));
            run_jobs(runtime, received);
        };
        let thread = std::thread::Builder::new().name(format!("worker-{id}")).spawn(serve)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }
}

fn run_jobs(runtime: Runtime, mut received: UnboundedReceiver<Job>) {
    runtime.block_on(async {
        while let Some(job) = received.recv().await {
            job();
        }
    });
    // With a time it would wait before it drops its tasks, and clients would wait with it.
    runtime.shutdown_background();
}

impl Drop for Workers {
    /// All are told before one is waited for.
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|worker| drop(worker.jobs.take()));
        for thread in self.0.iter_mut().filter_map(|worker| worker.thread.take()) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn each_has_a_job_and_what_it_began_ends_with_them() {
        let workers = Workers::start(2).unwrap();
        let (tell, told) = mpsc::channel();
        let job = || {
            let tell = tell.clone();
            // Held by a task that ends with its runtime alone.
            let task = async move {
                tell.send(here()).unwrap();
                std::future::pending::<()>().await;
                drop(tell);
            };
            move || drop(tokio::spawn(task))
        };
        workers.run(std::iter::repeat_with(job));
        let mut ids = [told.recv().unwrap(), told.recv().unwrap()];
        ids.sort_unstable();
        assert_eq!(ids, [NonZeroUsize::new(1), NonZeroUsize::new(2)]);
        drop(tell);
        drop(workers);
        told.recv().unwrap_err();
        assert_eq!(here(), None);
    }
}
