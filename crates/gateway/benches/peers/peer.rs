//! Starts the proxies on their own core.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::processor;
use crate::workload::Workload;

/// The core of the proxies.
const CORE: &str = "0";
/// The time within which a proxy must begin to listen.
const START: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Bare,
    Gateway,
    Nginx,
    Haproxy,
    Envoy,
}

impl Peer {
    pub(crate) const ALL: &'static [Self] = &[Self::Bare, Self::Gateway, Self::Nginx, Self::Haproxy, Self::Envoy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare hyper",
            Self::Gateway => "gateway",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Envoy => "Envoy",
        }
    }

    /// Starts the proxy, or returns `None` if it is not installed.
    pub(crate) fn start(self, workload: Workload, service: SocketAddr) -> Option<Process> {
        let tls = workload.is_tls();
        let mut command = Command::new("taskset");
        command.args(["-c", CORE]);
        match self {
            Self::Bare | Self::Gateway => Some(Process::announced(command.args(self.own_command(tls, service)))),
            Self::Nginx => Process::configured(command, &nginx()?, &["-c"], "nginx.conf", &nginx_config(tls, service)),
            Self::Haproxy => {
                Process::configured(command, &found("haproxy")?, &["-f"], "haproxy.cfg", &haproxy_config(tls, service))
            }
            Self::Envoy => {
                let envoy = PathBuf::from(std::env::var_os("ENVOY")?);
                // Hot restart is disabled, because an earlier Envoy that has not ended yet would still own the shared
                // memory for it.
                let args = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"];
                Process::configured(command, &envoy, &args, "envoy.yaml", &envoy_config(tls, service))
            }
        }
    }

    /// Returns the command of a proxy of this project, with its arguments.
    pub(crate) fn own_command(self, tls: bool, service: SocketAddr) -> Vec<String> {
        let pair = |name: &str| CERTIFICATE.path().join(name).display().to_string();
        let (certificate, key) = (pair("certificate.pem"), pair("key.pem"));
        let this = std::env::current_exe().expect("the path of this binary");
        if self == Self::Bare {
            let command = [this.display().to_string(), "--bare".into(), service.to_string()];
            return command.into_iter().chain(tls.then_some([certificate, key]).into_iter().flatten()).collect();
        }
        let built = || this.ancestors().nth(2).expect("target/release/deps").join("error-envelope");
        let gateway = std::env::var_os("GATEWAY").map_or_else(built, PathBuf::from);
        assert!(gateway.exists(), "build it first: cargo build --release -p error-envelope-cli");
        let flags = ["gateway", "--listen", "127.0.0.1:0", "--upstream"].map(String::from);
        let pair = ["--tls-cert".into(), certificate, "--tls-key".into(), key];
        [vec![gateway.display().to_string()], flags.into(), vec![format!("http://{service}")]]
            .into_iter()
            .flatten()
            .chain(tls.then_some(pair).into_iter().flatten())
            .chain(std::env::var("GATEWAY_FLAGS").unwrap_or_default().split_whitespace().map(String::from))
            .collect()
    }
}

