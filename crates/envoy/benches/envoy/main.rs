//! What the module costs inside Envoy: pairs of runs of the same Envoy without it, with a module that does nothing, and with
//! it, their order alternating, the origin a process of its own. `run` beside this builds what it needs. What Envoy takes
//! by itself for another head and body shows a module that decides nothing and does that alone, `rewrite.c`.
//!
//! Beside the throughput stands the time of Envoy's own process for each request, which a busy machine disturbs less.
//! `run instructions` counts what Envoy's worker executes outside the kernel for a request, which nothing disturbs.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod instructions;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const BODY: usize = 100;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match args.next().as_deref() {
        Some("origin") => origin(),
        Some("instructions") => instructions::compare(&setting()),
        _ => compare(&setting()),
    }
}

/// Answers what the path states, as fast as it can.
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
    let bad = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 15\r\n\r\nno such channel";
    let mut buffer = [0; 16 * 1024];
    let mut filled = 0;
    while let Ok(count @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += count;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = if buffer.starts_with(b"GET /404") { bad } else { &good };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
        filled = 0;
    }
}

/// A child that ends with this process.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Envoy {
    name: String,
    process: Process,
    address: SocketAddr,
}

impl Envoy {
    fn start(name: &str, filter: &str, origin: SocketAddr, folder: &Path) -> Self {
        let command = Command::new(std::env::var_os("ENVOY").expect("ENVOY names the binary of Envoy"));
        Self::start_by(command, name, filter, origin, folder)
    }

    /// With this command, which is followed by Envoy's arguments.
    fn start_by(mut command: Command, name: &str, filter: &str, origin: SocketAddr, folder: &Path) -> Self {
        let (config, admin) = (folder.join(format!("{name}.yaml")), folder.join(format!("{name}.admin")));
        let _ = std::fs::remove_file(&admin);
        std::fs::write(&config, configuration(filter, origin)).expect("a folder of its own");
        command.arg("-c").arg(&config).arg("--admin-address-path").arg(&admin);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-l", "off"]);
        command.env("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process(command.spawn().expect("Envoy starts"));
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(address) = listening(&admin) {
                return Self { name: name.to_owned(), process, address };
            }
            assert!(Instant::now() < end, "{name}: Envoy does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The processor's time that its threads have used.
    fn used(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.0.id())).expect("it runs").flatten();
        let nanos = |thread: std::fs::DirEntry| {
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.filter_map(nanos).sum())
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
        let (took, used) = (start.elapsed(), self.used() - used);
        let count = count.load(Ordering::Relaxed) as f64;
        Sample { per_second: count / took.as_secs_f64(), micros: used.as_secs_f64() * 1e6 / count }
    }
}

#[derive(Clone, Copy)]
struct Sample {
    per_second: f64,
    micros: f64,
}

fn client(address: SocketAddr, path: &str, stop: &AtomicBool, count: &AtomicU64) {
    ask(address, path, || {
        count.fetch_add(1, Ordering::Relaxed);
        !stop.load(Ordering::Relaxed)
    });
}

/// Asks one time after the other, as long as it is told to go on behind an answer.
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

/// How long the response is, once its head is there.
fn whole(read: &[u8]) -> Option<usize> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ")?;
    Some(end + length.split("\r\n").next()?.trim().parse::<usize>().ok()?)
}

/// What is compared: a name, and the filter by which Envoy has it.
struct Setting {
    folder: PathBuf,
    origin: SocketAddr,
    _origin: Process,
    filters: Vec<(String, String)>,
}

