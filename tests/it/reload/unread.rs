//! A policy that cannot be read for a while: the old one stays active (M2).

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::{Folder, Served, including, part, saying};

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
        let why = served.layer.policy_status().rejection.map(|it| (it.why.to_string(), it.is_current));
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

/// If the part were left out, its guards would be missing.
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
