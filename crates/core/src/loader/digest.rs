//! The hash of a policy. It is equal on all machines that have the same files with the same texts in the policy's
//! folder.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::sources::SourceFile;
use crate::table::NamedFile;

/// So many hexadecimal digits that no two policies of one organisation have the same, and so few that people can
/// compare them.
const DIGITS: usize = 16;

/// The hash of a text, in hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    shortened(Sha256::digest(text))
}

/// The hash of all files of a policy. The folder and the file name of the policy itself do not count, because gateways
/// may have it in different places.
pub(super) fn digest_of_files(texts: &[SourceFile], more: &[NamedFile]) -> String {
    let folder = texts.first().and_then(|first| Path::new(&first.name).parent()).unwrap_or(Path::new(""));
    let included = texts.iter().skip(1).map(|it| (Path::new(&it.name), &it.text));
    let named = more.iter().map(|it| (it.path.as_path(), &it.text));
    let mut hasher = Sha256::new();
    for (path, text) in texts.iter().take(1).map(|it| (Path::new(""), &it.text)).chain(included).chain(named) {
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        // Line ends and byte order marks, which editors may change, do not make it another policy.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        for part in [&name, &text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    shortened(hasher.finalize())
}

fn shortened(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}
