//! Measures the cost of the module inside Envoy, and of the external processor. Each pair of runs compares an Envoy
//! without them with an Envoy that has one addition. The addition is a module that does nothing, the module, or the
//! processor. The order alternates, and the origin is a separate process. `run` in this folder builds what it needs.
//! The module `rewrite.c` decides nothing, and only writes another head and body. It shows how long Envoy itself needs
//! for these changes.
//!
//! In addition to the throughput, it reports the CPU time of Envoy and its processor for each request, which a busy
//! machine disturbs less. `run instructions` counts the instructions of Envoy's worker for a request outside the
//! kernel, which nothing disturbs.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod instructions;
mod processor;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const BODY: usize = 100;

/// A success, and errors with text, without a body, and with JSON. The processor answers the empty one from its head,
/// and lets Envoy buffer the others.
const PATHS: [&str; 4] = ["/200", "/404", "/404/empty", "/404/json"];

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match args.next().as_deref() {
        Some("origin") => origin(),
        Some("instructions") => instructions::compare(&setting()),
        _ => compare(&setting()),
    }
}

/// Responds as the path states, as fast as possible.
fn origin() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("its address"));
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let body = "a".repeat(BODY);
    let good = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {BODY}\r\n\r\n{body}");
    let bad = |media_type: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 404 Not Found\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let (text, empty) = (bad("text/plain", "no such channel"), bad("text/plain", ""));
    let json = bad("application/json", r#"{"code":"no_such_channel","message":"No such channel"}"#);
    let answers = [("GET /404/empty", &empty), ("GET /404/json", &json), ("GET /404", &text), ("", &good)];
    let mut buffer = [0; 16 * 1024];
    let mut filled = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += count;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = answers.iter().find(|(start, _)| buffer.starts_with(start.as_bytes()));
        if stream.write_all(answer.map_or(&good, |(_, answer)| answer).as_bytes()).is_err() {
            return;
        }
        filled = 0;
    }
}

/// A child that ends with this process.
struct Process(Child);

impl Process {
    /// Returns the CPU time of its threads.
    fn used(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("it runs").flatten();
        let nanos = |thread: std::fs::DirEntry| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.filter_map(nanos).sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A compared variant: the parts of Envoy's configuration that differ.
#[derive(Default)]
struct Row {
    name: String,
    filter: String,
    manager: String,
    clusters: String,
    processor: Option<Process>,
}

struct Envoy<'r> {
    row: &'r Row,
    process: Process,
    address: SocketAddr,
}

impl<'r> Envoy<'r> {
    fn start(row: &'r Row, origin: SocketAddr, folder: &Path) -> Self {
        let command = Command::new(std::env::var_os("ENVOY").expect("ENVOY names the binary of Envoy"));
        Self::start_by(command, row, origin, folder)
    }

    /// Starts this command, followed by Envoy's arguments.
    fn start_by(mut command: Command, row: &'r Row, origin: SocketAddr, folder: &Path) -> Self {
        let name = &row.name;
        let (config, admin) = (folder.join(format!("{name}.yaml")), folder.join(format!("{name}.admin")));
        let _ = std::fs::remove_file(&admin);
        std::fs::write(&config, configuration(row, origin)).expect("a folder of its own");
        command.arg("-c").arg(&config).arg("--admin-address-path").arg(&admin);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "off"]);
        command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(command.spawn().expect("Envoy starts"));
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(address) = listening(&admin) {
                return Self { row, process, address };
            }
            assert!(Instant::now() < end, "{name}: Envoy does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the CPU time of Envoy, and of its external processor.
    fn used(&self) -> [Duration; 2] {
        [self.process.used(), self.row.processor.as_ref().map_or(Duration::ZERO, Process::used)]
    }

    /// Measures a rate and CPU time under full load, and the times of single requests on one connection.
    fn measure(&self, path: &str, time: Duration) -> Sample {
        let mut times = self.times(path, time / 3);
        times.sort_by(f64::total_cmp);
        Sample { median: median(&times), p99: times[times.len() * 99 / 100], ..self.load(path, time) }
    }

    fn load(&self, path: &str, time: Duration) -> Sample {
        let (stop, count) = (AtomicBool::new(false), AtomicU64::new(0));
        let (used, start) = (self.used(), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| client(self.address, path, &stop, &count));
            }
            std::thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
        });
        let (took, count) = (start.elapsed(), count.load(Ordering::Relaxed) as f64);
        let after = self.used();
        let [micros, processor] = [0, 1].map(|of| (after[of] - used[of]).as_secs_f64() * 1e6 / count);
        Sample { per_second: count / took.as_secs_f64(), micros: micros + processor, processor, median: 0.0, p99: 0.0 }
    }

    fn times(&self, path: &str, time: Duration) -> Vec<f64> {
        let (start, mut last, mut times) = (Instant::now(), Instant::now(), Vec::new());
        ask(self.address, path, || {
            let now = Instant::now();
            times.push((now - last).as_secs_f64() * 1e6);
            last = now;
            start.elapsed() < time
        });
        times
    }
}

