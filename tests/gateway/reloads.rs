//! Tests a gateway under requests whose policy files are not regular files, or change all the time (M2).

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use http::Response;

use crate::holds::gateway::{Folder, Gateway, ended};
use crate::holds::service::{Service, full};
use crate::wait::{until, when};

const TAKEN: &str = "reloaded the policy";
const RELOADS: usize = 10_000;

/// A gateway with a policy in a folder, in front of a service that responds to everything with 200.
struct Watching {
    gateway: Gateway,
    folder: Folder,
    _service: Service,
}

/// Returns a policy that closes `/admin`, and limits bodies to this size.
fn closing(limit: usize) -> String {
    let sha256 = "507636717dd889c4aca6e55fac6880c0e096f0160c1c940da0564f39301c6537";
    format!(
        "version = 1\n[defaults]\nbody_limit = {limit}\n[auth.app]\nscheme = \"bearer\"\n\
         keys = [{{ id = \"app\", sha256 = \"{sha256}\" }}]\n[[route]]\nmatch = \"/admin/{{*rest}}\"\n{AUTH}"
    )
}

const AUTH: &str = "auth = [\"app\"]\n";

impl Watching {
    fn start(name: &str) -> Self {
        let service = Service::new(|_| std::future::ready(Response::new(full("done"))));
        let folder = Folder::new(name);
        let policy = folder.path("policy.toml");
        fs::write(&policy, closing(1)).unwrap();
        let gateway =
            Gateway::start(service.address, &["--admin", "127.0.0.1:0", "--policy", policy.to_str().unwrap()]);
        Self { gateway, folder, _service: service }
    }

    fn policy(&self) -> PathBuf {
        self.folder.path("policy.toml")
    }

    fn replace(&self, text: &str) {
        fs::write(self.folder.path("new"), text).unwrap();
        fs::rename(self.folder.path("new"), self.policy()).unwrap();
    }

    /// Checks the conditions that apply under every policy of these tests.
    #[track_caller]
    fn expect_closed(&self) {
        let requests = |path: &str| {
            let answer =
                self.gateway.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"));
            answer.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3)).unwrap_or("none").to_owned()
        };
        assert_eq!((&*requests("/admin/x"), &*requests("/open")), ("401", "200"));
    }

    #[track_caller]
    fn until_log(&self, start: usize, text: &str) {
        until(&format!("the log has {text:?}"), || {
            self.expect_closed();
            let log = self.gateway.log_from(start);
            when(log.contains(text), log)
        });
    }

    fn log_length(&self) -> usize {
        self.gateway.log_from(0).len()
    }
}

/// A load balancer sends no client to a gateway that would refuse each token with 503.
#[test]
fn g2_a_gateway_is_not_ready_while_a_key_set_was_never_fetched() {
    let service = Service::new(|_| std::future::ready(Response::new(full("done"))));
    let folder = Folder::new("never-fetched");
    let policy = folder.path("policy.toml");
    let auth = "scheme = \"jwt\"\njwks_url = \"https://127.0.0.1:1/keys?a=b\"\nalgorithms = [\"RS256\"]";
    fs::write(&policy, format!("version = 1\n[auth.id]\n{auth}\n[defaults]\nauth = [\"id\"]\n")).unwrap();
    let gateway = Gateway::before(&service.url(), &["--policy", policy.to_str().unwrap(), "--admin", "0"]);
    let answer = gateway.ask_admin("GET", "/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nwaiting for the key set at https://127.0.0.1:1/keys\n"), "{answer}");
    fs::write(&policy, "version = 1\n").unwrap();
    until("it needs no key set", || {
        let answer = gateway.ask_admin("GET", "/readyz");
        when(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ready\n"), answer)
    });
}

#[test]
fn m2_a_pipe_in_place_of_the_policy_stops_nothing_and_a_good_file_takes_effect_by_itself() {
    let it = Watching::start("pipe");
    assert!(Command::new("mkfifo").arg(it.folder.path("pipe")).status().unwrap().success());
    fs::rename(it.folder.path("pipe"), it.policy()).unwrap();
    it.gateway.signal("HUP");
    it.until_log(0, "SIGHUP: reload failed");
    assert!(it.gateway.log_from(0).contains("it is a pipe, not a regular file"));
    for path in ["/policy", "/kill-switch", "/readyz", "/metrics"] {
        let answer = it.gateway.ask_admin("GET", path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(path != "/policy" || answer.contains("it is a pipe"), "{answer}");
    }
    let start = it.log_length();
    it.replace(&closing(2));
    it.until_log(start, TAKEN);
    it.gateway.stopped();
}

#[test]
fn m3_ten_thousand_reloads_under_load_fail_no_request_and_pile_nothing_up() {
    let it = Watching::start("reloads");
    it.expect_closed();
    let (threads, descriptors) = (it.gateway.threads(), it.gateway.descriptors());
    let (stop, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut signals = it.hang_up(RELOADS);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    it.expect_closed();
                    requests.fetch_add(2, Ordering::Relaxed);
                }
            });
        }
        for reload in 0..RELOADS {
            it.replace(&closing(1 + reload % 2));
        }
        let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ended(&mut signals).success()));
        stop.store(true, Ordering::Relaxed);
        assert!(sent.is_ok_and(|sent| sent));
    });
    it.replace(&closing(3));
    until("the last policy stays active", || {
        let policy = it.gateway.ask_admin("GET", "/policy");
        when(policy.contains("\"body_limit\": 3,"), policy)
    });
    until("no thread or descriptor is left over", || {
        let now = (it.gateway.threads(), it.gateway.descriptors());
        when(now.0 <= threads + 2 && now.1 <= descriptors + 8, now)
    });
    println!("{} requests beside {RELOADS} reloads", requests.into_inner());
    it.gateway.stopped();
}

impl Watching {
    /// Sends this many signals with the shell's own `kill`.
    fn hang_up(&self, times: usize) -> Child {
        let script =
            format!("i=0; while [ $i -lt {times} ]; do kill -HUP {} || exit 1; i=$((i+1)); done", self.gateway.id());
        Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("a shell")
    }
}
