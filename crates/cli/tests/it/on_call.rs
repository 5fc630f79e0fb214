//! Tests the admin address of a running gateway, and the command that sends requests to it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::kit::{Gateway, PATIENCE, Running, ask, command, run, wait_for};

const SAID: &str = r#"{"message":"Seat 7 is taken"}"#;

/// Starts a service that responds with 409 once it is allowed to, and reports each request.
fn upstream() -> (String, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ((come, came), (go, gone)) = (channel(), channel());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            if come.send(()).is_err() || gone.recv().is_err() {
                return;
            }
            let head = "HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{SAID}", SAID.len());
        }
    });
    (url, came, go)
}

fn get(address: &str, path: &str) -> Option<String> {
    ask(address, "GET", path, "")
}

#[test]
fn a_gateway_that_drains_says_so_until_its_last_answer() {
    let (url, came, go) = upstream();
    let mut gateway = Gateway::start(&url, &[]);
    let is_ready = |admin: &str| get(admin, "/readyz").map(|answer| answer.starts_with("HTTP/1.1 200"));
    assert_eq!(is_ready(&gateway.admin), Some(true));
    let address = gateway.address.clone();
    let in_flight = thread::spawn(move || get(&address, "/seats/7"));
    came.recv_timeout(PATIENCE).unwrap();
    let counted = get(&gateway.admin, "/metrics").unwrap();
    for gauge in ["connections", "streams"] {
        let told = format!("# HELP error_envelope_{gauge} ");
        let one = format!("error_envelope_{gauge}{{protocol=\"http/1\"}} 1\n");
        assert!(counted.contains(&told) && counted.contains(&one), "{counted}");
    }
    gateway.process.is_told_to_end();
    wait_for("it says that it drains", || is_ready(&gateway.admin) == Some(false));
    assert!(get(&gateway.admin, "/healthz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    go.send(()).unwrap();
    let answer = in_flight.join().unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains(r#""code":"conflict""#), "{answer}");
    assert_eq!(gateway.process.ended().code(), Some(0));
    assert_eq!(get(&gateway.admin, "/healthz"), None);
}

#[test]
fn a_service_that_is_down_is_the_first_problem_and_two_lines_of_the_log() {
    // The listener is dropped, so no process listens at this address.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let log = tempfile::NamedTempFile::new().unwrap();
    let url = format!("http://{address}");
    let mut started = command(&["gateway", "--listen", "127.0.0.1:0", "--admin", "0", "--upstream", &url]);
    started.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
    let mut gateway = Gateway::of(Running::of(started.spawn().unwrap()));
    for _ in 0..3 {
        assert!(get(&gateway.address, "/").unwrap().starts_with("HTTP/1.1 502"));
    }
    let problems = |admin: &str| {
        let now = get(admin, "/now.json").unwrap();
        let body = now.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<serde_json::Value>(body).unwrap()["problems"].take()
    };
    let shown = problems(&gateway.admin);
    assert_eq!(shown[0]["what"], format!("The service http://{address} cannot be reached"));
    let text = shown[0]["text"].as_str().unwrap();
    assert!(
        text.contains("3 requests have failed, the last one at ") && text.contains("Its reason: Connection refused"),
        "{text}"
    );

    let listener = TcpListener::bind(address).unwrap();
    let answering = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    assert!(get(&gateway.address, "/").unwrap().starts_with("HTTP/1.1 200"));
    answering.join().unwrap();
    assert_eq!(problems(&gateway.admin), serde_json::json!([]));
    gateway.process.is_told_to_end();
    gateway.process.ended();
    let log = std::fs::read_to_string(log.path()).unwrap();
    let lines = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!((lines("cannot reach the service"), lines("the service can be reached again")), (1, 1), "{log}");
}

#[test]
fn m1_the_kill_switch_of_a_running_gateway_is_turned_on_and_off() {
    let (url, _came, go) = upstream();
    (0..3).for_each(|_| go.send(()).unwrap());
    let gateway = Gateway::start(&url, &[]);
    let switch = |to: &str| {
        let run = run(&["kill-switch", to, "--admin", &gateway.admin]);
        assert_eq!((run.code, &*run.err), (Some(0), ""));
        run.out
    };
    let passes = || get(&gateway.address, "/seats/7").unwrap().ends_with(SAID);
    assert_eq!((&*switch("status"), passes()), ("off: the policy's modes apply\n", false));
    let note = ["--by", "maria", "--reason", "orders loses texts & ids"];
    let on = run(&[&["kill-switch", "on", "--admin", &gateway.admin], &note[..]].concat()).out;
    assert!(on.starts_with("on since 20") && switch("status") == on && passes(), "{on}");
    assert!(on.contains("Z by maria (orders loses texts & ids): every route is in mode off"), "{on}");
    assert!(switch("off").starts_with("off since 20") && !passes());
}

#[test]
fn a_wrong_admin_address_is_named_with_what_is_wrong() {
    let (url, _came, go) = upstream();
    go.send(()).unwrap();
    let cases = [
        (&*url, 1, "returned 409 Conflict without the state of a kill switch"),
        (
            "127.0.0.1:1",
            3,
            "error: cannot reach http://127.0.0.1:1: Connection refused (os error 111)\n = help: use the address",
        ),
        ("ftp://127.0.0.1:9901", 2, "write http://HOST:PORT"),
        ("http://127.0.0.1:9901/kill-switch", 2, "write http://HOST:PORT"),
    ];
    for (admin, code, why) in cases {
        let run = run(&["kill-switch", "on", "--admin", admin]);
        assert!(run.code == Some(code) && run.err.contains(why), "{admin}: {:?} {}", run.code, run.err);
    }
}

#[test]
fn an_error_is_found_by_its_id_in_one_of_several_gateways() {
    let (url, _came, go) = upstream();
    go.send(()).unwrap();
    let gateways: Vec<Gateway> = (0..2).map(|_| Gateway::start(&url, &[])).collect();
    let admins: Vec<&str> = gateways.iter().flat_map(|it| ["--admin", &it.admin]).collect();
    let answer = get(&gateways[1].address, "/seats/7").unwrap();
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    let find = |id: &str, more: &[&str]| run(&[&["find", id], &admins[..], more].concat());
    let found = find(id, &[]);
    assert_eq!((found.code, &*found.err), (Some(0), ""));
    let start = format!("http://{}: 409 conflict at 20", gateways[1].admin);
    assert!(
        found.out.starts_with(&start) && found.out.contains("GET /seats/7, no route, service http://"),
        "{}",
        found.out
    );
    assert!(found.out.ends_with("\n  the service answered 409\n"), "{}", found.out);
    let json: serde_json::Value = serde_json::from_str(&find(id, &["--format", "json"]).out).unwrap();
    let known = |at: usize| json["gateways"][at]["known"].as_array().unwrap().len();
    assert_eq!((&json["id"], known(0), known(1)), (&serde_json::json!(id), 0, 1));
    let unknown = find("req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D", &[]);
    assert!(
        unknown.code == Some(1) && unknown.out.contains("grep -F -e 'req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D' -e '0193"),
        "{}",
        unknown.out
    );
    let gone = run(&["find", id, "--admin", "1"]);
    assert!(
        gone.code == Some(3) && gone.out.is_empty() && gone.err.contains("cannot reach"),
        "{} {}",
        gone.out,
        gone.err
    );
    assert_eq!(run(&["find", "seat-7"]).code, Some(2));
    let partly = find(id, &["--admin", "1"]);
    assert!(partly.code == Some(3) && partly.out.starts_with(&start), "{:?} {}", partly.code, partly.out);
    assert!(partly.err.starts_with("error: cannot reach http://127.0.0.1:1: "), "{}", partly.err);
    let unasked = find("req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D", &["--admin", &url, "--admin", "1"]);
    assert!(unasked.code == Some(1) && unasked.err.contains(&format!("{url}: ")), "{:?} {}", unasked.code, unasked.err);
}

#[test]
fn an_error_is_found_by_the_trace_of_its_client() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (url, _came, go) = upstream();
    go.send(()).unwrap();
    let gateway = Gateway::start(&url, &[]);
    let traceparent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    assert!(ask(&gateway.address, "GET", "/seats/7", &traceparent).unwrap().starts_with("HTTP/1.1 409"));
    let found = run(&["find", TRACE, "--admin", &gateway.admin]);
    assert!(found.code == Some(0) && found.out.contains(": 409 conflict at 20"), "{:?} {}", found.code, found.out);
}

#[test]
fn l5_a_request_whose_client_left_is_found_with_its_path_and_service() {
    let (url, came, _go) = upstream();
    let gateway = Gateway::start(&url, &[]);
    let mut client = TcpStream::connect(&gateway.address).unwrap();
    write!(client, "GET /seats/7 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    came.recv_timeout(PATIENCE).unwrap();
    drop(client);
    let left = || {
        let found = get(&gateway.admin, "/errors.json?search=client_left").unwrap();
        let found: serde_json::Value = serde_json::from_str(found.split_once("\r\n\r\n").unwrap().1).unwrap();
        found["errors"][0]["id"].as_str().map(str::to_owned)
    };
    wait_for("its record is closed", || left().is_some());
    let found = run(&["find", &left().unwrap(), "--admin", &gateway.admin]);
    assert_eq!((found.code, &*found.err), (Some(0), ""));
    for part in
        ["no response, client left, at 20", "GET /seats/7, no route, service http://", "no error: the client left"]
    {
        assert!(found.out.contains(part), "{part} in {}", found.out);
    }
}

#[test]
fn an_admin_address_with_tls_serves_the_verbs_that_trust_its_certificate() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (certificate, key) = (file("cert.pem", cert.pem()), file("key.pem", signing_key.serialize_pem()));
    let flags = ["gateway", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--admin", "0"];
    let tls = ["--admin-tls-cert", &certificate, "--admin-tls-key", &key];
    let mut gateway = Running::start(&[&flags[..], &tls].concat());
    gateway.says("listening on http://");
    let admin = gateway.says("admin on https://127.0.0.1:");
    let switch = |scheme: &str, more: &[&str]| {
        let url = format!("{scheme}://localhost:{admin}");
        run(&[&["kill-switch", "status", "--admin", &url], more].concat())
    };
    let trusting = switch("https", &["--admin-ca", &certificate]);
    assert_eq!((trusting.code, &*trusting.out), (Some(0), "off: the policy's modes apply\n"), "{}", trusting.err);
    let strange = switch("https", &[]);
    assert!(strange.code == Some(3) && strange.err.contains("TLS: invalid peer certificate"), "{}", strange.err);
    assert_eq!(switch("http", &[]).code, Some(1));
}

fn signal(process: &Running, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn one_command_switches_several_gateways_and_names_those_that_did_not_answer() {
    let (url, _came, _go) = upstream();
    let gateways: Vec<Gateway> = (0..3).map(|_| Gateway::start(&url, &[])).collect();
    let admins: Vec<&str> = gateways.iter().flat_map(|it| ["--admin", &it.admin]).collect();
    let switch = |to: &str, format: &str| {
        run(&[&["kill-switch", to, "--timeout", "1s", "--by", "maria", "--format", format], &admins[..]].concat())
    };
    let url = |at: usize| format!("http://{}", gateways[at].admin);
    // The system still accepts connections for the stopped process.
    signal(&gateways[1].process, "-STOP");
    for to in ["on", "off"] {
        let done = switch(to, "human");
        assert_eq!(
            (done.code, done.err),
            (Some(1), format!("error: {}: no response within 1s\n", url(1))),
            "{}",
            done.out
        );
        let lines: Vec<&str> = done.out.lines().collect();
        let is_done = |line: &str, at| line.starts_with(&format!("{}: {to} since 20", url(at)));
        assert!(is_done(lines[0], 0) && lines[0].contains(" by maria") && is_done(lines[1], 2), "{}", done.out);
        assert_eq!(lines[2..], ["3 gateways: 2 done, 1 failed"]);
    }
    let told: serde_json::Value = serde_json::from_str(&switch("status", "json").out).unwrap();
    let of = |at: usize| &told["gateways"][at];
    assert_eq!(
        (&told["failed"], &of(1)["ok"], &of(1)["error"]),
        (&1.into(), &false.into(), &"no response within 1s".into())
    );
    assert_eq!(
        (&of(0)["admin"], &of(0)["kill_switch"], &of(2)["changed_by"]),
        (&url(0).into(), &false.into(), &"maria".into())
    );
    signal(&gateways[1].process, "-CONT");
    wait_for("it answers again", || switch("status", "human").code == Some(0));
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts a gateway, and returns it with the lines of its log from now on.
fn logged(args: &[&str], variables: &[(&str, &str)]) -> (Running, Receiver<String>) {
    let service = if args.contains(&"--upstream") { &[][..] } else { &["--upstream", "http://127.0.0.1:1"] };
    let mut command = crate::kit::command(&[&["gateway", "--listen", "127.0.0.1:0"], service, args].concat());
    command.envs(variables.iter().copied()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (log, lines) = channel();
    let errors = BufReader::new(child.stderr.take().unwrap()).lines();
    thread::spawn(move || errors.map_while(Result::ok).try_for_each(|line| log.send(line)));
    (Running::of(child), lines)
}

fn line_with(lines: &Receiver<String>, text: &str) -> String {
    let next = || lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line has {text:?}"));
    std::iter::repeat_with(next).find(|line| line.contains(text)).unwrap()
}

#[test]
fn a_change_needs_the_token_and_the_log_has_its_sender() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("admin-token");
    let wrong = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    std::fs::write(&wrong, TOKEN.replace('0', "z")).unwrap();
    let [file, wrong] = [file.to_str().unwrap(), wrong.to_str().unwrap()];
    let (mut process, lines) = logged(&["--admin", "0", "--admin-token-file", file, "--log", "json"], &[]);
    let (_, admin) = (process.says("listening on http://"), process.says("admin on http://"));
    let switch = |to: &str, more: &[&str]| {
        run(&[&["kill-switch", to, "--admin", &admin, "--by", "maria", "--reason", "orders"], more].concat())
    };
    for (more, has_token) in [(&[][..], false), (&["--admin-token-file", wrong], true)] {
        let refused = switch("on", more);
        assert!(refused.code == Some(1) && refused.err.contains("use --admin-token-file"), "{}", refused.err);
        let line = line_with(&lines, "rejected a request");
        assert!(
            line.contains(&format!(r#""has_token":{has_token}"#)) && line.contains(r#""client_address":"127.0.0.1""#),
            "{line}"
        );
        assert!(!line.contains("zzz"), "{line}");
    }
    assert_eq!(switch("on", &["--admin-token-file", file]).code, Some(0));
    let line = line_with(&lines, "kill switch turned on");
    for field in [r#""claimed_by":"maria""#, r#""claimed_reason":"orders""#, r#""client_address":"127.0.0.1""#] {
        assert!(line.contains(field), "{field} in {line}");
    }
    assert!(get(&admin, "/now.json").unwrap().starts_with("HTTP/1.1 401"));
    let now = ask(&admin, "GET", "/now.json", &format!("authorization: Bearer {TOKEN}\r\n")).unwrap();
    for part in [r#""changed_by": "maria""#, r#""client_address": "127.0.0.1""#, r#""reason": "orders""#] {
        assert!(now.contains(part), "{part} in {now}");
    }
    assert!(now.contains(&format!(", process {}", process.id())), "{now}");
}

#[test]
fn a_gateway_starts_with_the_switch_on_by_flag_or_variable() {
    for (args, variables) in [
        (&["--admin", "0", "--kill-switch"][..], &[][..]),
        (&["--admin", "0"], &[("ERROR_ENVELOPE_KILL_SWITCH", "on"), ("ERROR_ENVELOPE_KILL_SWTICH", "on")]),
    ] {
        let (mut process, lines) = logged(args, variables);
        let (_, admin) = (process.says("listening on http://"), process.says("admin on http://"));
        let status = run(&["kill-switch", "status", "--admin", &admin]).out;
        assert!(status.starts_with("on since ") && status.contains("(--kill-switch at the start)"), "{status}");
        if !variables.is_empty() {
            line_with(&lines, "variable=\"ERROR_ENVELOPE_KILL_SWTICH\"");
        }
    }
}

#[test]
fn l1_a_line_of_the_access_log_has_the_names_of_the_error_log_and_the_caller() {
    let (url, _came, go) = upstream();
    (0..2).for_each(|_| go.send(()).unwrap());
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("callers.toml");
    // printf %s trial-key-1 | sha256sum
    let digest = "2689dea79b707f313df3fdd8897920e49a824b0c812ac462f2ed63a261fbb0ce";
    let policy = format!(
        "version = 1\n[auth.app]\nscheme = \"header\"\nheader = \"x-api-key\"\n[[auth.app.keys]]\nid = \"acme\"\nsha256 = \"{digest}\"\n\
         [[route]]\nmatch = \"/seats/{{id}}\"\nauth = [\"app\"]\n"
    );
    std::fs::write(&file, policy).unwrap();
    let args = ["--upstream", &url, "--policy", file.to_str().unwrap(), "--access-log", "stdout", "--log", "json"];
    let (mut process, lines) = logged(&args, &[]);
    let address = process.says("listening on http://");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(&line_with(&lines, text)).unwrap();
    let mut access = || serde_json::from_str::<serde_json::Value>(&process.says("")).unwrap();
    ask(&address, "GET", "/seats/7", "x-api-key: trial-key-1\r\n").unwrap();
    let (error, line) = (json("\"request failed\""), access());
    assert_eq!((&line["caller"], &line["outcome"]), (&"acme".into(), &"client_error".into()));
    for name in ["request_id", "code", "status", "route", "method", "upstream"] {
        assert_eq!(line[name], error["fields"][name], "{name}: {line} {error}");
    }
    assert_eq!(line["client_address"], error["span"]["client_address"]);
    assert!(!line.to_string().contains("trial-key-1") && line["timestamp"].is_string(), "{line}");
    ask(&address, "GET", "/seats/7", "x-api-key: another\r\n").unwrap();
    let (refused, line) = (json("\"request refused\""), access());
    assert_eq!((&line["caller"], &line["upstream"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(refused["fields"]["cause"], "scheme app: invalid credentials");
}
