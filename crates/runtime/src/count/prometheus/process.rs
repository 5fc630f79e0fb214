//! Records the resources of the process under Prometheus' standard names: `process_cpu_seconds_total`,
//! `process_open_fds`, `process_resident_memory_bytes`, `process_start_time_seconds` and others.

use std::sync::OnceLock;

use metrics_process::Collector;

/// The collector of the process's resources. It is created after the recorder is installed.
static COLLECTOR: OnceLock<Collector> = OnceLock::new();

pub(super) fn describe() {
    COLLECTOR.get_or_init(Collector::default).describe();
}

pub(super) fn collect() {
    if let Some(collector) = COLLECTOR.get() {
        collector.collect();
    }
}
