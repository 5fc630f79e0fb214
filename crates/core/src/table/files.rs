//! Reads files of any kind, such as a pipe without a writer or a device without an end.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::{Kind, PolicyError, line_of};
use super::values::format_size;

/// The maximum number of bytes of a file that people write, such as a policy. A larger file is something else.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The largest file of a kind that has no other limit (M2).
pub const MAX_ANY_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A file that a value names, such as a file with keys, a schema or a page.
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Returns the text of a policy file. A file with more than `most` bytes is refused.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String, PolicyError> {
    let name = path.display().to_string();
    let refused =
        |wrong: String, right: &str| PolicyError::new(None, wrong, right).of_kind(Kind::File).in_file(&name, None);
    let bytes = read_regular(path, most).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => refused(format!("is larger than {}", format_size(most)), "name a policy file"),
        ErrorKind::InvalidInput => refused(format!("cannot be read: {error}"), "name a regular file").caused_by(error),
        _ => refused(format!("cannot be read: {error}"), "name a readable file").caused_by(error),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        refused("is not UTF-8".to_owned(), "save it as UTF-8").in_file(&name, Some(line))
    })
}

/// Reads a regular file of at most `most` bytes, following symbolic links.
///
/// Neither opening nor reading waits for a writer. Both may wait for a file system that does not respond.
///
/// # Errors
///
/// Returns errors of the system. Returns `InvalidInput` for anything except a regular file, such as a folder, a pipe or
/// a device, and `FileTooLarge` for a longer file.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path).map_err(|error| open_error(path, error))?;
    // This is the metadata of the file that was opened, because its name may already belong to another file.
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(not_a_regular_file(meta.file_type()));
    }
    let mut bytes = Vec::new();
    if meta.len() <= most {
        file.take(most + 1).read_to_end(&mut bytes)?;
    }
    if meta.len() > most || bytes.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}", format_size(most))));
    }
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // With these flags, opening a pipe does not block, and a terminal does not become the process's controlling
    // terminal.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}

/// Returns the error for a file that cannot be opened. For a socket, the system would report "no such device".
fn open_error(path: &Path, error: io::Error) -> io::Error {
    match path.metadata() {
        Ok(meta) if !meta.is_file() => not_a_regular_file(meta.file_type()),
        _ => error,
    }
}

fn not_a_regular_file(kind: FileType) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {}, not a regular file", name_of(kind)))
}

#[cfg(unix)]
fn name_of(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name_of(kind: FileType) -> &'static str {
    if kind.is_dir() { "a folder" } else { "a device" }
}
