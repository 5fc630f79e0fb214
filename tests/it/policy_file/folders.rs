//! Tests wrong policies of several files, from `tests/policy_errors.toml`, each in its own folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tower_error_envelope::PolicyError;
use tower_error_envelope::auth::RemoteKeys;
use tower_error_envelope::policy::PolicyLoader;

use super::{assert_text, place};

/// A text in each secret and each clear key of these files. No message may contain it.
const SECRET: &str = "sk_live_";

#[derive(Deserialize)]
struct Refused {
    folder: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    name: String,
    at: String,
    kind: String,
    files: BTreeMap<String, String>,
}

#[test]
fn m2_mistakes_are_reported_with_file_line_and_what_would_be_right() {
    let folders = folders();
    let wrong: Vec<String> = folders.iter().filter_map(not_as_expected).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), folders.len(), wrong.join("\n"));
    assert!(folders.len() >= 60, "{} folders", folders.len());
}

#[test]
fn m2_no_message_shows_a_secret_or_the_text_of_a_key() {
    let mut with_secrets = 0;
    for folder in folders() {
        let refused = refused(&folder.written("secrets")).expect("it is refused");
        let texts = format!("{refused} {refused:?} {}", causes(&refused));
        assert!(!texts.contains(SECRET), "{}: {texts}", folder.name);
        with_secrets += usize::from(folder.files["policy.toml"].contains(SECRET));
    }
    assert!(with_secrets >= 5, "{with_secrets} folders have a secret to show");
}

fn folders() -> Vec<Folder> {
    toml::from_str::<Refused>(include_str!("../../policy_errors.toml")).unwrap().folder
}

impl Folder {
    /// Writes the files, and returns their folder.
    fn written(&self, test: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("policy_errors").join(test).join(&self.name);
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }
}

fn refused(folder: &Path) -> Option<PolicyError> {
    let environment = |name: &str| match name {
        "SHORT" => Some(format!("{SECRET}1")),
        "HALF" => Some(SECRET.repeat(5)),
        "LONG" => Some(SECRET.repeat(8)),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let loader = PolicyLoader::new().environment(environment).verifiers(["partner"]);
    loader.key_sets(|url| Ok(RemoteKeys::never_fetched(url))).load(folder.join("policy.toml")).err()
}

/// Returns the error if it is not at the expected place. Names of files are relative to the folder.
fn not_as_expected(folder: &Folder) -> Option<String> {
    let Folder { name, at, kind, .. } = folder;
    let written = folder.written("texts");
    let Some(refused) = refused(&written) else { return Some(format!("{name}: accepted")) };
    assert_text(&refused);
    let found = place(&refused).replace(&format!("{}/", written.display()), "");
    (found != *at || refused.kind() != kind)
        .then(|| format!("{name}: {found} [{}], not {at} [{kind}]: {refused}", refused.kind()))
}

fn causes(error: &PolicyError) -> String {
    let mut texts = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        texts += &format!("{error} {error:?} ");
        cause = error.source();
    }
    texts
}
