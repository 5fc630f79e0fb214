//! Tests that the command refuses files that are not regular files at once, and names them (M2).

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::kit::{Run, repository};

/// Every flag and argument that names a file to read. `FILE` is replaced by that file, and `OK` by a valid policy.
const READERS: [&str; 31] = [
    "check FILE",
    "check --format json FILE",
    "check --policy OK FILE",
    "check --policy FILE OK",
    "check --effective GET / FILE",
    "check OUTER",
    "diff OK FILE",
    "diff FILE OK",
    "catalogue --policy FILE",
    "catalogue --diff FILE",
    "envoy-config --listen 127.0.0.1:0 --upstream 127.0.0.1:1 --policy FILE",
    "explain FILE",
    "explain --policy FILE RESPONSE",
    "explain --request FILE RESPONSE",
    "probe --policy FILE http://127.0.0.1:1",
    "probe --ca FILE https://127.0.0.1:1",
    "find --admin-ca FILE --admin https://127.0.0.1:1 req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
    "kill-switch --admin-token-file FILE --admin 127.0.0.1:1 status",
    "gateway UPSTREAM --policy FILE",
    "gateway UPSTREAM --tls-cert FILE --tls-key OK",
    "gateway UPSTREAM --tls-cert CERT --tls-key FILE",
    "gateway UPSTREAM --tls-cert CERT --tls-key KEY --tls-client-ca FILE",
    "gateway --listen 127.0.0.1:0 --upstream https://127.0.0.1:1 --upstream-ca FILE",
    "gateway --listen 127.0.0.1:0 --upstream https://127.0.0.1:1 --upstream-client-cert FILE --upstream-client-key OK",
    "gateway UPSTREAM --admin 0 --admin-token-file FILE",
    "gateway UPSTREAM --admin 0 --admin-tls-cert FILE --admin-tls-key OK",
    "gateway UPSTREAM --admin 0 --admin-journal FILE",
    "ext-proc --listen 127.0.0.1:0 --policy FILE",
    "error-backend --listen 127.0.0.1:0 --policy FILE",
    "demo --once --policy FILE",
    "diff SCOPED OK",
];

type Make = fn(&Path);

/// Files that would block the command or fill its memory. The tests of policy files also cover the other kinds.
const IRREGULAR: [(&str, Make); 3] = [
    ("a pipe", |path| mkfifo(path)),
    ("a device", |path| symlink("/dev/zero", path).unwrap()),
    ("larger than ", |path| File::create(path).unwrap().set_len(100 << 20).unwrap()),
];

pub(crate) fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Runs the command with a limit of 5 seconds and 2 GiB of address space. If the command blocks, its exit code is 124.
pub(crate) fn run_limited(words: &[String]) -> Run {
    let limits = "ulimit -v 2097152; exec timeout 5 \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limits, env!("CARGO_BIN_EXE_error-envelope")]).args(words).current_dir(repository());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

fn words(line: &str, folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    let word = |word: &str| match word {
        "FILE" => vec![at("irregular")],
        "OK" => vec![at("ok.toml")],
        "OUTER" => vec![at("outer.toml")],
        "SCOPED" => vec![at("keys.toml")],
        "RESPONSE" => vec!["crates/cli/tests/owner/express.http".to_owned()],
        "CERT" => vec![at("cert.pem")],
        "KEY" => vec![at("key.pem")],
        "UPSTREAM" => ["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1"].map(str::to_owned).into(),
        word => vec![word.to_owned()],
    };
    line.split(' ').flat_map(word).collect()
}

fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("ok.toml", "version = 1\n");
    write("outer.toml", "version = 1\ninclude = [\"irregular\"]\n");
    write("keys.toml", "version = 1\n[auth.a]\nscheme = \"bearer\"\nkeys_file = \"irregular\"\n");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("cert.pem", &certified.cert.pem());
    write("key.pem", &certified.signing_key.serialize_pem());
    folder
}

#[test]
fn m2_a_file_that_is_no_regular_file_is_refused_at_once_with_its_name() {
    let folder = prepared();
    let file = folder.path().join("irregular");
    let mut wrong = Vec::new();
    for (what, make) in IRREGULAR {
        make(&file);
        for line in READERS {
            let run = run_limited(&words(line, folder.path()));
            let said = run.out + &run.err;
            let is_named = said.contains("irregular") || line.contains("SCOPED") && said.contains("keys_file");
            // `check --policy` may report that the file is not a part of the policy, because it cannot be read.
            let is_told = said.contains(what) || line.starts_with("check --policy");
            if !matches!(run.code, Some(1 | 2)) || !is_named || !is_told {
                wrong.push(format!("{what}: {line}: {:?} {said}", run.code));
            }
        }
        fs::remove_file(&file).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_standard_input_without_an_end_is_refused_at_its_limit() {
    for verb in ["check", "explain", "catalogue --diff"] {
        let limits = format!("ulimit -v 2097152; exec timeout 5 \"$0\" {verb} - < /dev/zero");
        let output = Command::new("sh").args(["-c", &limits, env!("CARGO_BIN_EXE_error-envelope")]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("larger than"), "{verb}: {said}");
    }
}
