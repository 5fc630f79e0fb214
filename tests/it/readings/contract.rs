//! Computes the readings of a path as the contract states them (rule G0): every step on every path that the steps make.
//! Two further steps are added, because some servers use them.

use std::collections::BTreeMap;

/// The number of decoding steps, because the contract decodes twice.
const DECODES: usize = 2;

/// Spellings of a slash, each kind separately.
const SEPARATORS: [&[&[u8]]; 3] = [&[b"%2f", b"%2F"], &[b"%5c", b"%5C"], &[b"\\"]];

/// Returns all readings, without regard to letter case.
pub(crate) fn readings(path: &str) -> Vec<Vec<u8>> {
    // Each path, with the fewest decodes that make it.
    let mut found: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut left = vec![(path.as_bytes().to_vec(), 0)];
    while let Some((path, decodes)) = left.pop() {
        if found.get(&path).is_some_and(|fewest| *fewest <= decodes) {
            continue;
        }
        for step in [
            resolve,
            resolve_encoded,
            merge,
            without_last_slash,
            cut_parameters,
            before_semicolon,
            behind_host,
            without_ignored,
            small,
            capital,
            before_query,
            before_ampersand,
            sanitized,
        ] {
            left.push((step(&path), decodes));
        }
        left.extend(SEPARATORS.iter().map(|separators| (as_slashes(&path, separators), decodes)));
        if decodes < DECODES {
            left.extend([&b""[..], b"/", b"\\", b"/\\"].map(|kept| (decode(&path, kept), decodes + 1)));
        }
        found.insert(path, decodes);
    }
    let elements: Vec<_> = found.keys().flat_map(|path| elements(path)).collect();
    found.into_keys().chain(elements).collect()
}

/// Returns the elements of a list in the last segment, each in that segment's place.
fn elements(path: &[u8]) -> Vec<Vec<u8>> {
    let start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (folder, list) = path.split_at(start);
    list.split(|byte| *byte == b',').map(|element| [folder, element].concat()).collect()
}

fn decode(path: &[u8], kept: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let digit = |at: usize| path.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let byte = match (path[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok().filter(|byte| !kept.contains(byte)),
            _ => None,
        };
        decoded.push(byte.unwrap_or(path[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    decoded
}

fn as_slashes(path: &[u8], separators: &[&[u8]]) -> Vec<u8> {
    let mut text: Vec<u8> = path.to_vec();
    for separator in separators {
        while let Some(at) = text.windows(separator.len()).position(|window| window == *separator) {
            text.splice(at..at + separator.len(), *b"/");
        }
    }
    text
}

fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    path[1..].split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect()
}

fn joined(segments: &[Vec<u8>]) -> Vec<u8> {
    [b"/", &segments.join(&b'/')[..]].concat()
}

fn resolve(path: &[u8]) -> Vec<u8> {
    resolved(path, |segment| segment.to_vec())
}

/// In the WHATWG's URLs, `%2e` is a dot, and nothing else is decoded.
fn resolve_encoded(path: &[u8]) -> Vec<u8> {
    resolved(path, |segment| if segment.len() <= 6 { decode(segment, b"") } else { segment.to_vec() })
}

fn resolved(path: &[u8], read: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let segments = segments(path);
    let mut resolved = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let is_last = at + 1 == segments.len();
        match &read(segment)[..] {
            b"." => {}
            b".." => drop(resolved.pop()),
            _ => {
                resolved.push(segment.clone());
                continue;
            }
        }
        if is_last {
            resolved.push(Vec::new());
        }
    }
    joined(&resolved)
}

fn merge(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|one, other| *one == b'/' && *other == b'/');
    merged
}

fn without_last_slash(path: &[u8]) -> Vec<u8> {
    match path {
        [before @ .., b'/'] if !before.is_empty() => before.to_vec(),
        _ => path.to_vec(),
    }
}

/// Removes controls, and bytes that are no UTF-8.
fn without_ignored(path: &[u8]) -> Vec<u8> {
    let valid: String = path.utf8_chunks().map(|chunk| chunk.valid()).collect();
    valid.replace(char::is_control, "").into()
}

/// Changes letters outside ASCII to lower case.
fn small(path: &[u8]) -> Vec<u8> {
    with_letters(path, |letter| letter.to_lowercase().collect())
}

/// Changes letters outside ASCII to upper case.
fn capital(path: &[u8]) -> Vec<u8> {
    with_letters(path, |letter| letter.to_uppercase().collect())
}

fn with_letters(path: &[u8], form: fn(char) -> String) -> Vec<u8> {
    let Ok(text) = str::from_utf8(path) else { return path.to_vec() };
    let letters = text.split("").filter_map(|text| text.chars().next());
    letters.map(|letter| if letter.is_ascii() { letter.into() } else { form(letter) }).collect::<String>().into()
}

fn before_query(path: &[u8]) -> Vec<u8> {
    path.split(|byte| matches!(byte, b'?' | b'#' | 0)).next().unwrap_or_default().to_vec()
}

fn before_ampersand(path: &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == b'&').next().unwrap_or_default().to_vec()
}

fn sanitized(path: &[u8]) -> Vec<u8> {
    path.iter().copied().filter(|byte| (b'!'..=b'~').contains(byte) && *byte != b'+').collect()
}

/// This step is not in the contract: Fastify can end a path at its first semicolon.
fn before_semicolon(path: &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == b';').next().unwrap_or_default().to_vec()
}

/// This step is not in the contract: for a parser of URLs, a host follows two slashes.
fn behind_host(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"//") {
        return path.to_vec();
    }
    let named = path.iter().skip_while(|byte| **byte == b'/');
    let path: Vec<u8> = named.skip_while(|byte| **byte != b'/').copied().collect();
    if path.is_empty() { b"/".to_vec() } else { path }
}

fn cut_parameters(path: &[u8]) -> Vec<u8> {
    let cut = |segment: Vec<u8>| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    joined(&segments(path).into_iter().map(cut).collect::<Vec<_>>())
}
