//! Tests `diff`, which shows the effects of a change in a policy, between files and between revisions of Git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::command;

const POLICY: &str = "version = 1\ninclude = [\"services/*.toml\"]\n";
const SCOPE: &str = "version = 1\n[scope]\nprefix = \"/orders\"\n";

/// Makes a work tree of Git with one commit: a policy that includes a file.
fn work_tree(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(folder.join("services")).unwrap();
    fs::write(folder.join("policy.toml"), POLICY).unwrap();
    fs::write(folder.join("services/orders.toml"), SCOPE).unwrap();
    let commit = ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "old"];
    for args in [&["init", "-q"][..], &["add", "."], &commit] {
        assert!(Command::new("git").args(args).current_dir(&folder).status().unwrap().success(), "{args:?}");
    }
    folder
}

fn diff(folder: &Path, args: &[&str]) -> (String, String, Option<i32>) {
    let output = command(&[&["diff"], args].concat()).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn a_change_in_an_included_file_is_shown_between_trees() {
    let folder = work_tree("diff-trees");
    let (out, err, code) = diff(&folder, &["HEAD:policy.toml", "policy.toml"]);
    assert_eq!((&*out, &*err, code), ("no settings changed\n", "", Some(0)));
    fs::write(folder.join("services/orders.toml"), SCOPE.to_owned() + "[defaults]\nmode = \"off\"\ncase = \"exact\"\n")
        .unwrap();
    let expected = "\
opens   defaults.mode of the scope \"/orders\": nothing -> \"off\" (services/orders.toml:5)
opens   defaults.case of the scope \"/orders\": nothing -> \"exact\" (services/orders.toml:6)
2 open doors
";
    for (args, code) in
        [(&["--exit-code", "HEAD:policy.toml", "policy.toml"][..], 1), (&["HEAD:policy.toml", "policy.toml"], 0)]
    {
        let (out, err, exit) = diff(&folder, args);
        assert_eq!((&*out, &*err, exit), (expected, "", Some(code)));
    }
    let (out, _, code) = diff(&folder, &["--exit-code", "policy.toml", "HEAD:policy.toml"]);
    assert!(out.ends_with("\n2 closed doors\n"), "{out}");
    assert_eq!(code, Some(1));
    let (out, ..) = diff(&folder.join("services"), &["HEAD:./../policy.toml", "../policy.toml"]);
    assert!(out.ends_with("\n2 open doors\n"), "{out}");
}

#[test]
fn programs_read_the_same_changes() {
    let folder = work_tree("diff-json");
    fs::write(folder.join("new.toml"), "version = 1\n[defaults]\nbody_limit = 5\n").unwrap();
    let (out, _, code) = diff(&folder, &["--format", "json", "HEAD:policy.toml", "new.toml"]);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["opens"], &found["closes"], code), (&1.into(), &1.into(), Some(0)), "{out}");
    let limit =
        found["changes"].as_array().unwrap().iter().find(|change| change["key"] == "defaults.body_limit").unwrap();
    assert_eq!(limit["old"], serde_json::Value::Null);
    assert_eq!(limit["new"], serde_json::json!({ "value": 5, "from": "new.toml:3" }));
}

#[test]
fn a_policy_that_cannot_be_read_is_named_as_it_was_given() {
    let folder = work_tree("diff-unreadable");
    for (old, problem, code) in [
        (
            "nope:policy.toml",
            "error: nope: cannot be read: Git does not find this revision here\n = help: name a file",
            2,
        ),
        ("HEAD:nope.toml", "HEAD:nope.toml: error: cannot be read: No such file", 2),
        ("nope.toml", "nope.toml: error: cannot be read: No such file", 2),
        ("HEAD:services/orders.toml", "HEAD:services", 1),
    ] {
        if code == 1 {
            fs::write(folder.join("services/orders.toml"), "version = 2\n").unwrap();
            let commit = ["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qam", "broken"];
            assert!(Command::new("git").args(commit).current_dir(&folder).status().unwrap().success());
        }
        let (out, err, exit) = diff(&folder, &[old, "policy.toml"]);
        assert!(err.starts_with(problem) && out.is_empty(), "{old}: {out}{err}");
        assert_eq!(exit, Some(code), "{old}");
    }
}

#[derive(serde::Deserialize)]
struct Pairs {
    scheme: String,
    pair: Vec<Pair>,
}

#[derive(serde::Deserialize)]
struct Pair {
    truth: String,
    old: String,
    new: String,
    exit: i32,
    changes: Vec<String>,
}

#[test]
fn the_exit_code_is_the_truth_about_each_pair() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("diff-pairs");
    fs::create_dir_all(&folder).unwrap();
    let Pairs { scheme, pair: pairs } = toml::from_str(include_str!("../policies/pairs.toml")).unwrap();
    assert_eq!(pairs.len(), 14);
    let mut wrong = Vec::new();
    for Pair { truth, old, new, exit, changes } in pairs {
        for (name, text) in [("old.toml", old), ("new.toml", new)] {
            fs::write(folder.join(name), format!("version = 1\n{}", text.replace('%', &scheme))).unwrap();
        }
        let (out, err, code) = diff(&folder, &["--exit-code", "old.toml", "new.toml"]);
        let mut found: Vec<_> = out.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        found.sort_unstable();
        if code != Some(exit) || found != changes {
            wrong.push(format!("{truth}: {code:?}\n{out}{err}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
