//! The readings of a path (rule G0).
//!
//! A service decodes a path, resolves its dot segments, merges its slashes and cuts its parameters in some order, or does
//! not. [`readings`] makes every path that these steps make, in any order; decoding counts twice, and the other steps may
//! follow each decode. Letter case is no step here: a route's pattern is compared without it.
//!
//! Some steps are finer than the contract's, or further ones, since servers are so:
//!
//! - `%2F`, `%5C` and `\` become a slash each by itself;
//! - slashes may be merged where a trailing one stays (Go's `ServeMux`);
//! - dot segments are resolved as they are written, or as the WHATWG's URL standard reads them (`%2e` for a dot);
//! - what follows two leading slashes may be a host (`new URL(request.url, base)`, PHP's `parse_url`);
//! - a semicolon may end the path (Fastify's `useSemicolonDelimiter`).

use std::borrow::Cow;

use percent_encoding::percent_decode;
use rustc_hash::FxHashMap;

/// The most readings that are guarded: more than any path of an honest client has.
pub(crate) const MAX_READINGS: usize = 256;

/// The most bytes that they have in all: eight times the longest path that most servers take.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// A path has more readings than are guarded, or larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyReadings;

/// How often a stack decodes a path at most.
const DECODES: u8 = 2;

/// Every reading of a path, the path as sent first; letter case aside.
pub(crate) fn readings(path: &[u8]) -> Result<Vec<Vec<u8>>, TooManyReadings> {
    let mut found = Found::default();
    found.add(path.to_vec(), DECODES)?;
    let mut next = 0;
    while let Some((path, decodes)) = found.open.get(next).cloned() {
        next += 1;
        for made in steps(&found.paths[path], decodes > 0) {
            match made {
                Made::Decoded(made) => found.add(made, decodes - 1)?,
                Made::Tidied(made) => found.add(made, decodes)?,
            }
        }
    }
    Ok(found.paths)
}

/// The readings found, and what is still to be done with them.
#[derive(Default)]
struct Found {
    paths: Vec<Vec<u8>>,
    /// A path's place, and how often it may be decoded.
    open: Vec<(usize, u8)>,
    /// By path: its place, and the most decodes that it was found with.
    places: FxHashMap<Vec<u8>, (usize, u8)>,
    bytes: usize,
}

impl Found {
    fn add(&mut self, path: Vec<u8>, decodes: u8) -> Result<(), TooManyReadings> {
        if let Some((place, known)) = self.places.get_mut(&path) {
            if decodes > *known {
                *known = decodes;
                self.open.push((*place, decodes));
            }
            return Ok(());
        }
        let place = self.paths.len();
        self.bytes += path.len();
        if place == MAX_READINGS || self.bytes > MAX_BYTES {
            return Err(TooManyReadings);
        }
        self.places.insert(path.clone(), (place, decodes));
        self.open.push((place, decodes));
        self.paths.push(path);
        Ok(())
    }
}

enum Made {
    Decoded(Vec<u8>),
    Tidied(Vec<u8>),
}

/// What one step makes of a path; a step that has nothing to do makes nothing.
fn steps(path: &[u8], decodes: bool) -> Vec<Made> {
    let mut made = Vec::new();
    let is_coded = path.contains(&b'%');
    let (slash, backslash) = if is_coded { (has_code(path, b'f'), has_code(path, b'c')) } else { (false, false) };
    if is_coded && decodes {
        made.push(Made::Decoded(percent_decode(path).collect()));
        for (keeps_slash, keeps_backslash) in [(slash, false), (false, backslash), (slash, backslash)] {
            if keeps_slash || keeps_backslash {
                made.push(Made::Decoded(decoded_but(path, keeps_slash, keeps_backslash)));
            }
        }
    }
    let mut tidied = |path: Vec<u8>| made.push(Made::Tidied(path));
    if path.contains(&b'\\') {
        tidied(path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect());
    }
    for (is_there, digit) in [(slash, b'f'), (backslash, b'c')] {
        if is_there {
            tidied(replaced(path, digit));
        }
    }
    if path.windows(2).any(|pair| pair == b"/.") {
        tidied(resolved(path, |segment| Cow::Borrowed(segment)));
    }
    if is_coded && has_code(path, b'e') {
        tidied(resolved(path, |segment| percent_decode(segment).into()));
    }
    if path.windows(2).any(|pair| pair == b"//") {
        tidied(merged(path));
    }
    if path.len() > 1 && path.ends_with(b"/") {
        tidied(without_last_slashes(path));
    }
    if let Some(at) = path.iter().position(|byte| *byte == b';') {
        tidied(without_parameters(path));
        tidied(path[..at].to_vec());
    }
    if path.starts_with(b"//") {
        tidied(without_host(path));
    }
    made
}

/// Whether `%2F`, `%5C` or `%2E` is there, told by the last digit in lower case.
fn has_code(path: &[u8], digit: u8) -> bool {
    path.windows(3).any(|code| is_code(code, digit))
}