#[derive(Clone, Copy)]
struct Sample {
    per_second: f64,
    /// The CPU time for each request, and the processor's part of it.
    micros: f64,
    processor: f64,
    /// Microseconds from a request to its response, on one connection.
    median: f64,
    p99: f64,
}

fn client(address: SocketAddr, path: &str, stop: &AtomicBool, count: &AtomicU64) {
    ask(address, path, || {
        count.fetch_add(1, Ordering::Relaxed);
        !stop.load(Ordering::Relaxed)
    });
}

/// Sends one request after the other, as long as `goes_on` allows it after a response.
fn ask(address: SocketAddr, path: &str, mut goes_on: impl FnMut() -> bool) {
    let mut stream = TcpStream::connect(address).expect("Envoy listens");
    stream.set_nodelay(true).expect("a socket option");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test.example\r\nuser-agent: bench\r\naccept: */*\r\n\r\n");
    let mut buffer = [0; 4096];
    loop {
        stream.write_all(request.as_bytes()).expect("Envoy lives");
        let (mut filled, mut wanted) = (0, usize::MAX);
        while filled < wanted {
            let read = stream.read(&mut buffer[filled..]).expect("Envoy lives");
            assert!(read > 0, "Envoy has closed");
            filled += read;
            if wanted == usize::MAX {
                wanted = whole(&buffer[..filled]).unwrap_or(usize::MAX);
            }
        }
        if !goes_on() {
            return;
        }
    }
}

/// Returns the length of the response, or `None` until its head is complete.
fn whole(read: &[u8]) -> Option<usize> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    Some(end + length.split("\r\n").next()?.trim().parse::<usize>().ok()?)
}

struct Setting {
    folder: PathBuf,
    origin: SocketAddr,
    _origin: Process,
    rows: Vec<Row>,
}

fn setting() -> Setting {
    let folder = PathBuf::from(std::env::var_os("MODULES").expect("MODULES names the folder of the modules"));
    let binary = std::env::current_exe().expect("this binary");
    let mut child = Command::new(binary).arg("origin").stdout(Stdio::piped()).spawn().expect("the origin starts");
    let origin = processor::first_line(&mut child).trim().parse().expect("an address");
    let module = |name: &str, module: &str, config: &str| Row {
        name: name.to_owned(),
        filter: format!(
            "          - name: envoy.filters.http.dynamic_modules\n            typed_config:\n              \"@type\": \
             type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter\n              \
             dynamic_module_config: {{ name: {module}, do_not_close: true }}\n              filter_name: {module}\n              \
             filter_config: {{ \"@type\": type.googleapis.com/google.protobuf.StringValue, value: \"{config}\" }}\n"
        ),
        ..Row::default()
    };
    let command = folder.join("error-envelope");
    let mut rows = vec![
        Row { name: "alone".to_owned(), ..Row::default() },
        module("nothing", "nothing", ""),
        // These rows show how long Envoy itself needs to replace the head and the body of an error, in each way that it
        // offers.
        module("send", "rewrite", "send"),
        module("change", "rewrite", "change"),
        module("reply", "rewrite", "reply"),
        module("module", "error_envelope", ""),
        // The module without the data for access logs.
        module("quiet", "error_envelope", "metadata = false"),
        processor::row("processor", &command, None),
        // Two variants of the processor: without the message for the response's head, and without the attributes of
        // both messages.
        processor::row("one-head", &command, Some("allow_mode_override")),
        processor::row("bare", &command, Some("_attributes")),
    ];
    // Only these rows run, together with the first.
    if let Ok(only) = std::env::var("ONLY") {
        rows.retain(|row| row.name == "alone" || only.split_whitespace().any(|it| it == row.name));
    }
    // Further variants for comparison, such as this module or processor before a change.
    let peers = std::env::var("BESIDE").unwrap_or_default();
    rows.extend(peers.split_whitespace().map(|name| match folder.join(name) {
        command if command.is_file() => processor::row(name, &command, None),
        _ => module(name, name, ""),
    }));
    Setting { folder, origin, _origin: Process(child), rows }
}

fn compare(setting: &Setting) {
    let seconds = |name: &str, default: f64| {
        let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let (time, pairs) = (Duration::from_secs_f64(seconds("SECONDS_EACH", 3.0)), seconds("PAIRS", 6.0) as usize);
    let envoys: Vec<Envoy> =
        setting.rows.iter().map(|row| Envoy::start(row, setting.origin, &setting.folder)).collect();
    for path in PATHS {
        for envoy in &envoys {
            envoy.load(path, Duration::from_millis(500));
        }
        let mut samples = vec![Vec::new(); envoys.len()];
        for pair in 0..pairs {
            let mut order: Vec<usize> = (0..envoys.len()).collect();
            if pair % 2 == 1 {
                order.reverse();
            }
            for index in order {
                samples[index].push(envoys[index].measure(path, time));
            }
        }
        println!(
            "{path}, {pairs} pairs of {time:?}, {CONNECTIONS} connections, one worker; latencies on one connection"
        );
        for (envoy, own) in envoys.iter().zip(&samples) {
            report(&envoy.row.name, own, &samples[0]);
        }
    }
}

fn report(name: &str, own: &[Sample], alone: &[Sample]) {
    let paired = |by: fn(Sample, Sample) -> f64| {
        let mut values: Vec<f64> = own.iter().zip(alone).map(|(own, alone)| by(*own, *alone)).collect();
        values.sort_by(f64::total_cmp);
        (median(&values), values[0], values[values.len() - 1])
    };
    let ratios = |by| {
        let (median, least, most) = paired(by);
        format!("{median:.3} ({least:.3}–{most:.3})")
    };
    let more = |by| {
        let (median, least, most) = paired(by);
        format!("{median:+.0} ({least:+.0} to {most:+.0})")
    };
    // Other work makes a sample more expensive, and never cheaper.
    let quiet = |samples: &[Sample]| {
        let mut micros: Vec<f64> = samples.iter().map(|it| it.micros).collect();
        micros.sort_by(f64::total_cmp);
        micros[micros.len() / 10]
    };
    let of = |what: fn(Sample) -> f64| median(&own.iter().map(|it| what(*it)).collect::<Vec<_>>());
    println!(
        "  {name:9} {:7.0} requests/s, {} of Envoy alone; {:5.1} µs of CPU each, {} of Envoy alone, \
         in the quietest tenth {:.1} µs, {:.3}; {:.1} µs of it in the processor",
        of(|it| it.per_second),
        ratios(|own, alone| own.per_second / alone.per_second),
        of(|it| it.micros),
        ratios(|own, alone| own.micros / alone.micros),
        quiet(own),
        quiet(own) / quiet(alone),
        of(|it| it.processor),
    );
    println!(
        "            {:4.0} µs in the median, {} beside Envoy alone; {:4.0} µs in the 99th percentile, {}",
        of(|it| it.median),
        more(|own, alone| own.median - alone.median),
        of(|it| it.p99),
        more(|own, alone| own.p99 - alone.p99),
    );
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn listening(admin: &Path) -> Option<SocketAddr> {
    let admin: SocketAddr = std::fs::read_to_string(admin).ok()?.trim().parse().ok()?;
    let mut stream = TcpStream::connect(admin).ok()?;
    stream.write_all(b"GET /listeners HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("edge::")?.1.lines().next()?.trim().parse().ok()
}

/// Returns the configuration, which is the same except for the row's parts. Nothing is logged.
fn configuration(row: &Row, origin: SocketAddr) -> String {
    let Row { filter, manager, clusters, .. } = row;
    format!(
        "\
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }} }}
static_resources:
  listeners:
  - name: edge
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          generate_request_id: false
          preserve_external_request_id: true
{manager}          route_config:
            virtual_hosts:
            - {{ name: all, domains: [\"*\"], routes: [ {{ match: {{ prefix: / }}, route: {{ cluster: origin }} }} ] }}
          http_filters:
{filter}          - name: envoy.filters.http.router
            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: origin
    load_assignment: {{ cluster_name: origin, endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: \
         {{ address: {}, port_value: {} }} }} }} }} ] }} ] }}
{clusters}",
        origin.ip(),
        origin.port()
    )
}
