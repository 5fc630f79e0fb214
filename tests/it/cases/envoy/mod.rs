//! Runs Envoy with the module between a raw upstream and a raw client, over HTTP/1 or HTTP/2, as the gateway is run.
//!
//! `ENVOY` names the binary. The configuration is the command's own, except for paths: the cases test paths as they
//! were sent (G0), and Envoy would normalise these before the module sees them.

mod answering;
mod asking;
mod differs;
mod holds;
mod on_call;
mod operators;
mod paths;
mod processor;
mod processor_failures;
mod service;

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::drive::{Driver, Outcome};
use super::format::{Case, Fails};
use super::gateway::{self, Session};
use super::policy::Folder;
use super::process::{Proxy, collect};
use super::wire::response_in;
use crate::wait::{until, when};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Envoy {
    Http1,
    Http2,
}

pub(super) use self::differs::difference;
pub(super) use self::processor::ExtProc;

impl Driver for Envoy {
    type Session = Option<Session<Running>>;

    fn name(&self) -> &'static str {
        match self {
            Self::Http1 => "envoy-h1",
            Self::Http2 => "envoy-h2",
        }
    }

    fn lots(&self, cases: Vec<Case>) -> Vec<Vec<Case>> {
        gateway::lots(cases)
    }

    fn run(&self, session: &mut Self::Session, case: &Case) -> Outcome {
        let http2 = *self == Self::Http2;
        match gateway::not_here(case, http2).or_else(|| not_by_envoy(case)) {
            Some(why) => Outcome::NotMine(why),
            None => gateway::run(session, case, http2),
        }
    }
}

/// Rows whose text is the reason phrase of a response with a body.
const OF_REASON_PHRASES: [&str; 10] = [
    "world-reason-phrase/null-data",
    "world-reason-phrase/empty-object",
    "world-reason-phrase/numbers-alone",
    "reason-phrases-beside-json/beside-issues",
    "reason-phrases-beside-json/empty-list",
    "reason-phrases-beside-json/null",
    "reason-phrases-beside-json/a-code-alone",
    "reason-phrases-beside-json/nan",
    "reason-phrases-beside-json/coded-as-text",
    "reason-phrases-beside-json/a-secret",
];

/// Methods of the cases that its codec does not know.
const UNKNOWN_TO_ENVOY: [&str; 2] = ["FOO", "QUERY"];

/// Returns the reason if Envoy decides the result of this case without the module.
fn not_by_envoy(case: &Case) -> Option<&'static str> {
    let (inner, request) = (&case.inner, &case.request);
    let no_head = inner.raw().is_some_and(|raw| response_in(&raw).is_none());
    let passes = |body: &Option<String>| matches!(body.as_deref(), Some("aborted" | "inner"));
    let ends_as_it_came = case.alternatives.iter().any(|expect| passes(&expect.body));
    let logs = |text: &str| case.alternatives.iter().any(|expect| expect.log_has.iter().any(|have| have == text));
    let lines = |name: &str| inner.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name)).count();
    let sent = request.raw().map(|raw| String::from_utf8_lossy(&raw).into_owned());
    let target = sent.as_deref().and_then(|sent| sent.split(' ').nth(1)).unwrap_or(request.path());
    let is_path = target.starts_with('/') || target.starts_with("http://");
    let upgrades = inner.status == Some(426) && lines("upgrade") > 0;
    [
        (inner.fails == Some(Fails::Refused) || no_head, "Envoy: a failure of its own has its own status (V2)"),
        (breaks_off(case) && !ends_as_it_came, "Envoy: it ends by itself what breaks off behind a head (V3, F4)"),
        (lines("vary") > 1 || lines("cache-control") > 1, "Envoy: it joins the lines of `vary` and `cache-control`"),
        (case.name == "text-without-a-type/two-types", "Envoy: it joins two content types"),
        (logs("upstream=http"), "Envoy: it does not tell the service's address"),
        (!is_path, "Envoy: it refuses a target that is no path (V2)"),
        (
            request.method().contains(char::is_lowercase) || UNKNOWN_TO_ENVOY.contains(&request.method()),
            "Envoy: it refuses the method (V2)",
        ),
        (case.limits_its_service(), "Envoy: its routes have the time limits of services"),
        (inner.drops.is_some(), "its connections to the service are Envoy's own"),
        (upgrades, "Envoy: it takes `upgrade` off a response"),
        (case.name == "no-preflight/another-method", "Envoy: it refuses the method (V2)"),
        (
            case.name.starts_with("no-preflight/") && request.has_header("upgrade")
                || case.name.starts_with("door-upgrade/"),
            "an `upgrade` that Envoy does not serve reaches neither the module nor the service",
        ),
        (
            case.name == "reason-phrase/own-words"
                || case.name.starts_with("reason-phrases/")
                || OF_REASON_PHRASES.contains(&&*case.name),
            "a module of Envoy's sees no reason phrase",
        ),
        (case.name == "record-client/bad-chunk-later", "Envoy: it skips what stands between a chunk and its line end"),
        (case.name == "drain-budget/type", "Envoy: it closes behind a request that is not whole (V4)"),
    ]
    .into_iter()
    .find_map(|(applies, why)| applies.then_some(why))
}

