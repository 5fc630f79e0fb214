"""Real services behind the gateway: Apache with a process for each connection, beside nginx, and one of h3's.

It fails where the gateway has less than half of nginx's throughput in the same run, where a request fails or takes too
long, or where the service sees more connections than there are clients. `--losses N` counts the POSTs that are lost of N
at a service that closes without a word, beside nginx, and fails for nothing.
"""
import argparse
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
HOST = '127.0.0.1'
SECONDS = 2
CLIENTS = (1, 8, 32)
WORKERS = (8, 64)
# More than a request ever waits for one of the workers; a request that fails is a failure whenever it comes.
PATIENCE = 20
# Of nginx's throughput in the same run.
LEAST = 0.5
# 127.0.0.1, as /proc/net/tcp has it.
HOST_HEX = '0100007F'


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f'{process.args[0]} ended with {process.returncode}')
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, port), 1).close()
            return
        time.sleep(0.02)
    sys.exit(f'{process.args[0]} does not listen on {port}')


@contextlib.contextmanager
def running(command, port=None, **more):
    """A process with a group of its own, which ends as a whole."""
    process = subprocess.Popen(command, start_new_session=True, **more)
    try:
        if port:
            wait_for(port, process)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def folder(made, name):
    path = made / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@contextlib.contextmanager
def apache(made, workers):
    """Apache with the prefork module: each connection holds one of its processes until it is closed."""
    home, port = folder(made, f'apache-{workers}'), free_port()
    (home / 'index.html').write_text('hello\n')
    modules = '/usr/lib/apache2/modules'
    user = 'User www-data\nGroup www-data\n' if os.getuid() == 0 else ''
    (home / 'apache.conf').write_text(f'''
ServerRoot "{home}"
ServerName {HOST}
PidFile "{home}/apache.pid"
DefaultRuntimeDir "{home}"
Listen {HOST}:{port}
{user}LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
ErrorLog "{home}/error.log"
LogLevel error
StartServers {workers}
MinSpareServers 1
MaxSpareServers {workers}
ServerLimit {workers}
MaxRequestWorkers {workers}
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 5
MaxKeepAliveRequests 0
DocumentRoot "{home}"
<Directory "{home}">
  Require all granted
</Directory>
''')
    with running(['apache2', '-f', str(home / 'apache.conf'), '-DFOREGROUND'], port):
        yield port


@contextlib.contextmanager
def nginx(made, name, service):
    home, port = folder(made, f'nginx-{name}'), free_port()
    user = 'user www-data;' if os.getuid() == 0 else ''
    (home / 'nginx.conf').write_text(f'''
{user}
worker_processes auto;
pid {home}/nginx.pid;
error_log {home}/error.log error;
daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home}; uwsgi_temp_path {home}; scgi_temp_path {home};
  keepalive_requests 1000000000;
  upstream service {{ server {HOST}:{service}; keepalive 32; keepalive_requests 1000000000; }}
  server {{
    listen {HOST}:{port};
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
''')
    with running(['nginx', '-p', str(home), '-c', str(home / 'nginx.conf'), '-e', f'{home}/error.log'], port):
        yield port


@contextlib.contextmanager
def gateway(binary, service):
    command = [binary, 'gateway', '--listen', f'{HOST}:0', '--upstream', f'http://{HOST}:{service}']
    with running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield int(process.stdout.readline().rsplit(':', 1)[1])


