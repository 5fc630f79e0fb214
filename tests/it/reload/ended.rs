//! Tests that the watching threads end with the last layer and service.

use std::fs;
use std::process::Command;

use super::{Folder, Served, saying};
use crate::wait::{until, when};

/// This variable is set in the process that counts, because other tests' threads would be counted too.
const ALONE: &str = "RELOAD_COUNTS_THREADS";
const NAME: &str = "reload::ended::m3_the_watching_threads_end_with_the_last_layer_and_service";

#[test]
fn m3_the_watching_threads_end_with_the_last_layer_and_service() {
    if std::env::var_os(ALONE).is_some() {
        return count();
    }
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("1 passed"), "the test is called otherwise than {NAME}: {stdout}");
}

fn count() {
    assert_eq!(watching(), 0);
    let folder = Folder::new();
    let Served { layer, service } = Served::watch(folder.write("policy.toml", &saying("one")));
    // A thread sets its name itself, a moment after its start.
    until_watching(2);
    let again = layer.clone();
    drop(layer);
    drop(service);
    folder.replace("policy.toml", &saying("two"));
    until("the layer that is left has the new policy", || {
        let layer = format!("{again:?}");
        when(layer.contains("two"), layer)
    });
    let Served { layer, service } = Served::new(again);
    drop(layer);
    folder.replace("policy.toml", &saying("three"));
    until("the service that is left has the new policy", || {
        let says = super::says(&service);
        when(says == "three", says)
    });
    // The reading thread is about to end.
    until_watching(2);
    drop(service);
    until_watching(0);
}

#[track_caller]
fn until_watching(threads: usize) {
    until(&format!("{threads} threads watch"), || when(watching() == threads, names()).map(drop));
}

/// Returns the number of watching threads: one waits, and one gets notifications for it.
fn watching() -> usize {
    names().iter().filter(|name| name.starts_with("error-envelope") || name.starts_with("notify-rs")).count()
}

fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).collect()
}
