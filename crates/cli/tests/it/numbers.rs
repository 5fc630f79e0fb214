//! Tests the counts of a running gateway, and its access log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::kit::{Gateway, ask, wait_for, wait_for_value};

fn metrics(gateway: &Gateway) -> String {
    ask(&gateway.admin, "GET", "/metrics", "").unwrap()
}

/// Starts a service. `/missing` returns 404, `/switch` switches protocols and echoes, `/never` sends nothing, and
/// `/broken` cuts off its body. Every other path returns `hello`.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| drop(thread::spawn(move || serve(stream.unwrap())))));
    url
}

fn serve(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let first = head(&mut reader)?;
        if first.contains(" /never") {
            let _ = reader.read(&mut [0]);
            return None;
        }
        if first.contains(" /switch") {
            write!(stream, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").ok()?;
            std::io::copy(&mut reader, &mut stream).ok()?;
            return None;
        }
        if first.contains(" /broken") {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello").ok()?;
            return None;
        }
        let (status, body) = if first.contains(" /missing") { ("404 Not Found", "") } else { ("200 OK", "hello") };
        let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).ok()?;
    }
}

/// Reads a head, and returns its first line.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut lines = reader.lines();
    let first = lines.next()?.ok()?;
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    Some(first)
}

/// Waits until a file has `count` lines, and returns them.
fn lines(file: &Path, count: usize) -> Vec<String> {
    wait_for_value(&format!("{count} lines"), || {
        let text = std::fs::read_to_string(file).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (text.ends_with('\n') && lines.len() >= count).then_some(lines)
    })
}

fn line(file: &Path, number: usize) -> Value {
    serde_json::from_str(&lines(file, number)[number - 1]).unwrap()
}

