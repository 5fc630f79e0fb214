//! What the process takes, by Prometheus' own names: `process_cpu_seconds_total`, `process_open_fds`,
//! `process_resident_memory_bytes`, `process_start_time_seconds` and others, read as they are asked for.

use std::sync::OnceLock;

use metrics_process::Collector;

/// None before the recorder of the process is known to be for these.
static COLLECTOR: OnceLock<Collector> = OnceLock::new();

pub(super) fn describe() {
    COLLECTOR.get_or_init(Collector::default).describe();
}

pub(super) fn collect() {
    if let Some(collector) = COLLECTOR.get() {
        collector.collect();
    }
}
