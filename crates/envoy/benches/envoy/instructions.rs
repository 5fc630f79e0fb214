//! Counts the instructions of Envoy's worker for a request outside the kernel, with Valgrind's Callgrind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Envoy, Setting, ask};

const REQUESTS: usize = 200;

/// The number of requests that run before the counted requests, to fill caches.
const WARM: usize = 60;

pub(crate) fn compare(setting: &Setting) {
    let mut alone = [0; 2];
    for row in &setting.rows {
        let name = &row.name;
        let out = setting.folder.join(format!("{name}.callgrind"));
        dumps(&out, "").for_each(|old| drop(std::fs::remove_file(old)));
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"]);
        command.arg(format!("--callgrind-out-file={}", out.display()));
        command.arg(std::env::var_os("ENVOY").expect("ENVOY names the binary of Envoy"));
        let envoy = Envoy::start_by(command, row, setting.origin, &setting.folder);
        let counts = [(1, "/200"), (2, "/404")].map(|(dump, path)| counted(&envoy, path, &out, dump));
        if row.filter.is_empty() {
            alone = counts;
        }
        let of = |index: usize| counts[index] as f64 / alone[index] as f64;
        println!("{name:10} 200: {:7} instructions, {:.3}; 404: {:7}, {:.3}", counts[0], of(0), counts[1], of(1));
        if !row.filter.is_empty() {
            by_hook(&worker(&out, 2).0);
        }
    }
}

/// Prints the instructions of the hooks and callbacks of a 404, with those of their callees.
fn by_hook(file: &Path) {
    let mut command = Command::new("callgrind_annotate");
    let output = command.args(["--inclusive=yes", "--threshold=100", "--auto=no"]).arg(file).output();
    let output = output.expect("Valgrind is there");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((count, name)) = line.split_once("envoy_dynamic_module_") else { continue };
        let digits: String = count.split('(').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        let name = name.split_whitespace().next().unwrap_or_default();
        println!("    {:6} {name}", digits.parse::<usize>().unwrap_or(0) / REQUESTS);
    }
}

fn counted(envoy: &Envoy<'_>, path: &str, out: &Path, dump: usize) -> usize {
    load(envoy, path, WARM);
    control(envoy, &["-i", "on"]);
    control(envoy, &["-z"]);
    load(envoy, path, REQUESTS);
    control(envoy, &[&format!("--dump={path}")]);
    control(envoy, &["-i", "off"]);
    worker(out, dump).1 / REQUESTS
}

/// Returns the dump of the worker's thread, and its number of instructions. The other threads do other work, and do
/// more of it if Valgrind slows them down.
fn worker(out: &Path, dump: usize) -> (PathBuf, usize) {
    let counted = dumps(out, &format!(".{dump}-")).map(|file| (summary(&file), file));
    let (count, file) = counted.max().expect("a dump of each thread");
    (file, count)
}

fn dumps(out: &Path, more: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let start = format!("{}{more}", out.file_name().expect("a file").to_string_lossy());
    let files = std::fs::read_dir(out.parent().expect("a folder")).expect("it is there").flatten();
    files.filter(move |file| file.file_name().to_string_lossy().starts_with(&start)).map(|file| file.path())
}

fn load(envoy: &Envoy<'_>, path: &str, count: usize) {
    let mut left = count;
    ask(envoy.address, path, || {
        left -= 1;
        left > 0
    });
}

fn control(envoy: &Envoy<'_>, args: &[&str]) {
    let mut command = Command::new("callgrind_control");
    command.args(args).arg(envoy.process.0.id().to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().expect("Valgrind is there").success(), "callgrind_control {args:?}");
}

/// Returns the number of instructions of a thread.
fn summary(file: &Path) -> usize {
    let text = std::fs::read_to_string(file).expect("what Callgrind wrote");
    let count = text.lines().find_map(|line| line.strip_prefix("summary: ")).expect("a summary");
    count.trim().parse().expect("a number")
}
