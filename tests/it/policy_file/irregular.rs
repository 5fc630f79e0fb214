//! Tests paths that should be a file of a policy, and are no regular file (M2). They are refused at once: the reader
//! never waits for them, and never reads them to their end.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tower_error_envelope::policy::PolicyLoader;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

/// A name, a function that makes such a file at a path, and the fault.
type Irregular = (&'static str, fn(&Path), &'static str);

const IRREGULAR: [Irregular; 7] = [
    ("a folder", |path| fs::create_dir(path).unwrap(), "cannot be read: it is a folder, not a regular file"),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap()), "cannot be read: it is a socket, not a regular file"),
    ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()), PIPE),
    ("a device", |path| symlink("/dev/zero", path).unwrap(), "cannot be read: it is a device, not a regular file"),
    ("a link to nothing", |path| symlink("gone", path).unwrap(), "cannot be read: No such file or directory"),
    ("100 MB", |path| fs::File::create(path).unwrap().set_len(100_000_000).unwrap(), "is larger than 4 MiB"),
    ("a byte too much", |path| fs::write(path, vec![b'\n'; (4 << 20) + 1]).unwrap(), "is larger than 4 MiB"),
];
const PIPE: &str = "cannot be read: it is a pipe, not a regular file";

/// Makes an empty folder of this name.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("services")).unwrap();
    folder
}

#[test]
fn m2_what_is_no_regular_file_is_refused_as_a_policy_an_included_file_and_a_file_of_keys() {
    let including = "version = 1\ninclude = [\"services/*.toml\"]\n";
    let naming = "version = 1\ninclude = [\"services/orders.toml\"]\n";
    let keys = "version = 1\n[auth.a]\nscheme = \"bearer\"\nkeys_file = \"keys.toml\"\n";
    for (what, make, wrong) in IRREGULAR {
        let at = folder("policy-irregular");
        for (place, policy) in [
            ("policy.toml", None),
            ("services/orders.toml", Some(including)),
            ("services/orders.toml", Some(naming)),
            ("keys.toml", Some(keys)),
        ] {
            // A wildcard finds no folder, and a folder that is included by name has another error.
            if place.starts_with("services")
                && (what == "a folder" || what == "a link to nothing" && policy == Some(naming))
            {
                continue;
            }
            let (policy_file, place) = (at.join("policy.toml"), at.join(place));
            if let Some(text) = policy {
                fs::write(&policy_file, text).unwrap();
            }
            make(&place);
            let error = PolicyLoader::new().load(&policy_file).unwrap_err().to_string();
            assert!(error.contains(wrong), "{what}: {error}");
            let error = ErrorEnvelopeLayer::watch(&policy_file).unwrap_err().to_string();
            assert!(error.contains(wrong), "{what}, at a start: {error}");
            fs::remove_file(&place).or_else(|_| fs::remove_dir(&place)).unwrap();
        }
    }
}

/// A page is small: a file of more than 64 KiB is not read.
#[test]
fn m2_a_page_is_a_regular_file_of_at_most_64_kib() {
    let at = folder("policy-page");
    let (policy, page) = (at.join("policy.toml"), at.join("page.html"));
    fs::write(&policy, "version = 1\n[defaults]\nhtml = \"page.html\"\n").unwrap();
    let refused = || PolicyLoader::new().load(&policy).unwrap_err().to_string();
    for (what, make, wrong) in IRREGULAR {
        make(&page);
        let (error, wrong) = (refused(), wrong.replace("4 MiB", "64 KiB"));
        assert!(error.contains("policy.toml:3: defaults.html: ") && error.contains(&wrong), "{what}: {error}");
        fs::remove_file(&page).or_else(|_| fs::remove_dir(&page)).unwrap();
    }
    for (length, is_read) in [(64 << 10, true), ((64 << 10) + 1, false), (10_000_000, false)] {
        fs::write(&page, vec![b' '; length]).unwrap();
        let read = PolicyLoader::new().load(&policy);
        assert_eq!(read.is_ok(), is_read, "{length} bytes");
        let error = read.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(is_read || error.contains("page.html is larger than 64 KiB; name a readable UTF-8 file"), "{error}");
    }
    fs::write(&page, b"<p>\xff").unwrap();
    assert!(refused().contains("page.html is not UTF-8"), "{}", refused());
}

#[test]
fn m2_a_file_of_four_mebibytes_is_read() {
    let path = folder("policy-largest").join("policy.toml");
    let mut text = b"version = 1\n".to_vec();
    text.resize(4 << 20, b'\n');
    fs::write(&path, text).unwrap();
    assert!(Policy::from_file(&path).is_ok());
}

/// A standard input that is a file is accepted.
#[test]
fn m2_a_pipe_as_standard_input_is_refused() {
    let binary = crate::command::binary();
    let mut check = Command::new(binary);
    check.args(["check", "/dev/stdin"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let output = check.spawn().unwrap().wait_with_output().unwrap();
    let stderr_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr_text.contains(PIPE), "{:?} {stderr_text}", output.status);
}

#[test]
fn m2_a_name_with_a_line_break_leaves_an_error_on_one_line() {
    let policy = folder("policy-with-a-line-break").join("policy.toml");
    fs::write(&policy, "version = 1\ninclude = [\"services/\\n.toml\"]\n").unwrap();
    let error = PolicyLoader::new().load(&policy).unwrap_err().to_string();
    assert!(error.contains("services/\\n.toml is not a file") && !error.contains('\n'), "{error}");
}
