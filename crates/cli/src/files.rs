//! Reads files and standard input, and writes a file completely or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::OnceLock;

use crate::failure::CommandError;

/// The name of standard input on the command line and in errors. A file of this name is `./-`.
pub(crate) const STDIN: &str = "-";

/// Reads at most `most` bytes of a file, or of standard input.
pub(crate) fn read_or_stdin(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new(STDIN) {
        true => io::stdin().take(most).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// A policy's text from standard input. It can be read only once, and reports show its lines.
static POLICY_OF_STDIN: OnceLock<String> = OnceLock::new();

/// The longest policy: as long as the file of one may be.
const MOST_OF_POLICY: u64 = 4 * 1024 * 1024;

/// Reads a policy's text from standard input if one of the names is `-`.
pub(crate) fn keep_policy_of_stdin<'a>(mut names: impl Iterator<Item = &'a Path>) -> Result<(), CommandError> {
    if !names.any(|name| name == Path::new(STDIN)) {
        return Ok(());
    }
    let failed = |why: &str| CommandError::Io(format!("{STDIN}: cannot be read: {why}; write a policy to it"));
    let bytes = read_or_stdin(Path::new(STDIN), MOST_OF_POLICY + 1).map_err(|error| failed(&error.to_string()))?;
    if bytes.len() as u64 > MOST_OF_POLICY {
        return Err(failed("it is larger than 4 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8"))?;
    POLICY_OF_STDIN.get_or_init(|| text);
    Ok(())
}

/// The policy's text that [`keep_policy_of_stdin`] read, if this is its name.
pub(crate) fn policy_of_stdin(name: &Path) -> Option<&'static str> {
    POLICY_OF_STDIN.get().filter(|_| name == Path::new(STDIN)).map(String::as_str)
}

/// The text of a policy's file, for reports.
pub(crate) fn text(name: &str) -> Option<String> {
    policy_of_stdin(Path::new(name)).map(str::to_owned).or_else(|| fs::read_to_string(name).ok())
}

/// Writes a temporary file in the same folder, then renames it: a reader gets either the old file or the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create_new(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        // The temporary file is of no use; a failure to remove it does not matter.
        let _ = fs::remove_file(&temporary);
        CommandError::Io(format!("{}: cannot be written: {error}\n = help: name a writable folder", path.display()))
    })
}
