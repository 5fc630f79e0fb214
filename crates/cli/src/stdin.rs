//! Reads standard input if the user gives `-` as the name of a file.

use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

use error_envelope_runtime::files::read_regular;

/// The name of standard input on the command line and in errors. To read a file with this name, users write `./-`.
pub(crate) const NAME: &str = "-";

/// Reads a file of at most this many MiB, or standard input.
pub(crate) fn read(path: &Path, most_mib: u64) -> io::Result<Vec<u8>> {
    let (mut bytes, most) = (Vec::new(), most_mib * 1024 * 1024);
    if path != Path::new(NAME) {
        return read_regular(path, most);
    }
    io::stdin().take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most_mib} MiB"))),
        false => Ok(bytes),
    }
}

/// The largest text of a policy, in MiB.
const POLICY_MIB: u64 = 4;

/// A policy's text from standard input. It is kept, because standard input can be read only once, and reports show
/// lines of the policy.
static POLICY: OnceLock<String> = OnceLock::new();

/// Reads a policy's text from standard input if one of the names is `-`.
pub(crate) fn keep_policy<'a>(mut names: impl Iterator<Item = &'a Path>) -> Result<(), String> {
    if !names.any(|name| name == Path::new(NAME)) {
        return Ok(());
    }
    let text = read(Path::new(NAME), POLICY_MIB).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    });
    let text = text.map_err(|why| format!("{NAME}: cannot be read: {why}; write a policy to it"))?;
    POLICY.get_or_init(|| text);
    Ok(())
}

/// Returns the text of the policy that [`keep_policy`] read, if `name` is standard input.
pub(crate) fn policy(name: &Path) -> Option<&'static str> {
    POLICY.get().filter(|_| name == Path::new(NAME)).map(String::as_str)
}

/// Returns the text of a policy's file, for reports.
pub(crate) fn text_of(name: &str) -> Option<String> {
    let of_file = || String::from_utf8(read_regular(Path::new(name), POLICY_MIB * 1024 * 1024).ok()?).ok();
    policy(Path::new(name)).map(str::to_owned).or_else(of_file)
}
