//! Finds the command, which belongs to another package. `cargo test` builds it first, because of the workspace's
//! `default-members`.

use std::path::PathBuf;

/// Returns `target/<profile>/error-envelope`, next to the folder `deps` of this test.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps");
    let binary = profile.join(format!("error-envelope{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.exists(),
        "{}: not there; `cargo build -p error-envelope-cli` (or a whole `cargo test`) makes it",
        binary.display()
    );
    binary
}