class Connections(threading.Thread):
    """Counts the connections to a port that are open at once, by what the kernel lists."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.most, self.stopped = f'{HOST_HEX}:{port:04X}', 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()

    def run(self):
        while not self.stopped.wait(0.05):
            self.most = max(self.most, self.now())

    def now(self):
        """Those that are established, from the side of the proxy."""
        lines = pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]
        fields = [line.split() for line in lines]
        return sum(1 for each in fields if each[2] == self.port and each[3] == '01')


def load(port, clients):
    """Requests a second, and what went wrong."""
    command = ['wrk', '-t', '1', '-c', str(clients), '-d', f'{SECONDS}s', '--timeout', f'{PATIENCE}s', f'http://{HOST}:{port}/']
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r'Requests/sec:\s+([\d.]+)', said)[1])
    wrong = re.findall(r'Socket errors:.*|Non-2xx.*', said)
    return rate, [line for line in wrong if re.search(r'[1-9]', line)]


def beside_nginx(made, binary, least):
    problems = []
    for workers in WORKERS:
        for clients in CLIENTS:
            where = f'{workers} workers, {clients} clients'
            # What else the machine does may hit one of the two: a second look tells.
            for _ in range(2):
                ratio, wrong = compare(made, binary, workers, clients)
                problems += [f'{where}: {line}' for line in wrong]
                if ratio >= least:
                    break
            else:
                problems.append(f'{where}: {ratio:.2f} of the throughput of nginx')
    return problems


def compare(made, binary, workers, clients):
    """The gateway's throughput as a part of nginx's, and what went wrong behind the gateway."""
    with apache(made, workers) as service, nginx(made, 'apache', service) as port:
        theirs, _ = load(port, clients)
    with apache(made, workers) as service, gateway(binary, service) as port, Connections(service) as seen:
        ours, wrong = load(port, clients)
    if seen.most > clients:
        wrong.append(f'{seen.most} connections')
    print(f'{workers:3} workers {clients:3} clients: nginx {theirs:7.0f}/s, gateway {ours:7.0f}/s '
          f'({ours / theirs:.2f}), {seen.most} connections', flush=True)
    return ours / theirs, wrong


@contextlib.contextmanager
def h3(node):
    with running(['node', 'service.mjs'], cwd=node, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())


def refused_uploads(binary, node):
    problems = []
    with h3(node) as service, gateway(binary, service) as port:
        for size in (2000, 200_000, 1_000_000):
            for _ in range(20):
                upload = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
                upload.request('POST', '/', b'x' * size)
                status = upload.getresponse().status
                upload.close()
                next_client = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
                next_client.request('GET', '/')
                after = next_client.getresponse().status
                next_client.close()
                if (status, after) != (413, 200):
                    problems.append(f'h3, {size} bytes: the upload got {status}, the next client {after}')
    print(f'h3: 60 uploads refused, {len(problems)} problems', flush=True)
    return problems


def closes_without_a_word(listener):
    """A service that closes each connection after its first response, and does not say so."""
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=answer_once, args=(stream,), daemon=True).start()


def answer_once(stream):
    with stream, contextlib.suppress(OSError):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = b''
        while not received.endswith(b'\r\n\r\nbody'):
            piece = stream.recv(4096)
            if not piece:
                return
            received += piece
        stream.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')


def losses(made, binary, count):
    listener = socket.create_server((HOST, 0), backlog=1024)
    threading.Thread(target=closes_without_a_word, args=(listener,), daemon=True).start()
    service = listener.getsockname()[1]
    for name in ('nginx', 'gateway'):
        proxy = nginx(made, 'losses', service) if name == 'nginx' else gateway(binary, service)
        with proxy as port:
            lost = 0
            client = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
            for _ in range(count):
                client.request('POST', '/', b'body')
                answer = client.getresponse()
                answer.read()
                lost += answer.status != 200
            print(f'{name}: {lost} of {count} POSTs lost ({lost * 100_000 / count:.0f} of 100,000)', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--made', type=pathlib.Path, required=True, help='folder for what is made')
    parser.add_argument('--binary', required=True, help='the gateway')
    parser.add_argument('--ratio', action='store_true', help='fail below half of nginx\'s throughput')
    parser.add_argument('--losses', type=int, help='count lost POSTs among so many instead')
    asked = parser.parse_args()
    made = asked.made.resolve()
    if asked.losses:
        return losses(made, asked.binary, asked.losses)
    problems = refused_uploads(asked.binary, made / 'h3') + beside_nginx(made, asked.binary, LEAST if asked.ratio else 0)
    sys.exit('\n'.join(problems) or 0)


main()
