//! Reads a case's policy: as text, as a file, or with further files in its folder.

use std::path::{Path, PathBuf};

use tower_error_envelope::Policy;
use tower_error_envelope::policy::{PolicyFile, PolicyLoader};

use super::format::Case;

/// Returns a maker of the policy, because each layer of a chain needs one, or the text of its refusal.
pub(super) fn from_case(case: &Case) -> Result<impl Fn() -> Policy, String> {
    let folder = if case.files.is_empty() { None } else { Some(Folder::with(case)) };
    let variables = case.env.clone();
    let loader = PolicyLoader::new().environment(move |name| variables.get(name).cloned());
    let build = move || {
        let read = match (&case.policy_file, &case.policy, &folder) {
            (Some(file), ..) => loader.load(case.folder.join(file)),
            (None, Some(_), Some(folder)) => loader.load(folder.policy()),
            (None, Some(text), None) => loader.parse("policy.toml", text),
            (None, None, _) => return Ok(Policy::default()),
        };
        read.map(PolicyFile::into_policy)
    };
    build().map_err(|error| error.to_string())?;
    Ok(move || build().expect("it was taken a moment ago"))
}

/// A folder with `policy.toml` and its further files. It is removed when dropped.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn with(case: &Case) -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("envelope-cases-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        folder.write("policy.toml", case.policy.as_deref().unwrap_or("version = 1\n"));
        case.files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    pub(super) fn policy(&self) -> PathBuf {
        self.0.join("policy.toml")
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a temporary folder");
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