fn policy(folder: &Path) -> String {
    let file = folder.join("policy.toml");
    std::fs::write(&file, "version = 1\n[[route]]\nmatch = \"/seats/{id}\"\n").unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn l2_every_request_is_counted_by_route_method_and_status_class_and_timed() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(&upstream(), &["--policy", &policy(folder.path())]);
    for (method, target) in [("GET", "/seats/7"), ("POST", "/seats/8"), ("GET", "/missing"), ("BREW", "/pot")] {
        ask(&gateway.address, method, target, "content-length: 0\r\n");
    }
    let counted = metrics(&gateway);
    for line in [
        r#"error_envelope_requests_total{route="/seats/{id}",method="GET",scope="none",status_class="2xx",outcome="ok",grpc_status="none"} 1"#,
        r#"error_envelope_requests_total{route="/seats/{id}",method="POST",scope="none",status_class="2xx",outcome="ok",grpc_status="none"} 1"#,
        r#"error_envelope_requests_total{route="none",method="GET",scope="none",status_class="4xx",outcome="client_error",grpc_status="none"} 1"#,
        r#"error_envelope_requests_total{route="none",method="other",scope="none",status_class="2xx",outcome="ok",grpc_status="none"} 1"#,
        r#"error_envelope_response_head_seconds_count{route="/seats/{id}",method="GET",scope="none",status_class="2xx"} 1"#,
        r#"error_envelope_request_duration_seconds_bucket{route="/seats/{id}",method="GET",scope="none",status_class="2xx",le="30"} 1"#,
        r#"error_envelope_response_head_seconds_bucket{route="/seats/{id}",method="GET",scope="none",status_class="2xx",le="30"} 1"#,
        r#"error_envelope_response_body_bytes_total{route="/seats/{id}",method="GET",scope="none"} 5"#,
        concat!(r#"error_envelope_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        "error_envelope_upstream_queued_requests{upstream=",
        "error_envelope_upstream_requests_total{upstream=",
        "# TYPE process_cpu_seconds_total counter",
        "process_open_fds ",
        "process_resident_memory_bytes ",
        "process_start_time_seconds ",
    ] {
        assert!(counted.contains(line), "{line}\n{counted}");
    }
}

#[test]
fn l2_requests_and_errors_have_their_scope_and_the_active_policy_its_hash() {
    let folder = tempfile::tempdir().unwrap();
    let file = policy(folder.path());
    let scope = "version = 1\n[scope]\nhosts = [\"127.0.0.1\"]\nprefix = \"/missing\"\n";
    std::fs::write(folder.path().join("a.toml"), scope).unwrap();
    let text = "version = 1\ninclude = [\"a.toml\"]\n";
    std::fs::write(&file, text).unwrap();
    let gateway = Gateway::start(&upstream(), &["--policy", &file]);
    ask(&gateway.address, "GET", "/missing", "");
    let counted = metrics(&gateway);
    for line in [
        r#"error_envelope_requests_total{route="none",method="GET",scope="127.0.0.1/missing",status_class="4xx",outcome="client_error",grpc_status="none"} 1"#,
        r#"origin="inner",route="none",scope="127.0.0.1/missing",mode="enforce""#,
    ] {
        assert!(counted.contains(line), "{line}\n{counted}");
    }
    // One policy is active, before a reload and after it.
    let active = |counted: &str| -> Vec<String> {
        let infos = counted.lines().filter(|line| line.starts_with("error_envelope_policy_info{hash=\""));
        infos.filter(|line| line.ends_with(" 1")).map(str::to_owned).collect()
    };
    let before = active(&counted);
    assert_eq!(before.len(), 1, "{counted}");
    let next = folder.path().join("next.toml");
    std::fs::write(&next, text.to_owned() + "[defaults]\nmode = \"own\"\n").unwrap();
    std::fs::rename(next, &file).unwrap();
    wait_for("the next policy is active", || {
        let after = active(&metrics(&gateway));
        after.len() == 1 && after != before
    });
}

#[test]
fn l2_what_clients_send_makes_no_new_series() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(&upstream(), &["--policy", &policy(folder.path())]);
    let series = || metrics(&gateway).lines().filter(|line| line.starts_with("error_envelope_")).count();
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut ask = |number: usize| {
        for first in [format!("M{number} /seats/{number}"), format!("GET /{number}/x")] {
            let request = format!("{first} HTTP/1.1\r\nhost: h{number}.example\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            assert!(head(&mut reader).unwrap().contains("200"));
            reader.read_exact(&mut [0; 5]).unwrap();
        }
    };
    ask(0);
    let before = series();
    (1..2_000).for_each(ask);
    assert_eq!(series(), before);
}

#[test]
fn the_access_log_has_a_line_for_each_request_without_its_query_or_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let service = upstream();
    let args = ["--access-log", file.to_str().unwrap(), "--policy", &policy(folder.path())];
    let gateway = Gateway::start(&service, &args);
    let credentials = "authorization: Bearer s3cr3t\r\ncookie: s3cr3t\r\nuser-agent: a\"\u{202e}b\r\n";
    let answer = ask(&gateway.address, "GET", "/seats/7?token=s3cr3t", credentials).unwrap();
    let first = line(&file, 1);
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    for (field, value) in [
        ("request_id", id),
        ("method", "GET"),
        ("path", "/seats/7"),
        ("route", "/seats/{id}"),
        ("outcome", "ok"),
        ("end", "complete"),
        ("client_address", "127.0.0.1"),
        ("user_agent", "a\"\\u{202e}b"),
        ("host", &gateway.address),
        ("protocol", "HTTP/1.1"),
        ("upstream", &service),
    ] {
        assert_eq!(first[field], value, "{field}: {first}");
    }
    assert_eq!((&first["status"], &first["response_bytes"], &first["code"]), (&200.into(), &5.into(), &Value::Null));
    assert!(first["duration_ms"].as_f64().unwrap() > 0.0 && first["timestamp"].as_str().unwrap().ends_with('Z'));

    ask(&gateway.address, "POST", "/missing", "content-length: 0\r\n");
    let second = line(&file, 2);
    assert_eq!((&second["status"], &second["code"]), (&404.into(), &"not_found".into()), "{second}");
    assert!(!std::fs::read_to_string(&file).unwrap().contains("s3cr3t"));
}

#[test]
fn the_access_log_says_of_a_client_that_left_and_of_an_upgrade_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let gateway = Gateway::start(&upstream(), &["--access-log", file.to_str().unwrap(), "--upgrade", "Echo"]);
    let mut leaving = TcpStream::connect(&gateway.address).unwrap();
    write!(leaving, "GET /never HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    wait_for("it is in flight", || metrics(&gateway).contains("streams{protocol=\"http/1\"} 1"));
    drop(leaving);
    let left = line(&file, 1);
    assert_eq!((&left["status"], &left["outcome"]), (&Value::Null, &"client_left".into()), "{left}");
    assert!(left["request_id"].is_string(), "{left}");

    let upgraded = || {
        let mut upgraded = TcpStream::connect(&gateway.address).unwrap();
        write!(upgraded, "GET /switch HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").unwrap();
        let mut reader = BufReader::new(upgraded.try_clone().unwrap());
        assert!(head(&mut reader).unwrap().contains("101"));
        write!(upgraded, "12345678").unwrap();
        (upgraded, reader)
    };
    let (upgraded_client, mut reader) = upgraded();
    reader.read_exact(&mut [0; 8]).unwrap();
    upgraded_client.shutdown(Shutdown::Write).unwrap();
    let switched = line(&file, 2);
    let bytes = (&switched["request_bytes"], &switched["response_bytes"]);
    assert_eq!((&switched["status"], bytes), (&101.into(), (&8.into(), &8.into())), "{switched}");
    assert_eq!(switched["end"], "complete", "{switched}");

    // A close with unread bytes resets the connection.
    let (resets, reader) = upgraded();
    assert_eq!(resets.peek(&mut [0; 1]).unwrap(), 1);
    drop((resets, reader));
    let reset = line(&file, 3);
    assert_eq!((&reset["status"], &reset["end"]), (&101.into(), &"client_left".into()), "{reset}");
}

