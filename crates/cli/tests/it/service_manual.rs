//! Tests the page for a service's author: each command on it runs, and prints what the page shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::kit::repository;
use crate::probe::Gateway;

const PAGE: &str = include_str!("../../../../manual/probe.md");
const POLICY: &str = "examples/probe/policy.toml";
const FRONT: &str = "http://127.0.0.1:8080";
const BARE: &str = "http://127.0.0.1:3000";

/// Returns each command with the lines that are shown below it.
fn commands() -> Vec<(&'static str, Vec<&'static str>)> {
    let blocks = PAGE.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.trim_end().lines());
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command, Vec::new())),
            None => commands.last_mut().unwrap().1.push(line),
        }
    }
    commands
}

#[test]
fn each_command_of_the_page_says_what_it_shows() {
    let gateway = Gateway::start(POLICY);
    let folder = std::env::temp_dir().join(format!("service-manual-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for name in ["examples", "exports"] {
        std::os::unix::fs::symlink(fs::canonicalize(repository().join(name)).unwrap(), folder.join(name)).unwrap();
    }
    let mut run = 0;
    for (command, shown) in commands() {
        if let Some(args) = command.strip_prefix("error-envelope demo ") {
            assert_eq!(args, format!("--listen 127.0.0.1:8080 --policy {POLICY}"));
            assert_eq!(shown, [format!("listening on {FRONT}"), format!("the service without the layer: {BARE}")]);
            continue;
        }
        assert!(command.starts_with("error-envelope "), "{command}");
        let here = command.replace(FRONT, &gateway.url).replace(BARE, &gateway.bare);
        let (said, code) = shell(&here, &folder);
        assert_eq!(code, Some(0), "{command}: {said}");
        let mut rest = said.replace(&gateway.url, FRONT).replace(&gateway.bare, BARE);
        for line in shown.iter().filter(|line| **line != "…") {
            let whole = format!("{line}\n");
            let Some(at) = rest.find(&whole).filter(|at| *at == 0 || rest.as_bytes()[at - 1] == b'\n') else {
                panic!("{command}\ndoes not say\n{line}\nbut\n{rest}");
            };
            rest.drain(..at + whole.len());
        }
        assert!(!shown.is_empty() || said.is_empty(), "{command}: {said}");
        run += 1;
    }
    assert!(run >= 4, "{run} commands");
    assert!(fs::metadata(folder.join("envoy.yaml")).unwrap().len() > 1000);
    fs::remove_dir_all(folder).unwrap();
}

/// The rule of each row is in the page's table.
#[test]
fn the_page_says_what_to_do_about_each_rule() {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let rules: Vec<&str> = rows.flat_map(|cell| cell.split(", ")).collect();
    let gateway = Gateway::start(POLICY);
    let report = crate::kit::run(&["probe", &gateway.url, "--policy", POLICY, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    for line in report["lines"].as_array().unwrap() {
        assert!(rules.contains(&line["rule"].as_str().unwrap()), "{line}");
    }
}

fn shell(command: &str, folder: &Path) -> (String, Option<i32>) {
    let binary = Path::new(env!("CARGO_BIN_EXE_error-envelope")).parent().unwrap();
    let path = std::env::join_paths(
        [binary.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output =
        Command::new("sh").args(["-c", command]).env("PATH", path.unwrap()).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (said, output.status.code())
}
