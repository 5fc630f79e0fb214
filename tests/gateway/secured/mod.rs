//! Tests TLS on both sides of the gateway: certificates that are replaced, handshakes that do not end, and services
//! with a wrong identity.

mod clients;
mod pair;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use http::Response;

use crate::command::binary;
use crate::holds::gateway::{Folder, Gateway, output_of};
use crate::holds::service::{Service, full};
use crate::wait::{until, when};
use pair::{Pair, Secured, Trust};

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
/// The number of clients that send requests while certificates are replaced.
const CLIENTS: usize = 4;
const REPLACED: usize = 5;
/// The number of clients that begin a handshake, or send nothing.
const SILENT: usize = 64;

fn service() -> Service {
    Service::new(|_| std::future::ready(Response::new(full("done"))))
}

fn secured(service: &Service, folder: &Path, more: &[&str]) -> Gateway {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let tls = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    Gateway::start(service.address, &[&tls, more].concat())
}

#[test]
fn curl_is_answered_over_http1_and_http2_by_alpn() {
    let (service, folder) = (service(), Folder::new("alpn"));
    let pair = Pair::new();
    pair.write(&folder.path(""));
    let gateway = secured(&service, &folder.path(""), &[]);
    let url = format!("https://localhost:{}/", gateway.address.port());
    let certificate = folder.path("tls.crt");
    for (version, spoken) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let args = ["-sS", version, "-w", " %{http_version}", "--cacert", certificate.to_str().unwrap(), &url];
        assert_eq!(output_of("curl", &args), format!("done {spoken}"));
    }
}

#[test]
fn a_certificate_replaced_under_load_is_that_of_the_next_handshake_and_nobody_is_refused() {
    let (folder, pairs) = (Folder::new("replaced"), pairs());
    let place = folder.path("");
    pairs[0].write(&place);
    replaced_under_load(&place, &pairs, |_, pair| pair.rename_to(&place));
}

/// This happens as in Kubernetes: the files are links into a folder that is itself a link, and that link is swapped.
#[test]
fn a_link_swapped_under_load_shows_in_the_next_handshake_and_nobody_is_refused() {
    let (folder, pairs) = (Folder::new("swapped"), pairs());
    let place = folder.path("");
    fs::create_dir(place.join("v0")).unwrap();
    pairs[0].write(&place.join("v0"));
    symlink("v0", place.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), place.join(name)).unwrap();
    }
    replaced_under_load(&place, &pairs, |number, pair| {
        let version = format!("v{number}");
        fs::create_dir(place.join(&version)).unwrap();
        pair.write(&place.join(&version));
        symlink(&version, place.join("..tmp")).unwrap();
        fs::rename(place.join("..tmp"), place.join("..data")).unwrap();
    });
}

/// The certificate is active nevertheless, and each time causes one warning.
#[test]
fn an_expired_certificate_is_a_warning_at_the_start_and_when_it_replaces_another() {
    const WARNING: &str = "the active certificate has expired; replace it";
    let (service, folder) = (service(), Folder::new("expired"));
    let place = folder.path("");
    Pair::expired().write(&place);
    let gateway = secured(&service, &place, &[]);
    let logs = |text: &str, times: usize| {
        until(text, || when(gateway.log_from(0).matches(text).count() == times, gateway.log_from(0)));
    };
    logs(WARNING, 1);
    Pair::new().rename_to(&place);
    logs("reloaded the certificate", 1);
    Pair::expired().rename_to(&place);
    logs("reloaded the certificate", 2);
    logs(WARNING, 2);
    let log = gateway.stopped();
    // The time is once in each warning, and once in the line of the reload.
    assert_eq!(log.matches("2001-01-01T00:00:00Z").count(), 3, "{log}");
    assert_eq!(log.lines().filter(|line| line.contains(WARNING) && line.contains("\"WARN\"")).count(), 2, "{log}");
}

fn pairs() -> Vec<Pair> {
    (0..=REPLACED).map(|_| Pair::new()).collect()
}

#[track_caller]
fn replaced_under_load(place: &Path, pairs: &[Pair], replace: impl Fn(usize, &Pair)) {
    let (service, trust) = (service(), Trust::new(pairs));
    let gateway = secured(&service, place, &[]);
    let requests = under_load(gateway.address, &trust, || {
        for (number, pair) in pairs.iter().enumerate().skip(1) {
            replace(number, pair);
            in_force(gateway.address, &trust, pair);
        }
    });
    assert!(requests > 10 * REPLACED, "clients asked all the while");
    let log = gateway.stopped();
    assert_eq!(log.matches("reloaded the certificate").count(), REPLACED, "{log}");
}

