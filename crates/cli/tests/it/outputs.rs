//! Tests files that the command writes, including pipes and devices. The command never waits until a process reads a
//! pipe.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;

use crate::files::{mkfifo, run_limited};
use crate::kit::{Gateway, ask, wait_for};

#[test]
fn an_access_log_that_is_a_pipe_needs_a_reader_and_is_written_once_it_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe);
    let at = pipe.to_str().unwrap();
    for line in [
        &format!("gateway --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 --access-log {at}"),
        &format!("demo --once --tour-json {at}"),
    ] {
        let run = run_limited(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let why = format!("{at}: no process reads this pipe; start its reader first, or name a file");
        assert!(run.code == Some(2) && run.err.contains(&why), "{line}: {:?} {}", run.code, run.err);
    }
    // The pipe is opened without waiting for a writer. `cat` would wait.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let reader = OpenOptions::new().read(true).custom_flags(nonblock).open(&pipe).unwrap();
    let gateway = Gateway::start("http://127.0.0.1:1", &["--access-log", at]);
    ask(&gateway.address, "GET", "/into-the-pipe", "").unwrap();
    let (mut lines, mut line) = (BufReader::new(reader), String::new());
    wait_for("the line in the pipe", || lines.read_line(&mut line).is_ok_and(|length| length > 0));
    assert!(line.contains("\"path\":\"/into-the-pipe\""), "{line}");
}

#[test]
fn an_access_log_may_be_a_character_device_and_standard_output_by_either_name() {
    drop(Gateway::start("http://127.0.0.1:1", &["--access-log", "/dev/null"]));
    for name in ["stdout", "/dev/stdout"] {
        let mut gateway = Gateway::start("http://127.0.0.1:1", &["--access-log", name]);
        ask(&gateway.address, "GET", "/there", "").unwrap();
        assert!(gateway.process.says("{").contains("\"path\":\"/there\""), "{name}");
    }
}

#[test]
fn an_access_log_that_is_a_folder_or_a_socket_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    drop(UnixListener::bind(&socket).unwrap());
    for (path, why) in [(folder.path(), "Is a directory"), (&*socket, "it is not a file, a character device or a pipe")]
    {
        let line =
            format!("gateway --listen 127.0.0.1:0 --upstream http://127.0.0.1:1 --access-log {}", path.display());
        let run = run_limited(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let why = format!("error: --access-log: {}: {why}", path.display());
        assert!(run.code == Some(2) && run.err.starts_with(&why), "{:?} {}", run.code, run.err);
    }
}