/// Returns true if the service's body breaks off.
fn breaks_off(case: &Case) -> bool {
    let raw = || case.inner.raw().and_then(|raw| response_in(&raw));
    case.inner.cut_after.is_some()
        || case.inner.fails == Some(Fails::ErrorInBody)
        || matches!(raw(), Some((.., whole)) if !whole)
}

/// A process of Envoy.
pub(super) struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<u8>>>,
    collecting: Option<JoinHandle<()>>,
    folder: Folder,
}

impl Proxy for Running {
    fn start(case: &Case, upstream: SocketAddr) -> Result<Self, String> {
        let folder = Folder::with(case);
        let policy = case.policy_file.as_ref().map_or_else(|| folder.policy(), |file| case.folder.join(file));
        let config = configuration(&policy, upstream);
        Self::start_with(case, folder, &config)
    }
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn log_from(&self, start: usize) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned();
        // Envoy writes levels in this form.
        [("[info]", "INFO"), ("[warning]", "WARN"), ("[error]", "ERROR"), ("[debug]", "DEBUG")]
            .iter()
            .fold(text, |text, (theirs, ours)| text.replace(theirs, ours))
    }

    fn log_length(&self) -> usize {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn reload(&self, policy: &str) {
        let start = self.log_length();
        // The file is replaced at once, because half of a policy may be a valid policy.
        self.folder.write("policy.toml.new", policy);
        let named = |name: &str| self.folder.path().join(name);
        std::fs::rename(named("policy.toml.new"), named("policy.toml")).expect("the same folder");
        until("the log speaks of the reload", || {
            let log = self.log_from(start);
            when(log.contains("reload") || log.contains("rejected"), log)
        });
    }

    fn end(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success(), "kill {pid}");
        until("Envoy ends", || self.child.try_wait().expect("a child").ok_or_else(|| self.log_from(0)));
        if let Some(collecting) = self.collecting.take() {
            collecting.join().expect("no panic while reading");
        }
    }
}

impl Running {
    /// Starts Envoy with this configuration.
    fn start_with(case: &Case, folder: Folder, text: &str) -> Result<Self, String> {
        let config = folder.path().join("envoy.yaml");
        std::fs::write(&config, text).expect("a temporary folder");
        let admin = folder.path().join("admin");
        let mut command = Command::new(std::env::var_os("ENVOY").expect("ENVOY names the binary of Envoy"));
        command.arg("-c").arg(&config).arg("--admin-address-path").arg(&admin);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"]);
        command.args(["--component-log-level", "dynamic_modules:trace"]);
        // Lines appear in the access log at once.
        command.args(["--file-flush-interval-msec", "50"]);
        command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", profile()).envs(&case.env);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Envoy starts");
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let collecting = collect(child.stderr.take().expect("piped"), log.clone());
        let address = until("Envoy listens, or has refused its configuration", || {
            let text = String::from_utf8_lossy(&log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
            // Envoy has printed its last line. Occasionally, its process does not end after that.
            match child.try_wait().expect("a child").is_some() || text.contains("initializing config '") {
                true => Ok(None),
                false => listening(&admin).map(Some).ok_or(text),
            }
        });
        let mut running =
            Self { child, address: SocketAddr::from(([0; 4], 0)), log, collecting: Some(collecting), folder };
        match address {
            Some(address) => {
                running.address = address;
                Ok(running)
            }
            None => {
                let _ = running.child.kill();
                running.collecting.take().map(JoinHandle::join);
                Err(running.log_from(0).replace(&*running.folder.path().to_string_lossy(), ""))
            }
        }
    }

