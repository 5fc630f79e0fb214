//! Writes a file completely or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::failure::CommandError;

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
