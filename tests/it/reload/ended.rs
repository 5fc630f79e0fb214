//! The watching threads end with the last layer and service.

use std::fs;
use std::process::Command;

use super::{Folder, Served, saying, until};

/// Set in the process that counts: other tests' threads would be counted, too.
const ALONE: &str = "RELOAD_COUNTS_THREADS";
const NAME: &str = "reload::ended::m3_the_watching_threads_end_with_the_last_layer_and_service";

#[test]
fn m3_the_watching_threads_end_with_the_last_layer_and_service() {
    if std::env::var_os(ALONE).is_some() {
        return count();
    }
    let test = std::env::current_exe().unwrap();
    let output = Command::new(test).args(["--exact", NAME, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "the test is called otherwise than {NAME}: {said}");
}

fn count() {
    assert_eq!(watching(), 0);
    let folder = Folder::new();
    let Served { layer, service } = Served::watch(folder.write("policy.toml", &saying("one")));
    // A thread gives itself its name.
    assert!(until(|| (watching() == 2).then_some(())).is_some(), "{:?}", names());
    let again = layer.clone();
    drop(layer);
    drop(service);
    folder.replace("policy.toml", &saying("two"));
    assert!(until(|| format!("{again:?}").contains("two").then_some(())).is_some());
    let service = tower_layer::Layer::layer(&again, ());
    drop(again);
    folder.replace("policy.toml", &saying("three"));
    assert_eq!(watching(), 2, "{:?}", names());
    drop(service);
    assert!(until(|| (watching() == 0).then_some(())).is_some(), "{:?}", names());
}

/// The thread that waits and the one that hears for it.
fn watching() -> usize {
    names().iter().filter(|name| name.starts_with("error-envelope") || name.starts_with("notify-rs")).count()
}

fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).collect()
}