fn is_code(code: &[u8], digit: u8) -> bool {
    let first = if digit == b'c' { b'5' } else { b'2' };
    matches!(code, [b'%', tens, ones] if *tens == first && ones.to_ascii_lowercase() == digit)
}

/// Decoded, but for encoded separators: they stay part of their segment.
fn decoded_but(path: &[u8], keeps_slash: bool, keeps_backslash: bool) -> Vec<u8> {
    let is_kept = |code: &[u8]| keeps_slash && is_code(code, b'f') || keeps_backslash && is_code(code, b'c');
    let (mut decoded, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some(at) = rest.windows(3).position(is_kept) {
        decoded.extend(percent_decode(&rest[..at]));
        decoded.extend(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    decoded.extend(percent_decode(rest));
    decoded
}

/// An encoded separator as a slash.
fn replaced(path: &[u8], digit: u8) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some(at) = rest.windows(3).position(|code| is_code(code, digit)) {
        replaced.extend(&rest[..at]);
        replaced.push(b'/');
        rest = &rest[at + 3..];
    }
    replaced.extend(rest);
    replaced
}

/// Dot segments resolved as RFC 3986 §5.2.4 does it; `read` is what a segment is taken for.
fn resolved(path: &[u8], read: impl Fn(&[u8]) -> Cow<'_, [u8]>) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_folder = match &*read(segment) {
            b"." => true,
            b".." => {
                segments.pop();
                true
            }
            _ => {
                segments.push(segment);
                false
            }
        };
    }
    let mut path = segments.iter().fold(Vec::with_capacity(path.len()), |mut path, segment| {
        path.push(b'/');
        path.extend(*segment);
        path
    });
    if is_folder || path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Repeated slashes as one.
fn merged(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, slash| *next == b'/' && *slash == b'/');
    merged
}

/// All of them: routes tell a path with one from a path without, and not one from several.
fn without_last_slashes(path: &[u8]) -> Vec<u8> {
    let last = path.iter().rposition(|byte| *byte != b'/').unwrap_or(0);
    path[..=last].to_vec()
}

/// Without the first segment, which two leading slashes make a host.
fn without_host(path: &[u8]) -> Vec<u8> {
    let host = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    let path = path[host..].iter().position(|byte| *byte == b'/').map_or(&b"/"[..], |end| &path[host + end..]);
    path.to_vec()
}

/// Each segment up to its first semicolon.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut is_cut = false;
    let stays = |byte: &u8| {
        is_cut = *byte != b'/' && (is_cut || *byte == b';');
        !is_cut
    };
    path.iter()
        .copied()
        .filter({
            let mut stays = stays;
            move |byte| stays(byte)
        })
        .collect()
}

/// The normalised reading, which everything but the guards follows: decoded once, `\` and encoded separators as `/`, dot
/// segments resolved, slashes merged, a trailing one dropped; parameters and letter case stay. `None` where the path is
/// that already, or is no path.
pub(crate) fn normalised(path: &str) -> Option<Vec<u8>> {
    if !path.starts_with('/') || !has_readings(path.as_bytes()) {
        return None;
    }
    let decoded: Cow<'_, [u8]> = percent_decode(path.as_bytes()).into();
    let mut segments = Vec::new();
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    let normal = if segments.is_empty() { b"/".to_vec() } else { [b"/".as_slice(), &segments.join(&b'/')].concat() };
    (normal != path.as_bytes()).then_some(normal)
}

/// Whether a path may have other readings than itself, letter case aside. Most have not, which one pass shows, eight bytes
/// at a time and without an allocation.
pub(crate) fn has_readings(path: &[u8]) -> bool {
    let Some(last) = path.last_chunk::<8>() else { return short_has_readings(path) };
    let mut behind_slash = 0;
    let mut found = 0;
    for word in path.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        found |= signs(word, behind_slash);
        behind_slash = zeros(word ^ each(b'/')) >> 56;
    }
    // Some of its bytes are looked at twice, so that none is left over.
    if !path.len().is_multiple_of(8) {
        found |= signs(u64::from_le_bytes(*last), 0);
    }
    found != 0 || path.ends_with(b"/")
}

fn short_has_readings(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'%' | b'\\' | b';'))
        || path.windows(2).any(|pair| matches!(pair, [b'/', b'/' | b'.']))
        || path.len() > 1 && path.ends_with(b"/")
}

/// Not 0 where one of eight bytes is `%`, `\` or `;`, or a slash or a dot follows a slash, the one before the first among
/// them.
#[inline]
const fn signs(word: u64, behind_slash: u64) -> u64 {
    let slashes = zeros(word ^ each(b'/'));
    // A dot and a slash differ in their last bit.
    let ends = zeros((word | each(1)) ^ each(b'/'));
    let special = zeros(word ^ each(b'%')) | zeros(word ^ each(b'\\')) | zeros(word ^ each(b';'));
    special | ends & (slashes << 8 | behind_slash)
}

/// The highest bit of each byte that is 0, and of a byte that is 1 behind one: of a dot behind a slash.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

#[inline]
const fn each(byte: u8) -> u64 {
    u64::MAX / 255 * byte as u64
}

#[cfg(test)]
mod tests;
