//! Tests manual pages and completions with the tools that read them, if these are installed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::kit::{run, verbs};

fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn each_verb_has_a_page_that_man_reads_without_a_warning() {
    let dir = std::env::temp_dir().join(format!("error-envelope-man-{}", std::process::id()));
    let written = run(&["man", "--dir", dir.to_str().unwrap()]);
    assert_eq!((written.code, written.out.as_str(), written.err.as_str()), (Some(0), "", ""));
    let mut pages: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    let mut expected: Vec<_> = verbs().iter().map(|verb| format!("error-envelope-{verb}.1")).collect();
    expected.push("error-envelope.1".to_owned());
    expected.sort();
    assert_eq!(pages, expected);
    assert!(pages.len() > 5, "{pages:?}");
    for page in &pages {
        let text = fs::read_to_string(dir.join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page:?}");
        if has("man") {
            let man =
                Command::new("man").args(["--warnings", "-l", "-Tutf8", "-Z"]).arg(dir.join(page)).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&man.stderr), "", "{page:?}");
        }
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn without_a_folder_the_first_page_is_written() {
    let page = run(&["man"]);
    assert_eq!((page.code, page.err.as_str()), (Some(0), ""));
    assert!(verbs().iter().all(|verb| page.out.contains(&verb.replace('-', "\\-"))), "{}", page.out);
}

#[test]
fn a_folder_that_cannot_be_made_exits_2() {
    let none = run(&["man", "--dir", "Cargo.toml/man"]);
    assert_eq!((none.code, none.out.as_str()), (Some(2), ""));
    assert!(none.err.starts_with("error: Cargo.toml/man: cannot create the folder: "), "{}", none.err);
}

#[test]
fn each_shell_completes_each_verb() {
    for (shell, check) in
        [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["-n"]), ("elvish", &[]), ("powershell", &[])]
    {
        let script = run(&["completions", shell]);
        assert_eq!((script.code, script.err.as_str()), (Some(0), ""), "{shell}");
        assert!(verbs().iter().all(|verb| script.out.contains(verb.as_str())), "{shell}");
        if !check.is_empty() && has(shell) {
            let mut reads = Command::new(shell).args(check).stdin(Stdio::piped()).spawn().unwrap();
            reads.stdin.take().unwrap().write_all(script.out.as_bytes()).unwrap();
            assert!(reads.wait().unwrap().success(), "{shell}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn what_is_written_replaces_what_was_there() {
    let dir: PathBuf = std::env::temp_dir().join(format!("error-envelope-man-again-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("error-envelope.1"), "old").unwrap();
    assert_eq!(run(&["man", "--dir", dir.to_str().unwrap()]).code, Some(0));
    assert!(fs::read_to_string(dir.join("error-envelope.1")).unwrap().contains(".TH"));
    let left =
        fs::read_dir(&dir).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension() != Some("1".as_ref()));
    assert_eq!(left.count(), 0, "nothing half written is left");
    fs::remove_dir_all(dir).unwrap();
}
