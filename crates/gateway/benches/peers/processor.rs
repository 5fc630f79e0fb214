//! Reads the times, memory and descriptors that the system counts for a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PAGE: u64 = 4096;

/// Keeps this process, and its child processes, on a core.
pub(crate) fn pin_to(core: usize) {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-c", "-p", &core.to_string(), &pid]).output();
    assert!(pinned.is_ok_and(|it| it.status.success()), "taskset (util-linux) keeps proxies and clients apart");
}

/// Returns the processor time of all threads of a process and its children.
pub(crate) fn time(pid: u32) -> Duration {
    let threads = tasks(pid).into_iter().map(|task| {
        nanoseconds(&fs::read_to_string(task.join("schedstat")).unwrap_or_default())
            + children(&task).into_iter().map(time).sum::<Duration>()
    });
    threads.sum()
}

/// Returns the memory of a process and its children in bytes.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
    pages * PAGE + tasks(pid).iter().flat_map(|task| children(task)).map(memory).sum::<u64>()
}

/// Returns the number of open sockets and files of a process and its children.
pub(crate) fn descriptors(pid: u32) -> usize {
    let own = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    own + tasks(pid).iter().flat_map(|task| children(task)).map(descriptors).sum::<usize>()
}

fn tasks(pid: u32) -> Vec<PathBuf> {
    fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().map(|task| task.path()).collect()
}

fn children(task: &Path) -> Vec<u32> {
    let children = fs::read_to_string(task.join("children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn nanoseconds(schedstat: &str) -> Duration {
    Duration::from_nanos(schedstat.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default())
}
