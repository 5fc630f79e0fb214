//! Finds the crates of the workspace, and their sources.

use std::path::Path;
use std::{fs, iter};

use super::files_in;

/// Returns the crates of the workspace, by their folders. The benches are no crate of the house, because they stand on
/// all of them.
pub(super) fn members() -> Vec<String> {
    let folders = fs::read_dir(root().join("crates")).unwrap().map(|folder| folder.unwrap().file_name());
    let folders = folders.map(|name| format!("crates/{}", name.to_str().expect("an ASCII name")));
    let mut members: Vec<String> = iter::once(".".to_owned()).chain(folders).collect();
    members.sort();
    members
}

/// Reads the manifest of a crate.
pub(super) fn manifest(member: &str) -> toml::Table {
    fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap().parse().expect("a manifest")
}

/// Returns the name by which others depend on a crate.
pub(super) fn package(member: &str) -> String {
    manifest(member)["package"]["name"].as_str().expect("a name").to_owned()
}

/// Returns the sources of a crate by their paths under its `src/`.
pub(super) fn sources(member: &str) -> Vec<(String, String)> {
    files_in(&root().join(member).join("src"))
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
