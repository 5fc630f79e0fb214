//! Runs the command as a process, with all its views.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::entry::Entry;
use super::plan::policy;
use super::views::{Views, lines, series};
use crate::wait::{TOO_LONG, until, when};

/// A process of the command. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: PathBuf,
}

impl Process {
    /// Starts the process with these words, and with a policy that has each guard in each mode.
    pub(crate) fn start(name: &str, words: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("ledger-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("policy.toml");
        fs::write(&file, policy()).expect("a file");
        let mut command = Command::new(crate::command::binary());
        command.args(words).args(["--listen", "127.0.0.1:0", "--admin", "0", "--log", "json", "--policy"]).arg(file);
        if words[0] == "gateway" {
            command.arg("--access-log").arg(folder.join("access.json"));
        }
        let log = fs::File::create(folder.join("log.json")).expect("a file");
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut address = |prefix: &str| {
            let mut line = String::new();
            output.read_line(&mut line).expect("text");
            line.trim().strip_prefix(prefix).and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
        };
        let (address, admin) = (address("listening on http://"), address("admin on http://"));
        Self { child, address, admin, folder }
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.admin).expect("the admin address");
        stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            self.admin
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask("GET", path)).expect("JSON")
    }

    /// Returns the views, once all requests of the ledger are counted and their lines are written.
    pub(crate) fn views(&self, ledger: &[Entry]) -> Views {
        let metrics = || series(&self.ask("GET", "/metrics"));
        until("all requests are counted", || {
            let views = Views { metrics: metrics(), ..Views::default() };
            let counted = views.sums("error_envelope_requests_total", &[]).values().sum::<i64>();
            when(counted >= ledger.len() as i64, counted)
        });
        let text = |name: &str| fs::read_to_string(self.folder.join(name)).expect("a log");
        let access =
            |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect() };
        let has_access = self.folder.join("access.json").exists();
        if has_access {
            until("all lines are written", || {
                let count = text("access.json").lines().count();
                when(count >= ledger.len(), count)
            });
        }
        let ids = ledger.iter().filter(|entry| entry.outcome() != "ok").filter_map(Entry::id);
        let step = (ledger.len() / 300).max(1);
        let found = ids.step_by(step).map(|id| (id.to_owned(), self.json(&format!("/errors.json?search={id}"))));
        Views {
            is_blind: !has_access,
            found: found.collect(),
            lines: lines(&text("log.json"), "tower_error_envelope"),
            access: has_access.then(|| access(&text("access.json"))),
            metrics: metrics(),
            errors: self.json("/errors.json"),
            now: self.json("/now.json"),
            readiness: self.json("/readiness.json"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
