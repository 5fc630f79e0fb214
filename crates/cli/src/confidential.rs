//! Decides which lines of a refused policy an error message may show.
//!
//! CI systems store the output of `check` in their logs (L3). A wrong policy may contain a clear-text key instead of a
//! hash, or a secret instead of the name of its variable. The reported error can be a different error on the same line.
//! So a line is shown unchanged only if its table and its key prove that it contains neither a key nor a secret. In any
//! other line, only words that are names in policies are shown, and `…` replaces the rest. These rules apply:
//!
//! 1. A line that sets a key, a hash or a secret is not shown. A URL with a query, or with a name in front of its host,
//!    is not shown either. The exception is a line whose `secret_env` is the name of an environment variable.
//! 2. The head of a table is shown, unless it contains an unknown name, which may be a key.
//! 3. In `[auth.*]`, a line is shown if its key never contains a credential.
//! 4. In all other tables of a policy, every line is shown. Lines of unknown tables are not shown, because the table
//!    may belong to a file of keys.

use std::ops::Range;

use error_envelope_core::loader::{FILE_KEYS, is_variable_name};

/// The keys of `[auth.*]`, and of the messages in it, that never contain a credential.
const OPEN_OF_AUTH: &str = "\
    scheme forward_id header pattern challenge timeout algorithms issuer audience leeway require_verified_email \
    jwks_file jwks_url keys_file missing malformed invalid expired no_email unavailable";

/// The other names in `[auth.*]`, which may be shown in a masked line.
const OTHERS_OF_AUTH: [&str; 9] =
    ["keys", "id", "sha256", "revoked", "expires", "secret_env", "messages", "true", "false"];

/// A line that contains one of these texts sets a credential. White space in the line is ignored.
const GIVING: [&str; 5] = ["key=", "keys=", "secret=", "secret_env=", "sha256"];

/// Returns true if the line in the byte range `line` of a file may be shown. `key` is the policy key that the error
/// names.
pub(crate) fn may_be_shown(text: &str, line: Range<usize>, key: Option<&str>) -> bool {
    let (above, line) = (&text[..line.start], &text[line]);
    if let Some(path) = table_of(line) {
        return is_open_head(path);
    }
    let dense: String = line.split_whitespace().collect();
    if dense.strip_prefix("secret_env=").is_some_and(is_variable) {
        return true;
    }
    let may_give = ["upstream", "jwks_url"].iter().any(|key| dense.contains(key)) && dense.contains(['@', '?']);
    if may_give || GIVING.iter().any(|giving| dense.contains(giving)) {
        return false;
    }
    let path = line.split('=').next().unwrap_or_default();
    // The error for a repeated key names the key without its table.
    let key_root = key.filter(|key| key.contains(['.', '['])).map(root_of);
    // A list of file names, above all tables, may have several lines.
    let listed = key_root.filter(|root| matches!(*root, "include" | "base"));
    let table = root_of(above.lines().rev().find_map(table_of).or(listed).unwrap_or(path));
    let last = path.rsplit('.').next().unwrap_or_default().trim();
    [Some(table), key_root].into_iter().flatten().all(|root| match root {
        "auth" => OPEN_OF_AUTH.split(' ').any(|key| key == last),
        other => FILE_KEYS.contains(&other),
    })
}

/// Returns the line with `…` in place of each quoted text, and of each word that is not a name in policies. Words of
/// `key` are also kept, because the error shows them anyway. Also returns the range in the masked line that corresponds
/// to `span`. Returns `None` if no word remains.
pub(crate) fn masked(line: &str, span: Range<usize>, key: Option<&str>) -> Option<(String, Range<usize>)> {
    let parts = || key.unwrap_or_default().split(['.', '[', ']', '"']);
    let is_name = |word: &str| {
        let mut names = FILE_KEYS.iter().chain(&OTHERS_OF_AUTH).copied().chain(OPEN_OF_AUTH.split(' '));
        names.any(|name| name == word)
    };
    let (mut shown, mut place, mut at, mut has_name) = (String::new(), 0..0, 0, false);
    while let Some(first) = line[at..].chars().next() {
        let piece = first_piece(&line[at..], first);
        let bytes = at..at + piece.len();
        if bytes.contains(&span.start) {
            place.start = shown.len();
        }
        match first {
            '"' | '\'' if piece.len() > 2 => shown.extend([first, '…', first]),
            '"' | '\'' => shown.push_str(piece),
            _ if is_mark(first) => shown.push(first),
            _ if is_name(piece) || parts().any(|part| part == piece) => {
                has_name = true;
                shown.push_str(piece);
            }
            _ => shown.push('…'),
        }
        if bytes.contains(&span.end.saturating_sub(1)) {
            place.end = shown.len();
        }
        at = bytes.end;
    }
    has_name.then_some((shown, place))
}

/// Returns the first piece of a line: a text in quotes, a punctuation mark or a word.
fn first_piece(rest: &str, first: char) -> &str {
    let end = match first {
        '"' | '\'' => rest[1..].find(first).map(|end| end + 2),
        _ if is_mark(first) => Some(first.len_utf8()),
        _ => rest.find(|next| is_mark(next) || matches!(next, '"' | '\'')),
    };
    &rest[..end.unwrap_or(rest.len())]
}

fn is_mark(character: char) -> bool {
    matches!(character, ' ' | '\t' | '=' | '.' | ',' | '[' | ']' | '{' | '}' | '#')
}

/// Returns true if a quoted text is the name of an existing environment variable. Such a text is not a secret.
fn is_variable(quoted: &str) -> bool {
    let name = quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    name.is_some_and(|name| is_variable_name(name) && std::env::var_os(name).is_some())
}

/// Returns true if all names in a table's head are names of policy tables, or look like misspellings of such names.
fn is_open_head(path: &str) -> bool {
    const LONGEST: usize = 16;
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'));
    let parts: Vec<&str> = path.split('.').map(str::trim).collect();
    match parts[..] {
        ["auth"] | ["auth", _] | ["auth", _, "keys" | "messages"] => true,
        ["auth", ..] => false,
        [root, ..] => FILE_KEYS.contains(&root) || root.len() <= LONGEST && is_plain(root),
        [] => false,
    }
}

/// Returns the table's path if this line is the head of a table.
fn table_of(line: &str) -> Option<&str> {
    let head = line.split('#').next().unwrap_or_default().trim();
    let name = head.strip_prefix('[')?.strip_suffix(']')?;
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    (!name.contains(['"', '\'', '=', '[', ',', '{'])).then_some(name)
}

/// Returns the first part of a path of keys.
fn root_of(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default().trim()
}