/// The test truncates the file as `logrotate` does with `copytruncate`.
#[test]
fn an_access_log_that_is_truncated_goes_on_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let gateway = Gateway::start(&upstream(), &["--access-log", file.to_str().unwrap()]);
    ask(&gateway.address, "GET", "/a", "");
    assert_eq!(line(&file, 1)["path"], "/a");
    std::fs::File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    ask(&gateway.address, "GET", "/b", "");
    assert_eq!(line(&file, 1)["path"], "/b");
    assert_eq!(lines(&file, 1).len(), 1);
}

#[test]
fn signals_for_other_servers_end_nothing() {
    let gateway = Gateway::start(&upstream(), &[]);
    for signal in ["USR1", "USR2", "HUP"] {
        gateway.process.is_sent(signal);
        assert!(ask(&gateway.address, "GET", "/a", "").unwrap().ends_with("hello"), "{signal}");
    }
}

#[test]
fn an_access_log_on_a_full_disk_costs_lines_that_are_counted_and_no_request() {
    let gateway = Gateway::start(&upstream(), &["--access-log", "/dev/full"]);
    let dropped = |lines: u32| metrics(&gateway).contains(&format!("access_log_dropped_total {lines}\n"));
    assert!(dropped(0));
    for _ in 0..20 {
        assert!(ask(&gateway.address, "GET", "/a", "").unwrap().ends_with("hello"));
    }
    wait_for("they are counted", || dropped(20));
}

#[test]
fn a_stop_writes_the_last_lines_of_the_access_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let mut gateway = Gateway::start(&upstream(), &["--access-log", file.to_str().unwrap()]);
    ask(&gateway.address, "GET", "/a?b", "");
    gateway.process.is_told_to_end();
    assert_eq!(gateway.process.ended().code(), Some(0));
    assert_eq!(line(&file, 1)["path"], "/a");
}

/// Returns curl's output for a response over HTTP/2.
fn curl_http2(address: &str, target: &str) -> String {
    let mut curl = Command::new("curl");
    let output = curl.args(["-s", "--http2-prior-knowledge", &format!("http://{address}{target}")]).output();
    String::from_utf8(output.expect("curl is installed").stdout).unwrap()
}

#[test]
fn the_access_log_has_requests_over_http2_and_what_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let gateway = Gateway::start(&upstream(), &["--access-log", file.to_str().unwrap()]);
    assert_eq!(curl_http2(&gateway.address, "/a?b=c"), "hello");
    let first = line(&file, 1);
    let bytes = (&first["request_bytes"], &first["response_bytes"]);
    assert_eq!((&first["protocol"], &first["path"], bytes), (&"HTTP/2.0".into(), &"/a".into(), (&0.into(), &5.into())));
    assert_eq!((&first["outcome"], &first["host"]), (&"ok".into(), &gateway.address.clone().into()), "{first}");

    curl_http2(&gateway.address, "/broken");
    ask(&gateway.address, "GET", "/broken", "");
    for (number, protocol) in [(2, "HTTP/2.0"), (3, "HTTP/1.1")] {
        let broken = line(&file, number);
        assert_eq!((&broken["outcome"], &broken["status"]), (&"broken".into(), &200.into()), "{broken}");
        assert_eq!((&broken["protocol"], &broken["response_bytes"]), (&protocol.into(), &5.into()), "{broken}");
    }
}

/// Standard output is a pipe that nobody reads during the requests. After about fifty lines, the pipe is full.
#[test]
fn an_access_log_that_is_read_slowly_delays_no_request() {
    const REQUESTS: usize = 200;
    let mut gateway = Gateway::start(&upstream(), &["--access-log", "stdout"]);
    let path = format!("/{}", "x".repeat(1000));
    for _ in 0..REQUESTS {
        assert!(ask(&gateway.address, "GET", &path, "").unwrap().ends_with("hello"));
    }
    assert!(metrics(&gateway).contains("access_log_dropped_total 0\n"), "they wait");
    for _ in 0..REQUESTS {
        assert!(gateway.process.says("{\"timestamp\":").contains("\"path\":\"/xxx"));
    }
}
