//! Tests the manual's roll-out with the gateway and its embedded service: a reader sees what the page shows.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::command::binary;
use crate::wait::{until, when};

const PAGE: &str = include_str!("../../manual/rolling-out.md");
/// The table's columns.
const PATHS: [&str; 5] = ["/express", "/html-502", "/success-flag", "/early-hints", "/ok"];
/// The table's rows: the file of the step, and the mode that it gets if the manual states it.
const STEPS: [(&str, &str, Option<&str>); 6] = [
    ("1. observe", "1-observe.toml", None),
    ("2. map", "2-map.toml", None),
    ("3. own", "2-map.toml", Some("own")),
    ("4. fill", "2-map.toml", Some("fill")),
    ("5. one route", "5-one-route.toml", None),
    ("6. enforce", "6-enforce.toml", None),
];

#[test]
fn each_policy_of_the_manual_is_its_file_and_each_file_is_shown() {
    let mut shown = Vec::new();
    let blocks: Vec<&str> = PAGE.split("```toml\n").collect();
    for pair in blocks.windows(2) {
        let file = pair[0].lines().last().and_then(|line| line.strip_prefix("<!-- ")?.strip_suffix(" -->"));
        let file = file.unwrap_or_else(|| panic!("a policy without its file: {}", pair[1]));
        let (block, _) = pair[1].split_once("```").expect("a policy ends");
        assert_eq!(block, fs::read_to_string(root().join(file)).unwrap(), "{file}");
        shown.push(root().join(file));
    }
    let mut files: Vec<_> = fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path()).collect();
    shown.sort();
    files.sort();
    assert_eq!(shown, files);
}

#[test]
fn each_step_of_the_manual_gives_what_it_says() {
    let gateway = Gateway::start();
    let mut bare = Vec::new();
    for (number, (step, file, mode)) in STEPS.into_iter().enumerate() {
        if number > 0 {
            gateway.replace(&policy(file, mode), "reloaded the policy");
        }
        let start = gateway.log().len();
        let answers = PATHS.map(|path| gateway.ask(path));
        if number == 0 {
            bare = answers.iter().map(|answer| answer.body.clone()).collect();
        }
        let cells = answers.iter().zip(&bare).map(|(answer, bare)| answer.cell(bare));
        let row = format!("| {step} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
        assert!(PAGE.contains(&row), "the manual does not say\n{row}");
        for line in lines_of(number) {
            gateway.until_logged(start, &line);
        }
    }
    // The key that the policy knows still opens the route.
    assert_eq!(gateway.ask_with("/ok", "x-api-key: demo-key-0123456789\r\n").status, "200");

    gateway.replace(&policy("6-enforce.toml", Some("enforced")), &lines_of(STEPS.len())[0]);
    assert_eq!(gateway.ask("/success-flag").code.as_deref(), Some("not_found"));
    gateway.replace(&policy("5-one-route.toml", None), "reloaded the policy");
    assert_eq!(gateway.ask("/success-flag").body, bare[2]);
}

/// Returns the lines of the log that the manual shows at a step, or for a refusal after the last step.
fn lines_of(step: usize) -> Vec<String> {
    let shown: Vec<&str> = PAGE.split("```text\n").skip(1).filter_map(|block| block.split('\n').next()).collect();
    let [express, ok, refused] = shown[..] else { panic!("{} lines of a log", shown.len()) };
    let shown = match step {
        0 => vec![express.to_owned()],
        1 => vec![express.replace("conflict", "name_taken").replace(r#"by="status""#, r#"by="rule""#)],
        2 => vec![ok.to_owned()],
        6 => vec![refused.to_owned()],
        _ => Vec::new(),
    };
    shown.iter().map(|line| without_id(line)).collect()
}

fn without_id(text: &str) -> String {
    let without = |word: &str| if word.starts_with("request_id=") { "request_id".to_owned() } else { word.to_owned() };
    text.split(' ').map(without).collect::<Vec<_>>().join(" ")
}

fn policy(file: &str, mode: Option<&str>) -> String {
    let text = fs::read_to_string(examples().join(file)).unwrap();
    let Some(mode) = mode else { return text };
    let (before, after) = text.split_once("mode = \"").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    format!("{before}mode = \"{mode}\"{after}")
}

struct Answer {
    status: String,
    code: Option<String>,
    body: String,
}

impl Answer {
    /// Returns the cell of the table.
    fn cell(&self, bare: &str) -> String {
        match &self.code {
            Some(code) => format!("{} `{code}`", self.status),
            None => {
                assert_eq!(self.body, bare);
                format!("{} unchanged", self.status)
            }
        }
    }
}

/// The gateway with `rollout/policy.toml` in its own folder, which is removed with it.
struct Gateway {
    process: Child,
    address: String,
    folder: PathBuf,
    log: Arc<Mutex<String>>,
}

impl Gateway {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("envelope-rollout-{}", std::process::id()));
        fs::create_dir_all(folder.join("rollout")).unwrap();
        for entry in fs::read_dir(examples()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.join("rollout").join(path.file_name().unwrap())).unwrap();
        }
        fs::copy(folder.join("rollout/1-observe.toml"), folder.join("rollout/policy.toml")).unwrap();
        let mut process = Command::new(binary())
            .args(["demo", "--listen", "127.0.0.1:0", "--policy", "rollout/policy.toml"])
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<String>>::default();
        let (errors, written) = (process.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                *written.lock().unwrap() += &format!("{line}\n");
            }
        });
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        // The tour's table is also written there, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address, folder, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    #[track_caller]
    fn until_logged(&self, start: usize, line: &str) {
        until(&format!("the log says {line}"), || {
            let log = without_id(&self.log()[start..]);
            when(log.contains(line), log)
        });
    }

    /// Renames another file to the policy's name, and waits until the log mentions it.
    #[track_caller]
    fn replace(&self, policy: &str, logged: &str) {
        let start = self.log().len();
        fs::write(self.folder.join("new.toml"), policy).unwrap();
        fs::rename(self.folder.join("new.toml"), self.folder.join("rollout/policy.toml")).unwrap();
        self.until_logged(start, logged);
    }

    fn ask(&self, path: &str) -> Answer {
        self.ask_with(path, "")
    }

    fn ask_with(&self, path: &str, header: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{header}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        assert!(value("x-request-id: ").is_some(), "{head}");
        let status = head.split(' ').nth(1).unwrap().to_owned();
        Answer { status, code: value("x-error-code: "), body: body.to_owned() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn examples() -> PathBuf {
    root().join("examples/rollout")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
