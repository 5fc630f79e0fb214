//! Recorded exchanges: a client's request and a service's response, read from files.
//!
//! 1. [`http_file`] reads one response as it was on the wire, such as `curl -i` writes it, and its request if there
//!    is one: the response `NAME.http` belongs to the request `NAME.request.http` next to it.
//! 2. [`har`] reads the entries of a HAR 1.2 file, one after the other: a large file takes no more memory than its largest
//!    entry.
//!
//! The first character of a file decides which of the two it is: a HAR is a JSON object.

mod exchange;
mod har;
mod http_file;
mod reader;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;

pub(crate) use self::exchange::Recorded;
use self::exchange::request_bytes;
pub(crate) use self::reader::unreadable;
use self::reader::{Reader, open};
use crate::failure::CommandError;

/// A file that was opened: a HAR, one response, or a log of which [`learn`](crate::learn) reads the lines.
pub(crate) struct Source<'p> {
    pub(crate) path: &'p Path,
    pub(crate) reader: Reader,
    pub(crate) is_har: bool,
}

impl<'p> Source<'p> {
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn open(path: &'p Path) -> Result<Self, CommandError> {
        let mut reader = open(path)?;
        let is_har = is_har(reader.fill_buf().map_err(|error| unreadable(path, &error))?);
        Ok(Self { path, reader, is_har })
    }

    /// Reads the exchanges, one after the other; returns how many were left out because they have no response.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is neither a HAR nor an HTTP message, or `take` fails.
    pub(crate) fn each(
        self,
        mut take: impl FnMut(Recorded) -> Result<(), CommandError>,
    ) -> Result<usize, CommandError> {
        if self.is_har {
            return har::each(self.path, self.reader, &mut take);
        }
        take(pair_of(self.path, self.reader, None)?).map(|()| 0)
    }
}

/// Reads one response, and its request.
///
/// # Errors
///
/// The file cannot be read, or is not an HTTP message.
pub(crate) fn pair(response: &Path, request: Option<&Path>) -> Result<Recorded, CommandError> {
    pair_of(response, open(response)?, request)
}

fn pair_of(path: &Path, reader: Reader, request: Option<&Path>) -> Result<Recorded, CommandError> {
    let neighbour = request_beside(path);
    let request = request.or(neighbour.as_deref()).map(http_file::request).transpose()?;
    let request = request.unwrap_or_else(|| Request::new(Bytes::new()));
    let response = http_file::response(path, reader, request.method())?;
    let request_bytes = request_bytes(&request, None);
    Ok(Recorded { place: path.display().to_string(), request, request_bytes, response })
}

/// Whether a file is the request that belongs to a response file: it is read together with that one.
pub(crate) fn is_request(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let stem = name.and_then(|name| name.strip_suffix(".request.http"));
    stem.is_some_and(|stem| path.with_file_name(format!("{stem}.http")).exists())
}

fn request_beside(response: &Path) -> Option<PathBuf> {
    let stem = response.file_name()?.to_str()?.strip_suffix(".http")?;
    Some(response.with_file_name(format!("{stem}.request.http"))).filter(|request| request.exists())
}

/// Whether a file with these first characters is a HAR.
///
/// A log from Docker also begins like an object with the key `log`, but its value is a text.
fn is_har(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(first) {
        Ok(object) => object.get("log").is_some_and(serde_json::Value::is_object),
        Err(_) => start.starts_with(b"{"),
    }
}

#[cfg(test)]
mod tests;
