//! A policy that cannot be read for a while: the old one stays active, and nobody waits (M2).

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use error_envelope_runtime::PolicyHandle;
use tower_error_envelope::policy::PolicyLoader;

use super::{Folder, Served, including, part, saying};
use crate::wait::{until, when};

#[test]
fn m2_a_good_file_in_place_of_what_was_none_takes_effect_by_itself() {
    let folder = Folder::new();
    let served = Served::watch(folder.write("policy.toml", &saying("one")));
    for (number, (wrong, make)) in irregular().into_iter().enumerate() {
        make(&folder.path("new"));
        folder.remove("policy.toml");
        folder.rename("new", "policy.toml");
        let error = served.layer.reload().unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
        let why = served.layer.policy_status().rejection().map(|it| (it.why().to_owned(), it.is_current()));
        assert_eq!(why, Some((error, true)));
        let _ = fs::remove_dir(folder.path("policy.toml"));
        let text = format!("number {number}");
        folder.replace("policy.toml", &saying(&text));
        served.until_it_says(&text);
    }
}

type Make = fn(&std::path::Path);

fn irregular() -> [(&'static str, Make); 4] {
    [
        ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("a device", |path| symlink("/dev/zero", path).unwrap()),
        ("a folder", |path| fs::create_dir(path).unwrap()),
        ("No such file", |path| symlink("gone", path).unwrap()),
    ]
}

/// Left out, it would take its guards with it.
#[test]
fn m2_a_part_that_becomes_a_link_to_nothing_is_refused_and_taken_once_that_is_there() {
    let folder = Folder::new();
    folder.write("services/orders.toml", &part("/team", "one"));
    let served = Served::watch(folder.write("policy.toml", &including("services/*.toml")));
    folder.link("services/new", "../data/orders.toml");
    folder.rename("services/new", "services/orders.toml");
    assert!(served.layer.reload().unwrap_err().to_string().contains("services/orders.toml: cannot be read"));
    assert_eq!(served.says(), "one");
    folder.write("data/orders.toml", &part("/team", "two"));
    served.until_it_says("two");
}

/// The environment stands for a file system that does not answer.
#[test]
fn m2_a_reading_that_hangs_is_waited_for_by_nobody_and_its_end_shows_what_is_there_then() {
    let folder = Folder::new();
    let policy = |text: &str| {
        format!("{}[auth.a]\nscheme = \"jwt\"\nalgorithms = [\"HS256\"]\nsecret_env = \"SECRET\"\n", saying(text))
    };
    let path = folder.write("policy.toml", &policy("one"));
    let (hangs, (end, ended)) = (Arc::new(AtomicBool::new(false)), channel::<()>());
    let (begin, begun) = channel();
    let (wanted, ended) = (Arc::clone(&hangs), Mutex::new(ended));
    let loader = PolicyLoader::new().environment(move |_| {
        if wanted.load(Ordering::SeqCst) {
            begin.send(()).unwrap();
            let _ = ended.lock().unwrap().recv();
        }
        Some("0123456789abcdef0123456789abcdef".to_owned())
    });
    let in_force = PolicyHandle::watching(&path, loader).unwrap();
    let says = || format!("{:?}", in_force.config().policy());
    hangs.store(true, Ordering::SeqCst);
    folder.replace("policy.toml", &policy("two"));
    begun.recv().unwrap();
    folder.replace("policy.toml", &policy("three"));
    assert!(says().contains("\"one\"") && in_force.status().files().len() == 1);
    hangs.store(false, Ordering::SeqCst);
    drop(end);
    until("what is there now is in force", || {
        let says = says();
        when(says.contains("\"three\""), says)
    });
}
