//! The readings of a path (rule G0).
//!
//! A service decodes a path, resolves its dot segments, merges its slashes and cuts its parameters in some order, or
//! skips steps. [`readings`] returns every path that these steps can produce, in any order. Decoding may happen twice,
//! and the other steps may follow each decode. Letter case is not a step: patterns are compared without it.
//!
//! Some steps are finer than the contract's, or additional, because some servers do them:
//!
//! - `%2F`, `%5C` and `\` become a slash, each independently;
//! - slashes may be merged where a trailing one stays (Go's `ServeMux`);
//! - dot segments are resolved as written, or by the WHATWG's URL standard (`%2e` is a dot);
//! - the text after two leading slashes may be a host (`new URL(request.url, base)`, PHP's `parse_url`);
//! - a semicolon may end the path (Fastify's `useSemicolonDelimiter`).

mod first_look;

use std::borrow::Cow;

pub(crate) use self::first_look::has_readings;

/// The most readings of one path that the guards check. An honest client's path has fewer.
pub(crate) const MAX_READINGS: usize = 256;

/// The most bytes of all readings together: eight times the longest path that most servers take.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// A path has too many readings for the guards to check, or readings with too many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyReadings;

/// The most times that the services behind the guards decode a path.
const DECODES: u8 = 2;

/// Every reading of a path, the path as sent first; letter case is ignored.
pub(crate) fn readings(path: &[u8]) -> Result<Vec<Vec<u8>>, TooManyReadings> {
    let mut found = Found::default();
    found.add(path.to_vec())?;
    // Paths with fewer decodes are found first, so that each path is processed once.
    let (mut first, mut decodes, mut made) = (0, 0, Vec::new());
    loop {
        let mut next = first;
        while let Some(path) = found.paths.get(next) {
            tidy(path, &mut made);
            made.drain(..).try_for_each(|made| found.add(made))?;
            next += 1;
        }
        if decodes == DECODES || first == next {
            return Ok(found.paths);
        }
        for at in first..next {
            decode(&found.paths[at], &mut made);
            made.drain(..).try_for_each(|made| found.add(made))?;
        }
        (first, decodes) = (next, decodes + 1);
    }
}

/// The readings, in the order in which they are found.
#[derive(Default)]
struct Found {
    paths: Vec<Vec<u8>>,
    /// The indices of `paths`, sorted by path.
    sorted: Vec<usize>,
    bytes: usize,
}

impl Found {
    fn add(&mut self, path: Vec<u8>) -> Result<(), TooManyReadings> {
        let Err(at) = self.sorted.binary_search_by(|place| self.paths[*place].cmp(&path)) else { return Ok(()) };
        self.bytes += path.len();
        if self.paths.len() == MAX_READINGS || self.bytes > MAX_BYTES {
            return Err(TooManyReadings);
        }
        self.sorted.insert(at, self.paths.len());
        self.paths.push(path);
        Ok(())
    }
}

/// Adds the paths that one decode makes: with all separators decoded, and with some kept encoded.
fn decode(path: &[u8], made: &mut Vec<Vec<u8>>) {
    if path.contains(&b'%') {
        let codes = Codes::from_path(path);
        made.push(decoded(path, |_| false));
        if codes.slash {
            made.push(decoded(path, |byte| byte == b'/'));
        }
        if codes.backslash {
            made.push(decoded(path, |byte| byte == b'\\'));
        }
        if codes.slash && codes.backslash {
            made.push(decoded(path, |byte| matches!(byte, b'/' | b'\\')));
        }
    }
}

/// Adds the paths that the other steps make, each by itself. A step that would change nothing adds no path.
fn tidy(path: &[u8], made: &mut Vec<Vec<u8>>) {
    let signs = Signs::from_path(path);
    let codes = if signs.has(Signs::PERCENT) { Codes::from_path(path) } else { Codes::default() };
    if signs.has(Signs::BACKSLASH) {
        made.push(path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect());
    }
    if codes.slash {
        made.push(with_slash_for(path, b'/'));
    }
    if codes.backslash {
        made.push(with_slash_for(path, b'\\'));
    }
    if signs.has(Signs::DOT_SEGMENT) {
        made.push(resolved(path, |segment| Cow::Borrowed(segment)));
    }
    if codes.dot {
        made.push(resolved(path, |segment| decoded(segment, |_| false).into()));
    }
    if signs.has(Signs::TWO_SLASHES) {
        made.push(merged(path));
    }
    if path.len() > 1 && path.ends_with(b"/") {
        made.push(without_last_slashes(path));
    }
    if signs.has(Signs::SEMICOLON) {
        let end = path.iter().position(|byte| *byte == b';').unwrap_or(path.len());
        made.extend([without_parameters(path), path[..end].to_vec()]);
    }
    if path.starts_with(b"//") {
        made.push(without_host(path));
    }
}

/// The parts of a path that a step acts on.
#[derive(Clone, Copy)]
struct Signs(u8);

impl Signs {
    const PERCENT: u8 = 1;
    const BACKSLASH: u8 = 1 << 1;
    const SEMICOLON: u8 = 1 << 2;
    const TWO_SLASHES: u8 = 1 << 3;
    const DOT_SEGMENT: u8 = 1 << 4;

    /// The loop never ends early, so that a compiler takes many bytes at a time.
    fn from_path(path: &[u8]) -> Self {
        let bit = |bit: u8, is_there: bool| if is_there { bit } else { 0 };
        let of = |byte: u8, next: u8| {
            bit(Self::PERCENT, byte == b'%')
                | bit(Self::BACKSLASH, byte == b'\\')
                | bit(Self::SEMICOLON, byte == b';')
                | bit(Self::TWO_SLASHES, (byte == b'/') & (next == b'/'))
                | bit(Self::DOT_SEGMENT, (byte == b'/') & (next == b'.'))
        };
        let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
        let last = path.last().map_or(0, |last| of(*last, 0));
        Self(pairs.fold(last, |signs, (byte, next)| signs | of(*byte, *next)))
    }

