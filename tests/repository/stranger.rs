//! Tests the README, the crate's documentation and the tutorial as a stranger uses them: dependencies, `main.rs`,
//! requests, and the responses that they show.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use toml::{Table, Value};

/// The address in the README, where no other test listens.
const ADDRESS: &str = "127.0.0.1:3000";

#[test]
#[ignore = "it builds a crate of its own, which `.ci/run` does"]
fn what_the_readme_shows_is_what_a_stranger_gets() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let [setup, main, curls, bodies] = first_part(&readme);
    let address = free_address();
    let _service = Service::start(&build(&setup, &main.replace(ADDRESS, &address)), &address);
    assert_bodies(&curls, &bodies, &address);
}

#[test]
#[ignore = "it builds a crate of its own, which `.ci/run` does"]
fn the_readme_s_own_errors_are_what_a_stranger_gets() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let [setup, main, ..] = first_part(&readme);
    let part = readme.split("### Your own errors\n").nth(1).and_then(|rest| rest.split("\n##").next()).unwrap();
    let own = blocks(part, ["rust", "rust"]).join("\n");
    let handler = main.lines().find(|line| line.starts_with("async fn place")).unwrap();
    let main = main
        .replace(handler, &own)
        .replace("envelope::ErrorEnvelopeLayer;", "envelope::{AsFault, ErrorEnvelopeLayer};");
    let setup = setup.replace("shop", "own-errors") + "cargo add thiserror\n";
    let address = free_address();
    let _service = Service::start(&build(&setup, &main.replace(ADDRESS, &address)), &address);
    let order = format!("curl http://{ADDRESS}/orders -H 'content-type: application/json' -d '{{\"quantity\":4}}'");
    let answer = ask(&order, &address);
    assert!(answer.contains(r#""code":"conflict","message":"Only 3 left.","details":{"left":3}"#), "{answer}");
}

#[test]
#[ignore = "it builds a crate of its own, which `.ci/run` does"]
fn what_the_documentation_shows_is_what_a_stranger_gets() {
    let (readme, page) = (fs::read_to_string(root().join("README.md")).unwrap(), documentation());
    let setup = first_part(&readme)[0].replace("shop", "documented-shop") + "cargo add thiserror\n";
    let [main, response] = ["```no_run\n", "```text\n"].map(|opens| block(&page, opens));
    let address = free_address();
    let service = Service::start(&build(&setup, &main.replace(ADDRESS, &address)), &address);
    let order = |body| format!("curl http://{ADDRESS}/orders -H 'content-type: application/json' -d '{body}'");
    let head_and_body = ask(&order(r#"{"sku":"lamp","quantity":4}"#), &address);
    let shown = normalised(response.trim_end());
    assert!(shown.lines().all(|line| normalised(&head_and_body).lines().any(|it| it == line)), "{head_and_body}");
    let failed = ask(&order(r#"{"sku":"sofa","quantity":1}"#), &address);
    assert!(failed.contains(r#""code":"internal_error""#) && !failed.contains("db-1"), "{failed}");
    let line = service.logged("status=409");
    assert!(line.contains(r#"cause="4 wanted, 3 left""#) && line.contains("request_id=req_"), "{line}");
}

#[test]
#[ignore = "it builds a crate of its own, which `.ci/run` does"]
fn what_the_tutorial_shows_is_what_a_stranger_gets() {
    let page = fs::read_to_string(root().join("manual/tutorial.md")).unwrap();
    let [setup, main, curls, bodies, log] = blocks(&page, ["bash", "rust", "bash", "text", "text"]);
    let address = free_address();
    let service = Service::start(&build(&setup, &main.replace(ADDRESS, &address)), &address);
    assert_bodies(&curls, &bodies, &address);
    let html = ask(&format!("curl http://{ADDRESS}/seats/9 -H 'accept: text/html'"), &address);
    assert!(html.contains("content-type: text/html") && html.contains("There is no seat 9."), "{html}");
    assert_eq!(normalised(&service.logged("status=404")), normalised(log.trim_end()));
}

fn assert_bodies(curls: &str, bodies: &str, address: &str) {
    let answers = curls.lines().map(|curl| ask(curl, address));
    let answered: Vec<_> = answers.map(|answer| normalised(answer.rsplit("\n\n").next().unwrap())).collect();
    assert_eq!(answered, bodies.lines().map(normalised).collect::<Vec<_>>());
}

#[test]
fn the_readme_is_short() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(first_part(&readme)[1].lines().count() <= 15);
    assert!(readme.lines().count() <= 155, "{}", readme.lines().count());
    assert!(!readme.lines().any(|line| line.starts_with("# let ")), "a line for doctests stands in the README");
}

#[test]
fn the_errors_of_the_readme_are_those_of_the_documentation() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let own_errors = readme.split("```rust\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(block(&documentation(), "```no_run\n").contains(own_errors));
}

/// Returns the crate's own documentation, as Markdown.
fn documentation() -> String {
    let source = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// Returns the first block of a page with this beginning.
fn block(page: &str, opens: &str) -> String {
    page.split(opens).nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

/// Returns the blocks of the README's first service.
fn first_part(readme: &str) -> [String; 4] {
    let part = readme.split("## Rust\n").nth(1).and_then(|rest| rest.split("\n##").next()).unwrap();
    blocks(part, ["bash", "rust", "bash", "text"])
}

/// Returns the blocks of a page, in the order of a reader.
fn blocks<const N: usize>(page: &str, expected: [&str; N]) -> [String; N] {
    let blocks: Vec<_> = page.split("```").skip(1).step_by(2).collect();
    let kinds: Vec<_> = blocks.iter().map(|block| block.lines().next().unwrap()).collect();
    assert_eq!(kinds, expected);
    std::array::from_fn(|at| blocks[at].split_once('\n').unwrap().1.to_owned())
}

/// Does what `cargo new` and `cargo add` do, with the versions of this workspace, so that no registry gets a request.
fn build(setup: &str, main: &str) -> PathBuf {
    let mut lines = setup.lines();
    let name = lines.next().unwrap().strip_prefix("cargo new ").unwrap();
    assert_eq!(lines.next().unwrap(), format!("cd {name}"));
    let folder = root().join("target/stranger").join(name);
    let dependencies: Table = lines.flat_map(added).collect();
    let package: Table = [("name", name), ("version", "0.1.0"), ("edition", "2024")]
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .into_iter()
        .collect();
    let manifest = Table::from_iter([
        ("package".to_owned(), Value::Table(package)),
        ("dependencies".to_owned(), Value::Table(dependencies)),
        ("workspace".to_owned(), Value::Table(Table::new())),
    ]);
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest.to_string()).unwrap();
    fs::write(folder.join("src/main.rs"), main).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // Variables that cargo sets for its own build are not passed to this one.
    std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG") || name == "CARGO_MANIFEST_DIR").for_each(
        |(name, _)| {
            cargo.env_remove(name);
        },
    );
    cargo
        .args(["build", "--offline", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", root().join("target/stranger/target"));
    let output = cargo.env("RUSTFLAGS", "-Dwarnings").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    root().join("target/stranger/target/debug").join(name)
}

/// Reads one `cargo add` with its crates.
fn added(line: &str) -> Vec<(String, Value)> {
    let mut words = line.strip_prefix("cargo add ").unwrap_or_else(|| panic!("{line}")).split(' ');
    let (mut crates, mut features, mut path) = (Vec::new(), Vec::new(), None);
    while let Some(word) = words.next() {
        match word {
            "--features" => features = words.next().unwrap().split(',').map(Value::from).collect(),
            "--path" => path = words.next(),
            name => crates.push(name.to_owned()),
        }
    }
    let source = |name: &str| match path {
        Some(path) => {
            assert_eq!(path, "../tower-error-envelope");
            ("path".to_owned(), Value::from(root().to_str().unwrap()))
        }
        None => ("version".to_owned(), Value::from(version(name))),
    };
    let dependency = |name: String| {
        let of = Table::from_iter([source(&name), ("features".to_owned(), Value::Array(features.clone()))]);
        (name, Value::Table(of))
    };
    crates.into_iter().map(dependency).collect()
}

fn version(name: &str) -> String {
    let manifest: Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let tables = ["dev-dependencies", "dependencies"].map(|table| &manifest[table]);
    let dependency =
        tables.iter().find_map(|table| table.get(name)).unwrap_or_else(|| panic!("{name} is none of ours"));
    dependency.as_str().or_else(|| dependency.get("version")?.as_str()).unwrap().to_owned()
}

struct Service(Child);

impl Service {
    fn start(binary: &Path, address: &str) -> Self {
        let child = Command::new(binary).env("NO_COLOR", "1").env_remove("RUST_LOG").stdout(Stdio::piped()).spawn();
        let mut service = Self(child.unwrap());
        while TcpStream::connect(address).is_err() {
            assert!(service.0.try_wait().unwrap().is_none(), "the service ended");
            std::thread::yield_now();
        }
        service
    }

    /// Returns the first written line with this text.
    fn logged(mut self, text: &str) -> String {
        self.0.kill().unwrap();
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        lines.map(Result::unwrap).find(|line| line.contains(text)).expect("it is logged")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the head and the body of the response, as `curl -i` prints them.
fn ask(curl: &str, address: &str) -> String {
    let mut words = quoted(curl.strip_prefix("curl ").unwrap()).into_iter();
    let (mut path, mut head, mut body) = (String::new(), String::new(), String::new());
    while let Some(word) = words.next() {
        match &*word {
            "-H" => head += &format!("{}\r\n", words.next().unwrap()),
            "-d" => body = words.next().unwrap(),
            "-w" => assert_eq!(words.next().as_deref(), Some("\\n")),
            url => path = url.strip_prefix(&format!("http://{ADDRESS}")).unwrap().to_owned(),
        }
    }
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    let method = if body.is_empty() { "GET" } else { "POST" };
    write!(connection, "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{head}content-length: {length}\r\n\r\n{body}")
        .unwrap();
    read(BufReader::new(connection))
}

fn read(mut connection: BufReader<TcpStream>) -> String {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().unwrap();
        }
        head += &line.replace("\r\n", "\n");
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// Returns a command line's words. Quotes with `'` hold one word together.
fn quoted(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
    words.map(str::to_owned).collect()
}

/// Removes what differs each time: ids, dates, and the time of a line in the log.
fn normalised(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some(("date:", _)) => "date: …".to_owned(),
        Some((time, rest)) if time.ends_with('Z') && time.contains('T') => format!("… {rest}"),
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut parts = text.split("req_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "req_…" + part.get(26..).unwrap_or_default())
}

fn free_address() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
