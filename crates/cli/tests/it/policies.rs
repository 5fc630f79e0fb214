//! Tests the policies of `examples/policies`. The commands in their README must print what it shows, and every export
//! must contain their codes.

use std::collections::HashSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::kit::{Running, ask, command, repository};

const SECRETS: [&str; 2] = ["DASHBOARD_JWT_SECRET", "SESSION_JWT_SECRET"];
const FORMATS: [&str; 4] = ["typescript", "zod", "python", "openapi"];

/// A section of the README: the policy's name, its commands, and what the requests print.
struct Section {
    policy: String,
    commands: Vec<String>,
    answers: Vec<String>,
}

fn sections() -> Vec<Section> {
    let page = fs::read_to_string(repository().join("examples/policies/README.md")).unwrap();
    let block = |section: &str, language: &str| -> Vec<String> {
        let (_, block) = section.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("{section}"));
        block.split_once("```").unwrap().0.lines().map(str::to_owned).collect()
    };
    let section = |section: &str| Section {
        policy: section.lines().next().unwrap().to_owned(),
        commands: block(section, "sh"),
        answers: block(section, "text"),
    };
    page.split("\n## ").skip(1).map(section).collect()
}

/// Returns the names of the folder's policies, sorted.
fn policies() -> Vec<String> {
    let folder = fs::read_dir(repository().join("examples/policies")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".toml")).collect();
    names.sort();
    names
}

/// Returns a text without ids and times, which differ from run to run.
fn without_run(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = ["req_", "\"ts\":\""].iter().filter_map(|mark| Some(rest.find(mark)? + mark.len())).min() {
        masked += &rest[..at];
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || ".:-".contains(c));
    }
    masked + rest
}

#[test]
fn each_policy_runs_as_its_readme_shows() {
    let sections = sections();
    assert_eq!(sections.iter().map(|section| section.policy.clone()).collect::<Vec<_>>(), policies());
    for Section { policy, commands, answers } in sections {
        let [start, requests @ ..] = &commands[..] else { panic!("{policy}") };
        assert_eq!((requests.len(), answers.len()), (2, 2), "{policy}");
        let words: Vec<&str> = start.split(' ').collect();
        let (variables, words): (Vec<&str>, Vec<&str>) = words.into_iter().partition(|word| word.contains('='));
        // The port on the page may be in use.
        let args: Vec<&str> =
            words[1..].iter().map(|word| if *word == "127.0.0.1:8080" { "127.0.0.1:0" } else { word }).collect();
        assert_eq!(
            (words[0], args[0], args[2]),
            ("error-envelope", "gateway", &*format!("examples/policies/{policy}"))
        );
        let mut gateway = command(&args);
        gateway.envs(variables.iter().filter_map(|variable| variable.split_once('=')));
        let mut gateway = Running::of(gateway.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let address = gateway.says("listening on http://");
        for (request, answer) in requests.iter().zip(&answers) {
            let (url, header) = request.split_once(" -H ").map_or((&**request, None), |(url, it)| (url, Some(it)));
            let path = url.strip_prefix("curl http://127.0.0.1:8080").unwrap_or_else(|| panic!("{request}"));
            let header = header.map_or_else(String::new, |header| format!("{}\r\n", header.trim_matches('\'')));
            let got = ask(&address, "GET", path, &header).unwrap();
            let body = got.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(without_run(body), without_run(answer), "{policy}: {request}");
        }
    }
}

#[test]
fn each_policy_has_its_codes_in_each_export() {
    for policy in policies() {
        let path = format!("examples/policies/{policy}");
        let text = fs::read_to_string(repository().join(&path)).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let own = table.get("code").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let mut expected: Vec<String> = own.iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect();
        let groups: &[&str] = if policy == "channels.toml" { &["--group", "channel", "--group", "media"] } else { &[] };
        if !groups.is_empty() {
            let listed = catalogue("json", &path, groups);
            let listed: Value = serde_json::from_str(&listed).unwrap();
            let of_product = |code: &&Value| {
                ["channel", "media", "auth", "quota", "generic"].contains(&code["group"].as_str().unwrap())
            };
            expected.extend(
                listed["codes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(of_product)
                    .map(|code| code["code"].as_str().unwrap().to_owned()),
            );
            assert_eq!(expected.len(), 26, "{expected:?}");
        }
        for format in FORMATS {
            let export = catalogue(format, &path, groups);
            let words: HashSet<&str> = export.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
            let missing: Vec<_> = expected.iter().filter(|code| !words.contains(&***code)).collect();
            assert!(missing.is_empty(), "{policy}, {format}: {missing:?}");
        }
    }
    for format in ["typescript", "zod", "openapi"] {
        let export = catalogue(format, "examples/policies/voice-ai.toml", &[]);
        assert!(export.contains("insufficient_credits") && export.contains("redirect_url"), "{format}");
    }
}

fn catalogue(format: &str, policy: &str, groups: &[&str]) -> String {
    let args = [&["catalogue", "--format", format, "--policy", policy], groups].concat();
    let mut command = command(&args);
    SECRETS.iter().for_each(|name| {
        command.env(name, "0123456789abcdef0123456789abcdef");
    });
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
