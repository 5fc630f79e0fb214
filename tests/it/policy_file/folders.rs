//! Wrong policies of several files, each in a folder of `tests/policy_errors` with the whole of what it is told.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use tower_error_envelope::{PolicyError, PolicyLoader};

/// What every secret and every key in clear text of these files contains, and no message does.
const SECRET: &str = "sk_live_";

#[test]
fn m2_wrong_files_are_told_by_name_and_line_what_would_be_right() {
    let folders = folders();
    let wrong: Vec<String> = folders.iter().filter_map(|folder| not_as_expected(folder)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
    assert!(folders.len() >= 60, "{} folders", folders.len());
}

#[test]
fn m2_no_message_shows_a_secret_or_the_text_of_a_key() {
    let mut with_secrets = 0;
    for folder in folders() {
        let refused = refused(&folder).expect("it is refused");
        let told = format!("{refused} {refused:?} {}", causes(&refused));
        assert!(!told.contains(SECRET), "{}: {told}", folder.display());
        with_secrets += usize::from(fs::read_to_string(folder.join("policy.toml")).unwrap().contains(SECRET));
    }
    assert!(with_secrets >= 5, "{with_secrets} folders have a secret to show");
}

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy_errors");
    let mut folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn refused(folder: &Path) -> Option<PolicyError> {
    let environment = |name: &str| match name {
        "SHORT" => Some(format!("{SECRET}1")),
        "HALF" => Some(SECRET.repeat(5)),
        "LONG" => Some(SECRET.repeat(8)),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    PolicyLoader::new().environment(environment).verifiers(["partner"]).load(folder.join("policy.toml")).err()
}

/// The message, with names relative to the folder.
fn not_as_expected(folder: &Path) -> Option<String> {
    let name = folder.file_name().unwrap().display();
    let expected = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
    let Some(refused) = refused(folder) else { return Some(format!("{name}: accepted")) };
    let found = refused.to_string().replace(&format!("{}/", folder.display()), "");
    (found != expected.trim_end()).then(|| format!("{name}: {found}"))
}

fn causes(error: &PolicyError) -> String {
    let mut told = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        told += &format!("{error} {error:?} ");
        cause = error.source();
    }
    told
}