/// A process. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    _config: Option<TempDir>,
    _output: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the service, on the core of the clients.
    pub(crate) fn service() -> Self {
        Self::announced(Command::new(std::env::current_exe().expect("the path of this binary")).arg("--service"))
    }

    /// Starts a process that first prints its address.
    pub(crate) fn announced(command: &mut Command) -> Self {
        // Each line of the log is written, and nothing reads it.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it prints its address");
        let address = line.trim().rsplit("//").next().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address: {line:?}"));
        Self { child, address, _config: None, _output: Some(output) }
    }

    fn configured(mut command: Command, program: &Path, args: &[&str], file: &str, config: &str) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
        let config =
            config.replace("PORT", &port.port().to_string()).replace("FOLDER", &folder.path().display().to_string());
        fs::write(folder.path().join(file), config).expect("a file");
        command.arg(program).args(args).arg(folder.path().join(file));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let began = Instant::now();
        while TcpStream::connect(port).is_err() {
            assert!(began.elapsed() < START, "{} does not listen", program.display());
            std::thread::yield_now();
        }
        Some(Self { child, address: port, _config: Some(folder), _output: None })
    }

    /// Ends the process by SIGTERM, as an operator does, and waits for its end. SIGINT has no effect on a background
    /// process of a shell.
    pub(crate) fn terminate(mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }

    pub(crate) fn processor_time(&self) -> Duration {
        processor::time(self.child.id())
    }

    /// Returns the memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        processor::memory(self.child.id())
    }

    pub(crate) fn descriptors(&self) -> usize {
        processor::descriptors(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The workers of nginx and HAProxy end with their master process only if the master gets SIGTERM.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

static CERTIFICATE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    let pair = rcgen::generate_simple_self_signed(["localhost".into()]).expect("a certificate");
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    fs::write(folder.path().join("certificate.pem"), &certificate).expect("a file");
    fs::write(folder.path().join("key.pem"), &key).expect("a file");
    fs::write(folder.path().join("both.pem"), certificate + &key).expect("a file");
    folder
});

fn nginx() -> Option<PathBuf> {
    found("nginx").or_else(|| Some(PathBuf::from("/usr/sbin/nginx")).filter(|path| path.exists()))
}

fn found(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.exists())
}

fn nginx_config(tls: bool, service: SocketAddr) -> String {
    let pair = CERTIFICATE.path().display();
    let listen = if tls {
        format!(
            "listen 127.0.0.1:PORT ssl http2; ssl_certificate {pair}/certificate.pem; ssl_certificate_key {pair}/key.pem;"
        )
    } else {
        "listen 127.0.0.1:PORT;".into()
    };
    format!(
        "daemon off; worker_processes 1; pid FOLDER/pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path FOLDER/b; proxy_temp_path FOLDER/p; fastcgi_temp_path FOLDER/f;
  uwsgi_temp_path FOLDER/u; scgi_temp_path FOLDER/s; client_max_body_size 0; keepalive_requests 1000000;
  proxy_request_buffering off;
  upstream service {{ server {service}; keepalive 1024; keepalive_requests 1000000; }}
  server {{
    {listen}
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header connection ''; }}
    location /missing {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header connection '';
      proxy_intercept_errors on; error_page 404 @error; }}
    location @error {{ internal; default_type application/json; return 404 '{{\"error\":{{\"code\":\"not_found\",\"message\":\"Not found.\"}},\"request_id\":\"$request_id\"}}'; }}
  }}
}}
"
    )
}

fn haproxy_config(tls: bool, service: SocketAddr) -> String {
    let tls = if tls {
        format!(" ssl crt {}/both.pem alpn h2,http/1.1", CERTIFICATE.path().display())
    } else {
        String::new()
    };
    format!(
        "global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:PORT{tls}
  default_backend service
backend service
  server service {service} pool-max-conn 1024
"
    )
}

fn envoy_config(tls: bool, service: SocketAddr) -> String {
    let pair = CERTIFICATE.path().display();
    let tls = if tls {
        format!(
            "
      transport_socket:
        name: tls
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [{{certificate_chain: {{filename: {pair}/certificate.pem}}, private_key: {{filename: {pair}/key.pem}}}}]"
        )
    } else {
        String::new()
    };
    let (host, port) = (service.ip(), service.port());
    format!(
        "static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: PORT}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          route_config:
            virtual_hosts:
            - {{name: all, domains: ['*'], routes: [{{match: {{prefix: /}}, route: {{cluster: service}}}}]}}
          http_filters:
          - {{name: router, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}{tls}
  clusters:
  - name: service
    connect_timeout: 5s
    circuit_breakers: {{thresholds: [{{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}}]}}
    load_assignment:
      cluster_name: service
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}}}]}}]
"
    )
}