    /// Returns the counters of this module, in Prometheus's format.
    fn counters(&self) -> Vec<String> {
        let admin = self.folder.path().join("admin");
        let text = administration(&admin, "/stats?format=prometheus&filter=error_envelope").expect("Envoy lives");
        text.lines().filter(|line| line.starts_with("envoy_dynamicmodulescustom")).map(str::to_owned).collect()
    }

    /// Returns Envoy's memory in KiB, and its number of open files.
    fn holds(&self) -> (u64, usize) {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = std::fs::read_to_string(process.join("status")).expect("Envoy runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        let resident = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        (resident, std::fs::read_dir(process.join("fd")).expect("Envoy runs").count())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns `target/<profile>`, which has the module and the command.
fn profile() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    test.parent().and_then(Path::parent).expect("target/<profile>/deps").to_owned()
}

fn configuration(policy: &Path, upstream: SocketAddr) -> String {
    // Envoy itself must refuse here what the command refuses.
    as_sent(&written(policy, upstream).unwrap_or_else(|| with_refused(policy, upstream)))
}

/// Adds the settings that the cases need for paths and for HTTP/1.0.
fn as_sent(text: &str) -> String {
    let as_sent = [
        ("normalize_path: true", "normalize_path: false"),
        ("merge_slashes: true", "merge_slashes: false"),
        ("UNESCAPE_AND_REDIRECT", "KEEP_UNCHANGED"),
        ("[ { upgrade_type: websocket } ]", "[ { upgrade_type: websocket }, { upgrade_type: echo } ]"),
        // This is not the default, where Envoy responds 426 because HTTP/1.0 has no `host`.
        (
            "enable_trailers: true }\n          upgrade",
            "enable_trailers: true, accept_http_10: true, default_host_for_http_10: test.example }\n          upgrade",
        ),
    ];
    as_sent.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the configuration says {from}");
        text.replace(from, to)
    })
}

fn written(policy: &Path, upstream: SocketAddr) -> Option<String> {
    written_with(policy, upstream, &[])
}

/// Returns the configuration that the command writes with these further words.
fn written_with(policy: &Path, upstream: SocketAddr, more: &[&str]) -> Option<String> {
    let mut command = Command::new(profile().join("error-envelope"));
    command.args(["envoy-config", "--listen", "127.0.0.1:0", "--envoy-admin", "127.0.0.1:0"]);
    command.args(["--upstream", &upstream.to_string(), "--policy"]).arg(policy).args(more);
    let output = command.output().expect("`cargo build -p error-envelope-cli` makes it");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the configuration of a valid policy, with this policy in its place.
fn with_refused(policy: &Path, upstream: SocketAddr) -> String {
    let right = policy.with_file_name("right.toml");
    std::fs::write(&right, "version = 1\n").expect("a temporary folder");
    let text = written(&right, upstream).expect("a policy that is right");
    text.replace(&*right.to_string_lossy(), &policy.to_string_lossy())
}

/// Returns what Envoy's administration interface shows at this path.
fn administration(admin: &Path, path: &str) -> Option<String> {
    let admin: SocketAddr = std::fs::read_to_string(admin).ok()?.trim().parse().ok()?;
    let mut stream = TcpStream::connect(admin).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    BufReader::new(stream).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Returns the address where Envoy listens, once its administration interface shows it.
fn listening(admin: &Path) -> Option<SocketAddr> {
    let text = administration(admin, "/listeners")?;
    let (_, address) = text.split_once("edge::")?;
    address.lines().next()?.trim().parse().ok()
}
