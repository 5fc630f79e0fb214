//! Opening a recording.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::failure::CommandError;

pub(crate) type Reader = BufReader<File>;

/// Opens a file, behind its byte order mark.
pub(crate) fn open(path: &Path) -> Result<Reader, CommandError> {
    const MARK: &[u8] = b"\xef\xbb\xbf";

    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    if reader.fill_buf().map_err(|error| unreadable(path, &error))?.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(reader)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Io(format!("{}: cannot be read: {error}; name a readable file", path.display()))
}
