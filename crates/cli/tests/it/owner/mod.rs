//! Runs `manual/owner.md` command by command: a reader sees what the page shows. It also tests hostile input, which the
//! page does not show.

mod explain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::repository;

const PAGE: &str = include_str!("../../../../../manual/owner.md");

/// A new folder with the files of the page. It is removed when dropped.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn with_files() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for entry in fs::read_dir(files()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs a line of a shell, and returns its output and its exit code.
    pub(crate) fn sh(&self, line: &str) -> (String, String, i32) {
        let binary = Path::new(env!("CARGO_BIN_EXE_error-envelope")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let output =
            Command::new("sh").args(["-c", line]).current_dir(self.0.path()).env("PATH", path).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }
}

pub(crate) fn files() -> PathBuf {
    repository().join("crates/cli/tests/owner")
}

#[test]
fn each_command_of_the_manual_writes_what_it_shows() {
    let folder = Folder::with_files();
    let (mut ran, mut code) = (0, 0);
    for block in PAGE.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for command in block.split("$ ").skip(1) {
            let (line, shown) = command.split_once('\n').unwrap();
            let (out, err, ended) = folder.sh(&format!("(exit {code}); {line}"));
            assert_eq!(err, "", "{line}");
            assert!(fits(shown, &out), "$ {line}\n--- the page\n{shown}\n--- it wrote\n{out}");
            (ran, code) = (ran + usize::from(line.starts_with("error-envelope ")), ended);
        }
    }
    assert_eq!(ran, 8, "a command of the page was not seen");
}

/// Compares the output with the text on the page. In that text, a line with only `…` matches any number of lines.
fn fits(shown: &str, out: &str) -> bool {
    let mut rest = out;
    let parts: Vec<&str> = shown.split("…\n").collect();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        let found = match at {
            0 => rest.starts_with(part).then_some(0),
            _ if is_last => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let Some(found) = found else { return false };
        rest = &rest[found + part.len()..];
    }
    parts.len() > 1 || rest.is_empty()
}

#[test]
fn init_from_nothing_passes_check() {
    let folder = Folder::with_files();
    let (out, err, code) = folder.sh("error-envelope init --output policy.toml && error-envelope check policy.toml");
    let said = "wrote policy.toml: a policy in mode observe\n1 file: no errors, no warnings, no notes\n";
    assert_eq!((out.as_str(), err.as_str(), code), (said, "", 0));
    let (out, err, code) = folder.sh("error-envelope init --output policy.toml");
    assert_eq!((out.as_str(), code), ("", 2));
    assert_eq!(err, "error: policy.toml: the file already exists; name another file, or remove it\n");
}

#[test]
fn what_cannot_be_read_exits_2_and_writes_nothing() {
    let folder = Folder::with_files();
    folder.put("empty", "");
    folder.put("binary", [0xff, 0xfe, 0x00, 0x0a]);
    folder.put("policy.toml", "version = 1\n");
    folder.put("broken.toml", "version = 1\nmode = 1\n");
    for (line, code, told) in [
        ("explain none.http", 2, "none.http: cannot be read: "),
        ("explain empty", 2, "empty:1: the file is empty"),
        ("explain binary", 2, "binary:1: not an HTTP message"),
        ("explain policy.toml", 2, "policy.toml:1: not an HTTP message"),
        ("explain express.http --request empty", 2, "empty:1: the file is empty"),
        ("explain express.http --policy broken.toml", 1, "broken.toml:2: mode: "),
        ("explain express.http --policy none.toml", 2, "none.toml: error: cannot be read"),
        ("init --output none/policy.toml", 2, "none/policy.toml: cannot be written: "),
    ] {
        let (out, err, ended) = folder.sh(&format!("error-envelope {line}"));
        assert_eq!((out.as_str(), ended), ("", code), "{line}: {err}");
        assert!(err.strip_prefix("error: ").unwrap_or(&err).starts_with(told), "{line}: {err}");
    }
}

#[test]
fn l3_nothing_that_may_be_secret_is_shown() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 Not Found\r\nset-cookie: s=hunter2\r\nx-token: hunter2\r\n\r\n");
    folder.put(
        "a.request.http",
        "GET /a?key=hunter2 HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer hunter2\r\ncookie: hunter2\r\n\r\n",
    );
    for line in ["explain a.http", "explain a.http --format json"] {
        let (out, err, _) = folder.sh(&format!("error-envelope {line}"));
        assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{line}: {out}{err}");
        assert!(out.contains("/a"), "{line}: {out}");
    }
}

#[test]
fn a_response_cannot_command_the_terminal() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 No\r\ncontent-type: text/plain\r\n\r\n\u{1b}]0;owned\u{7}\u{1b}[2J");
    let (out, _, code) = folder.sh("error-envelope --color always explain a.http");
    assert_eq!(code, 0);
    assert!(!out.contains(['\u{1b}', '\u{7}']), "{out}");
}
