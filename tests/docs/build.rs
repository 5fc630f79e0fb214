//! Collects the examples in the documentation of the crates below the layer.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The crates whose examples use the layer's names.
const CRATES: [&str; 3] = ["core", "fault", "runtime"];

fn main() {
    let crates = Path::new("../../crates");
    let mut examples = String::new();
    for name in CRATES {
        let sources = crates.join(name).join("src");
        println!("cargo::rerun-if-changed={}", sources.display());
        let mut files = Vec::new();
        collect(&sources, &mut files);
        files.sort();
        for file in &files {
            let path = file.strip_prefix(crates).expect("a file below the crates").to_string_lossy();
            let path = path.trim_end_matches(".rs").replace(['/', '-'], "_");
            for (line, example) in examples_of(&fs::read_to_string(file).expect("a source")) {
                examples += &format!("{example}pub mod {path}_{line} {{}}\n\n");
            }
        }
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("examples.rs"), examples).expect("a folder that can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

/// Returns the examples of a source, as comments on an item, each with the number of its line. A block in another
/// language is not an example.
fn examples_of(source: &str) -> Vec<(usize, String)> {
    let mut examples = Vec::new();
    let mut open: Option<(usize, String, bool)> = None;
    for (at, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let Some(text) = line.strip_prefix("//!").or_else(|| line.strip_prefix("///")) else { continue };
        let fence = text.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(info)) => {
                let is_rust = ["", "rust", "no_run", "should_panic", "compile_fail"].contains(&info.trim());
                open = Some((at + 1, format!("///{text}\n"), is_rust));
            }
            (None, None) => {}
            (Some((_, example, _)), None) => *example += &format!("///{text}\n"),
            (Some(_), Some(_)) => {
                let (line, example, is_rust) = open.take().expect("a block is open");
                examples.extend(is_rust.then(|| (line, format!("{example}///{text}\n"))));
            }
        }
    }
    examples
}
