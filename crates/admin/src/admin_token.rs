//! The token that requests need, in a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

/// A shorter token could be guessed.
const SHORTEST: usize = 32;
/// A larger file is not a token file: the operator named another file by mistake.
const LONGEST: u64 = 4096;
/// A file system that does not answer makes the request fail, and blocks no other request.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A file with one token. It is read anew for each request, so that a new token applies at once.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile(Arc<Path>);

impl TokenFile {
    /// Reads the file once, so that a mistake is found at the start.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        read(&path)?;
        Ok(Self(path.into()))
    }

    /// Whether this is the token, compared in constant time. The time shows only the token's length, which is public.
    ///
    /// # Errors
    /// The file cannot be read now, or is too short.
    #[allow(clippy::disallowed_methods, reason = "a server has an executor; the ban is for the library")]
    pub(crate) async fn accepts(&self, sent: &[u8]) -> io::Result<bool> {
        let path = self.0.clone();
        let reading = tokio::time::timeout(READ_WITHIN, tokio::task::spawn_blocking(move || read(&path))).await;
        let token = reading.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)??;
        Ok(token.ct_eq(sent).into())
    }
}

/// The token without the white space around it, such as an editor's line end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named = |kind, why: &dyn std::fmt::Display| io::Error::new(kind, format!("{}: {why}", path.display()));
    let mut text = Vec::new();
    let reading = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
    reading.map_err(|error| named(error.kind(), &error))?;
    let token = text.trim_ascii();
    match token.len() {
        SHORTEST.. if text.len() as u64 <= LONGEST => Ok(token.to_vec()),
        length => {
            let why = format!("the token has {length} bytes; write at least {SHORTEST}: openssl rand -hex 32");
            Err(named(io::ErrorKind::InvalidData, &why))
        }
    }
}
