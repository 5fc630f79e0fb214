//! The command, which is another package's: the workspace's `default-members` have `cargo test` build it first.

use std::path::PathBuf;

/// `target/<profile>/error-envelope`, beside the `deps` that this test is in.
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
