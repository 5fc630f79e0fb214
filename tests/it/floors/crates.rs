//! The crates of the workspace, and their sources.

use std::fs;
use std::path::Path;

use super::files_in;

/// Measures, which stand on every crate and under none.
const NO_HOUSE: &str = "benches";

/// The crates of the workspace, by their folders.
pub(super) fn members() -> Vec<String> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let listed = manifest["workspace"]["members"].as_array().expect("members").iter();
    let listed = listed.map(|member| member.as_str().expect("a folder")).filter(|member| *member != NO_HOUSE);
    ["."].into_iter().chain(listed).map(str::to_owned).collect()
}

/// The sources of a crate by their paths under its `src/`.
pub(super) fn sources(member: &str) -> Vec<(String, String)> {
    files_in(&root().join(member).join("src"))
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
