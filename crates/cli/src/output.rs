//! Opens the files that the command writes: regular files, character devices, and pipes that a process reads.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Opens an output file with these options, and does not wait until a process reads a pipe.
///
/// # Errors
///
/// Returns the errors of the system. Returns `InvalidInput` for a pipe that no process reads, and for anything that
/// cannot be written like a file, such as a socket.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path).map_err(|error| open_error(path, error))?;
    let kind = file.metadata()?.file_type();
    if !(kind.is_file() || kind.is_char_device() || kind.is_fifo()) {
        return Err(refused("it is not a file, a character device or a pipe"));
    }
    // Writing blocks while a pipe is full. A write that does not block would lose a part of a line.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Replaces the content of a file, as `std::fs::write` does.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    open(path, OpenOptions::new().write(true).create(true).truncate(true))?.write_all(text.as_bytes())
}

/// Returns the error for an output that cannot be opened. The system uses the same error number for a pipe without a
/// reader and for a socket.
fn open_error(path: &Path, error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(Errno::NXIO.raw_os_error()) {
        return error;
    }
    refused(match path.metadata() {
        Ok(meta) if meta.file_type().is_fifo() => "no process reads this pipe; start its reader first, or name a file",
        _ => "it is not a file, a character device or a pipe",
    })
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
