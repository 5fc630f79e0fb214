//! Names and comments of every crate are plain: CONTRIBUTING, "Words".

use std::path::Path;
use std::process::Command;

/// No name of ours: each says less than the type's.
const NAMES: [&str; 9] = ["said", "told", "heard", "asked", "terms", "manner", "aside", "exhibit", "untaken"];
/// Programs do none of it.
const VERBS: [&str; 5] = ["says", "tells", "hears", "asks", "knows"];

/// The names and the comments of a file of Rust, with the number of their line; texts and characters are left out.
fn words_of(source: &str) -> Vec<(usize, bool, &str)> {
    let (mut words, mut rest, mut line) = (Vec::new(), source, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |it: char| it.is_alphanumeric() || it == '_';
        let taken = if rest.starts_with("//") {
            let comment = rest.lines().next().unwrap_or_default();
            let of_comment = comment.split(|it| !is_word(it)).filter(|word| !word.is_empty());
            words.extend(of_comment.map(|word| (line, true, word)));
            comment.len()
        } else if let Some(quoted) = quoted(rest) {
            quoted
        } else if is_word(first) {
            let end = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
            words.push((line, false, &rest[..end]));
            end
        } else {
            first.len_utf8()
        };
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    words
}

/// The length of the text or character that it begins with.
fn quoted(source: &str) -> Option<usize> {
    let inside = source.trim_start_matches(['b', 'r', 'c']);
    let prefix = source.len() - inside.len();
    let hashes = inside.len() - inside.trim_start_matches('#').len();
    if source[..prefix].contains('r') && inside[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let start = prefix + hashes + 1;
        return Some(source[start..].find(&end).map_or(source.len(), |at| start + at + end.len()));
    }
    let quote = inside.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let (mut at, bytes) = (prefix + 1, source.as_bytes());
    if quote == '\'' && bytes.get(at) != Some(&b'\\') {
        // A character, and no lifetime.
        let end = source[at..].char_indices().nth(1)?.0;
        return source[at + end..].starts_with('\'').then_some(at + end + 1);
    }
    while bytes.get(at).is_some_and(|byte| *byte != quote as u8) {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some((at + 1).min(source.len()))
}

#[test]
fn texts_and_characters_are_no_words() {
    let source = "let a = \"said \\\" told\"; // he says\nlet b = r#\"asked \" told\"#; let c = '\"'; fn d<'asks>(x: &'asks str) {}";
    let words: Vec<_> = words_of(source).into_iter().filter(|(.., word)| word.len() > 3).collect();
    assert_eq!(words, [(1, true, "says"), (2, false, "asks"), (2, false, "asks")]);
}

#[test]
fn names_and_comments_are_plain() {
    let is_plain = |word: &str, is_comment: bool| !(NAMES.contains(&word) || is_comment && VERBS.contains(&word));
    assert_plain(&["crates/*/src/*.rs", "src/*.rs"], is_plain);
}

#[test]
fn names_in_tests_are_plain() {
    let folders =
        ["benches/*.rs", "crates/envoy/*.rs", "crates/gateway/*.rs", "examples/*.rs", "fuzz/*.rs", "tests/*.rs"];
    assert_plain(&folders, |word, is_comment| is_comment || !NAMES.contains(&word));
}

#[track_caller]
fn assert_plain(files: &[&str], is_plain: impl Fn(&str, bool) -> bool) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").arg("ls-files").args(files).current_dir(root).output().unwrap();
    let (listed, mut found) = (String::from_utf8(listed.stdout).unwrap(), Vec::new());
    assert!(!listed.is_empty(), "no files: {files:?}");
    for path in listed.lines() {
        let Ok(source) = std::fs::read_to_string(root.join(path)) else { continue };
        let words = words_of(&source).into_iter().filter(|(_, is_comment, word)| !is_plain(word, *is_comment));
        found.extend(words.map(|(line, _, word)| format!("{path}:{line}: {word}")));
    }
    assert!(found.is_empty(), "write what is meant: {found:#?}");
}
