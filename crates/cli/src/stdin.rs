//! Standard input in place of a file: `-`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

/// The name of standard input on the command line and in errors. A file of this name is `./-`.
pub(crate) const NAME: &str = "-";

/// Reads at most `most` bytes of a file, or of standard input.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new(NAME) {
        true => io::stdin().take(most).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// A policy's text from standard input. It can be read only once, and reports show its lines.
static POLICY: OnceLock<String> = OnceLock::new();

/// The longest policy: as long as the file of one may be.
const MOST_OF_POLICY: u64 = 4 * 1024 * 1024;

/// Reads a policy's text from standard input if one of the names is `-`.
pub(crate) fn keep_policy<'a>(mut names: impl Iterator<Item = &'a Path>) -> Result<(), String> {
    if !names.any(|name| name == Path::new(NAME)) {
        return Ok(());
    }
    let failed = |why: &str| format!("{NAME}: cannot be read: {why}; write a policy to it");
    let bytes = read(Path::new(NAME), MOST_OF_POLICY + 1).map_err(|error| failed(&error.to_string()))?;
    if bytes.len() as u64 > MOST_OF_POLICY {
        return Err(failed("it is larger than 4 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8"))?;
    POLICY.get_or_init(|| text);
    Ok(())
}

/// The policy's text that [`keep_policy`] read, if this is its name.
pub(crate) fn policy(name: &Path) -> Option<&'static str> {
    POLICY.get().filter(|_| name == Path::new(NAME)).map(String::as_str)
}

/// The text of a policy's file, for reports.
pub(crate) fn text_of(name: &str) -> Option<String> {
    policy(Path::new(name)).map(str::to_owned).or_else(|| fs::read_to_string(name).ok())
}