/// Lets clients send requests to `address` while `during` runs. Returns the number of requests.
#[track_caller]
fn under_load(address: SocketAddr, trust: &Trust, during: impl FnOnce()) -> usize {
    let (stop, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    ask(address, trust).expect("an answer");
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Otherwise a failure would wait for the clients.
        let during = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        stop.store(true, Ordering::Relaxed);
        during.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    requests.into_inner()
}

/// Waits until a handshake shows the certificate. After that, every handshake must show it.
#[track_caller]
fn in_force(address: SocketAddr, trust: &Trust, pair: &Pair) {
    until("the certificate stays active", || {
        let shown = ask(address, trust).unwrap();
        when(shown == pair.certificate(), shown)
    });
    for _ in 0..5 {
        assert_eq!(ask(address, trust).unwrap(), pair.certificate());
    }
}

#[test]
fn a_pipe_in_place_of_the_key_stops_nothing_and_a_good_pair_takes_effect_by_itself() {
    let (service, folder) = (service(), Folder::new("piped"));
    let (first, second) = (Pair::new(), Pair::new());
    let trust = Trust::new([&first, &second]);
    let place = folder.path("");
    first.write(&place);
    let gateway = secured(&service, &place, &[]);
    output_of("mkfifo", &[place.join("pipe").to_str().unwrap()]);
    fs::rename(place.join("pipe"), place.join("tls.key")).unwrap();
    gateway.signal("HUP");
    until("the log tells it", || {
        let log = gateway.log_from(0);
        when(log.contains("tls.key: cannot be read: it is a pipe, not a regular file; name a regular file"), log)
    });
    assert_eq!(ask(gateway.address, &trust).unwrap(), first.certificate());
    fs::remove_file(place.join("tls.key")).unwrap();
    second.write(&place);
    in_force(gateway.address, &trust, &second);
    gateway.stopped();
}

#[test]
fn a_pair_that_does_not_fit_leaves_the_old_one_in_force_and_is_logged_once_with_its_file() {
    let (service, folder) = (service(), Folder::new("misfit"));
    let (first, second) = (Pair::new(), Pair::new());
    let trust = Trust::new([&first, &second]);
    let place = folder.path("");
    first.write(&place);
    let gateway = secured(&service, &place, &[]);
    let expected = |what: &str| {
        until("the log tells it", || {
            let log = gateway.log_from(0);
            when(log.contains(what), log)
        })
    };

    fs::write(place.join("tls.crt"), second.pem()).unwrap();
    expected("tls.key: the key does not belong to ");
    gateway.signal("HUP");
    expected("SIGHUP: ");
    assert_eq!(ask(gateway.address, &trust).unwrap(), first.certificate());
    fs::write(place.join("tls.crt"), "no PEM at all").unwrap();
    expected("tls.crt: no certificate can be read");
    fs::write(place.join("tls.key"), format!("-----BEGIN {}-----\nhunter2\n", "PRIVATE KEY")).unwrap();
    fs::remove_file(place.join("tls.crt")).unwrap();
    let log = expected("tls.crt: cannot be read: No such file");
    assert_eq!(ask(gateway.address, &trust).unwrap(), first.certificate());
    assert!(!log.contains("hunter2"), "{log}");
    gateway.signal("HUP");
    second.write(&place);
    in_force(gateway.address, &trust, &second);
    let log = gateway.stopped();
    assert_eq!(log.matches("the key does not belong to ").count(), 1, "{log}");
}

#[test]
fn a_start_with_a_wrong_pair_is_refused_with_what_and_where() {
    let folder = Folder::new("refused");
    let (place, other) = (folder.path(""), folder.path("other"));
    fs::create_dir(&other).unwrap();
    Pair::new().write(&place);
    Pair::new().write(&other);
    fs::write(place.join("none"), "").unwrap();
    let rows = [
        ("tls.crt", "other/tls.key", 1, "the key does not belong to"),
        ("tls.key", "tls.key", 1, "tls.key: no certificate can be read"),
        ("tls.crt", "tls.crt", 1, "tls.crt: no key can be read"),
        ("none", "tls.key", 1, "none: no certificate can be read"),
        ("gone", "tls.key", 2, "gone: cannot be read: No such file"),
    ];
    for (certificate, key, code, expected) in rows {
        let run = std::process::Command::new(binary())
            .args(["gateway", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1"])
            .args(["--tls-cert", certificate, "--tls-key", key])
            .current_dir(&place)
            .output()
            .unwrap();
        let diagnostics = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{diagnostics}");
        assert!(
            diagnostics.contains(expected) && diagnostics.contains(" = help: "),
            "{certificate}, {key}: {diagnostics}"
        );
        assert!(run.stdout.is_empty() && !diagnostics.contains("BEGIN"), "{diagnostics}");
    }
}

#[test]
fn handshakes_hold_nobody_up_and_those_that_do_not_end_are_closed() {
    let (service, folder) = (service(), Folder::new("handshakes"));
    let pair = Pair::new();
    let trust = Trust::new([&pair]);
    pair.write(&folder.path(""));
    let gateway = secured(&service, &folder.path(""), &["--tls-handshake-timeout", "2s"]);
    let silent: Vec<TcpStream> = (0..SILENT)
        .map(|number| {
            let mut client = gateway.connect();
            // This record of a handshake declares a length, but has fewer bytes.
            if number % 2 == 0 {
                client.write_all(&[22, 3, 1, 0, 200, 1]).unwrap();
            }
            client
        })
        .collect();
    assert_eq!(ask(gateway.address, &trust).unwrap(), pair.certificate());
    let still = silent.iter().filter(|client| {
        client.set_nonblocking(true).unwrap();
        let waits = client.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        client.set_nonblocking(false).unwrap();
        waits
    });
    assert!(still.count() > 0, "somebody was served while others had not ended their handshake");
    for mut client in silent {
        let mut rest = Vec::new();
        // A reset is also an end, but a read that times out is not.
        if let Err(error) = client.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
}

#[test]
fn an_https_service_is_known_by_its_certificate_and_a_failure_is_only_logged() {
    let (service, folder) = (service(), Folder::new("upstream"));
    let (pair, other) = (Pair::new(), Pair::new());
    pair.write(&folder.path(""));
    let inner = secured(&service, &folder.path(""), &[]);
    let port = inner.address.port();
    let ca = folder.path("tls.crt").to_str().unwrap().to_owned();
    fs::write(folder.path("other.pem"), other.pem()).unwrap();
    let other = folder.path("other.pem").to_str().unwrap().to_owned();
    let https = |host: &str| format!("https://{host}:{port}");

    for more in [&[][..], &["--upstream-h2"]] {
        let gateway = Gateway::before(&https("localhost"), &[&["--upstream-ca", &ca], more].concat());
        let answer = gateway.ask(GET);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{more:?}: {answer}");
        let named = ["--upstream-ca", &ca, "--upstream-server-name", "localhost"];
        let gateway = Gateway::before(&https("127.0.0.1"), &[&named, more].concat());
        assert!(gateway.ask(GET).ends_with("done"), "{more:?}");
    }

    let wrong = [
        (https("localhost"), other.as_str(), "TLS: invalid peer certificate"),
        (https("127.0.0.1"), &ca, "TLS: invalid peer certificate"),
        // Nobody uses TLS at this address.
        (format!("https://localhost:{}", service.address.port()), &ca, "TLS: "),
    ];
    for (upstream, ca, cause) in wrong {
        let gateway = Gateway::before(&upstream, &["--upstream-ca", ca]);
        let answer = gateway.ask(GET);
        assert!(answer.starts_with("HTTP/1.1 502 "), "{upstream}: {answer}");
        assert!(answer.contains(r#""code":"other""#), "{upstream}: {answer}");
        assert!(!answer.contains("TLS") && !answer.contains("certificate"), "{upstream}: {answer}");
        let log = gateway.stopped();
        assert!(log.contains(cause), "{upstream}: {log}");
    }
}

#[test]
fn a_service_that_does_not_agree_on_http2_is_reported() {
    let (pair, folder) = (Pair::new(), Folder::new("no-h2"));
    pair.write(&folder.path(""));
    let ca = folder.path("tls.crt").to_str().unwrap().to_owned();
    let inner = pair.serve_http1_alone();
    let gateway =
        Gateway::before(&format!("https://localhost:{}", inner.port()), &["--upstream-ca", &ca, "--upstream-h2"]);
    assert!(gateway.ask(GET).starts_with("HTTP/1.1 502 "));
    let log = gateway.stopped();
    assert!(log.contains("TLS: the service does not offer HTTP/2"), "{log}");
}

/// Makes a request over a new connection, and returns the certificate that was shown.
fn ask(address: SocketAddr, trust: &Trust) -> std::io::Result<Vec<u8>> {
    exchange(trust.connect(address)?)
}

fn exchange(mut stream: Secured) -> std::io::Result<Vec<u8>> {
    stream.write_all(GET.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    let shown = stream.conn.peer_certificates().and_then(|chain| chain.first()).expect("a certificate");
    Ok(shown.to_vec())
}