fn setting() -> Setting {
    let folder = PathBuf::from(std::env::var_os("MODULES").expect("MODULES names the folder of the modules"));
    let binary = std::env::current_exe().expect("this binary");
    let mut child = Command::new(binary).arg("origin").stdout(Stdio::piped()).spawn().expect("the origin starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("its address");
    let configured = |name: &str, config: &str| {
        format!(
            "- name: envoy.filters.http.dynamic_modules\n            typed_config:\n              \"@type\": \
             type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter\n              \
             dynamic_module_config: {{ name: {name}, do_not_close: true }}\n              filter_name: {name}\n              \
             filter_config: {{ \"@type\": type.googleapis.com/google.protobuf.StringValue, value: \"{config}\" }}\n          "
        )
    };
    let module = |name: &str| configured(name, "");
    let mut filters = vec![
        ("alone".to_owned(), String::new()),
        ("nothing".to_owned(), module("nothing")),
        // What Envoy takes by itself to have another head and body in the place of an error's, by each way that it offers.
        ("send".to_owned(), configured("rewrite", "send")),
        ("change".to_owned(), configured("rewrite", "change")),
        ("reply".to_owned(), configured("rewrite", "reply")),
        ("module".to_owned(), module("error_envelope")),
        // Without what access logs read of an error.
        ("quiet".to_owned(), configured("error_envelope", "metadata = false")),
    ];
    // These alone, beside the first.
    if let Ok(only) = std::env::var("ONLY") {
        filters.retain(|(name, _)| name == "alone" || only.split_whitespace().any(|it| it == name));
    }
    // Others to compare with, such as this module before a change.
    let peers = std::env::var("BESIDE").unwrap_or_default();
    filters.extend(peers.split_whitespace().map(|name| (name.to_owned(), module(name))));
    let origin = line.trim().parse().expect("an address");
    Setting { folder, origin, _origin: Process(child), filters }
}

fn compare(setting: &Setting) {
    let seconds = |name: &str, default: f64| {
        let given = std::env::var(name).ok().and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let (time, pairs) = (Duration::from_secs_f64(seconds("SECONDS_EACH", 3.0)), seconds("PAIRS", 6.0) as usize);
    let start = |(name, filter): &(String, String)| Envoy::start(name, filter, setting.origin, &setting.folder);
    let envoys: Vec<Envoy> = setting.filters.iter().map(start).collect();
    for path in ["/200", "/404"] {
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
                samples[index].push(envoys[index].load(path, time));
            }
        }
        println!("{path}, {pairs} pairs of {time:?}, {CONNECTIONS} connections, one worker");
        for (envoy, own) in envoys.iter().zip(&samples) {
            let ratios = |what: fn(Sample) -> f64| {
                let mut ratios: Vec<f64> =
                    own.iter().zip(&samples[0]).map(|(own, alone)| what(*own) / what(*alone)).collect();
                ratios.sort_by(f64::total_cmp);
                format!("{:.3} ({:.3}–{:.3})", median(&ratios), ratios[0], ratios[ratios.len() - 1])
            };
            // What else runs makes a sample dearer, and none cheaper.
            let quiet = |samples: &[Sample]| {
                let mut micros: Vec<f64> = samples.iter().map(|it| it.micros).collect();
                micros.sort_by(f64::total_cmp);
                micros[micros.len() / 10]
            };
            let of = |what: fn(Sample) -> f64| median(&own.iter().map(|it| what(*it)).collect::<Vec<_>>());
            println!(
                "  {:8} {:7.0} requests/s, {} of Envoy alone; {:5.1} µs of its processor each, {} of Envoy alone, \
                 in the quietest tenth {:.1} µs, {:.3}",
                envoy.name,
                of(|it| it.per_second),
                ratios(|it| it.per_second),
                of(|it| it.micros),
                ratios(|it| it.micros),
                quiet(own),
                quiet(own) / quiet(&samples[0]),
            );
        }
    }
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

/// The same for each but for the filter; nothing is logged.
fn configuration(filter: &str, origin: SocketAddr) -> String {
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
          route_config:
            virtual_hosts:
            - {{ name: all, domains: [\"*\"], routes: [ {{ match: {{ prefix: / }}, route: {{ cluster: origin }} }} ] }}
          http_filters:
          {filter}- name: envoy.filters.http.router
            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
  - name: origin
    load_assignment: {{ cluster_name: origin, endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: \
         {{ address: {}, port_value: {} }} }} }} }} ] }} ] }}
",
        origin.ip(),
        origin.port()
    )
}
