//! What the system counts for a process.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// Keeps this process, and those that it starts, on a core.
pub(crate) fn pin_to(core: usize) {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-a", "-c", "-p", &core.to_string(), &pid]).output();
    assert!(pinned.is_ok_and(|it| it.status.success()), "taskset (util-linux) keeps proxies and clients apart");
}

/// Processor time of all threads of a process and its children.
pub(crate) fn time(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let threads = tasks.flatten().map(|task| {
        let path = task.path();
        let children = fs::read_to_string(path.join("children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(time).sum::<Duration>();
        nanoseconds(&fs::read_to_string(path.join("schedstat")).unwrap_or_default()) + children
    });
    threads.sum()
}

fn nanoseconds(schedstat: &str) -> Duration {
    Duration::from_nanos(schedstat.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or_default())
}