    const fn has(self, sign: u8) -> bool {
        self.0 & sign != 0
    }
}

/// The percent-encoded characters of a path that other steps than the decode act on.
#[derive(Default)]
struct Codes {
    slash: bool,
    backslash: bool,
    dot: bool,
}

impl Codes {
    fn from_path(path: &[u8]) -> Self {
        let mut codes = Self::default();
        for (_, byte) in texts_after_percent(path).filter_map(|text| parse_percent_code(text)) {
            codes.slash |= byte == b'/';
            codes.backslash |= byte == b'\\';
            codes.dot |= byte == b'.';
        }
        codes
    }
}

/// The text after each percent sign, up to the next one.
fn texts_after_percent(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'%').skip(1)
}

/// Parses the two hexadecimal digits at the beginning of a text; returns the text after them, and their byte.
fn parse_percent_code(text: &[u8]) -> Option<(&[u8], u8)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let ([tens, ones], rest) = text.split_first_chunk::<2>()?;
    let byte = digit(*tens)? << 4 | digit(*ones)?;
    Some((rest, u8::try_from(byte).ok()?))
}

/// Replaces each percent code by the byte that `replacement` returns for it. With `None` the code stays.
fn replace_percent_codes(path: &[u8], replacement: impl Fn(u8) -> Option<u8>) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(path.len());
    let start = path.iter().position(|byte| *byte == b'%').unwrap_or(path.len());
    replaced.extend(&path[..start]);
    for text in texts_after_percent(path) {
        match parse_percent_code(text).and_then(|(rest, byte)| Some((rest, replacement(byte)?))) {
            Some((rest, byte)) => {
                replaced.push(byte);
                replaced.extend(rest);
            }
            None => {
                replaced.push(b'%');
                replaced.extend(text);
            }
        }
    }
    replaced
}

/// Decodes a path. The codes of bytes that `is_kept` accepts stay: a separator may be part of its segment.
fn decoded(path: &[u8], is_kept: impl Fn(u8) -> bool) -> Vec<u8> {
    replace_percent_codes(path, |byte| (!is_kept(byte)).then_some(byte))
}

/// Replaces each code of this separator by a slash.
fn with_slash_for(path: &[u8], separator: u8) -> Vec<u8> {
    replace_percent_codes(path, |byte| (byte == separator).then_some(b'/'))
}

/// Resolves dot segments as in RFC 3986 §5.2.4; `read` returns the form of a segment to compare with `.` and `..`.
fn resolved(path: &[u8], read: impl Fn(&[u8]) -> Cow<'_, [u8]>) -> Vec<u8> {
    let mut resolved = Vec::with_capacity(path.len() + 1);
    let mut is_folder = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_folder = match &*read(segment) {
            b"." => true,
            b".." => {
                leave_folder(&mut resolved);
                true
            }
            _ => {
                enter(&mut resolved, segment);
                false
            }
        };
    }
    if is_folder || resolved.is_empty() {
        resolved.push(b'/');
    }
    resolved
}

/// Adds a segment to a path.
fn enter(path: &mut Vec<u8>, segment: &[u8]) {
    path.push(b'/');
    path.extend(segment);
}

/// Removes the last segment of a path.
fn leave_folder(path: &mut Vec<u8>) {
    path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
}

/// Merges repeated slashes into one.
fn merged(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, slash| *next == b'/' && *slash == b'/');
    merged
}

/// Removes all slashes at the end: a route may depend on whether a path ends with a slash, but not on the number of
/// slashes.
fn without_last_slashes(path: &[u8]) -> Vec<u8> {
    let last = path.iter().rposition(|byte| *byte != b'/').unwrap_or(0);
    path[..=last].to_vec()
}

/// Removes the first segment of a path with two leading slashes, which some services take for a host.
fn without_host(path: &[u8]) -> Vec<u8> {
    let host = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    let path = path[host..].iter().position(|byte| *byte == b'/').map_or(&b"/"[..], |end| &path[host + end..]);
    path.to_vec()
}

/// Cuts each segment at its first semicolon.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut cut = Vec::with_capacity(path.len());
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        enter(&mut cut, segment.split(|byte| *byte == b';').next().unwrap_or_default());
    }
    cut
}

/// The [normalised](normalise) reading; `None` if the path is normalised already, or does not begin with a slash.
pub(crate) fn normalised(path: &str) -> Option<Vec<u8>> {
    if !path.starts_with('/') || !has_readings(path.as_bytes()) {
        return None;
    }
    let normal = normalise(path.as_bytes());
    (normal != path.as_bytes()).then_some(normal)
}

/// The reading that everything except the guards uses. The path is decoded once, `\` becomes a slash, dot segments are
/// resolved, slashes are merged, and a trailing slash is dropped. Parameters and letter case stay.
pub(crate) fn normalise(path: &[u8]) -> Vec<u8> {
    let written: Cow<'_, [u8]> = if path.contains(&b'%') { decoded(path, |_| false).into() } else { path.into() };
    let mut normal = Vec::with_capacity(written.len());
    for segment in written.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => leave_folder(&mut normal),
            _ => enter(&mut normal, segment),
        }
    }
    if normal.is_empty() {
        normal.push(b'/');
    }
    normal
}

#[cfg(test)]
mod tests;
