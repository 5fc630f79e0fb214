//! The ways in which a service may read a path (rule G0).
//!
//! A service decodes a path, resolves its dot segments, merges its slashes and cuts off its parameters. The service may
//! apply these steps in any order, and may skip steps. [`readings`] returns every path that these steps can produce in
//! any order. Paths may be decoded twice, and the other steps may follow each time. Letter case is not a step, because
//! patterns are compared without regard to letter case.
//!
//! Some steps differ from the steps of the contract, or are additional, because some servers apply such steps:
//!
//! - `%2F`, `%5C` and `\` become a slash, each independently of the other two;
//! - slashes may be merged while a slash at the end stays (Go's `ServeMux`);
//! - dot segments are resolved as they are written, or as in the WHATWG's URL standard (`%2e` is a dot);
//! - the text behind two leading slashes may be a host (`new URL(request.url, base)`, PHP's `parse_url`);
//! - a semicolon may end the path (Fastify's `useSemicolonDelimiter`);
//! - control characters and bytes that are not UTF-8 may be ignored: a line feed before the end of a regular expression
//!   (Starlette, FastRoute), or any such byte (Bottle);
//! - `%u0061` may be a letter (Jetty 9, IIS);
//! - a decoded `?`, `#` or NUL may end the path (bramus/router, PHP). An `&` may also end the path, if a rewrite puts
//!   the path into a query (Apache, nginx);
//! - spaces, control characters and everything outside ASCII may be ignored (PHP's `FILTER_SANITIZE_URL`). A `+` may
//!   also be ignored, because it is a space in a query;
//! - letters outside ASCII have another letter case, too, and some of them, such as the Kelvin sign, become a letter of
//!   ASCII.
//!
//! A list with commas in the last segment ([`PathList`]) leads to each of its elements.

mod first_look;
mod list;

use std::borrow::Cow;

use memchr::memmem;

pub(crate) use self::first_look::has_readings;
pub(crate) use self::list::PathList;

/// The maximum number of readings of one path that the guards check. Paths of honest clients have fewer readings.
pub(crate) const MAX_READINGS: usize = 256;

/// The maximum number of bytes of all readings together. The number is eight times the length of the longest path that
/// most servers accept.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// The error for a path with more readings, or with more bytes in its readings, than the guards check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyReadings;

/// The maximum number of times that the services behind the guards decode a path.
const DECODES: u8 = 2;

/// Returns all readings of a path, beginning with the path as it was sent. Letter case is ignored.
pub(crate) fn readings(path: &[u8]) -> Result<Vec<Vec<u8>>, TooManyReadings> {
    let mut found = Found::default();
    found.add(path.to_vec())?;
    // Paths that were decoded fewer times are found first, so that each path is processed only once.
    let (mut first, mut decodes, mut made) = (0, 0, Vec::new());
    loop {
        let mut next = first;
        while let Some(path) = found.paths.get(next) {
            apply_other_steps(path, &mut made);
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

/// Returns true if a path is plain (`paths = "plain"`), or if the text is not a path, such as `*`.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let Some(path) = path.strip_prefix(b"/") else { return true };
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_misread = matches!(segment, b"." | b"..") || segment.is_empty() && segments.peek().is_some();
        if is_misread || !segment.iter().all(is_plain) {
            return false;
        }
    }
    true
}

/// The readings in the order in which they were found.
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

/// Adds the paths to which one decoding can lead. One path has all separators decoded, and other paths have some
/// separators still encoded.
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

/// Adds the paths to which each of the other steps leads. A step that changes nothing adds no path.
fn apply_other_steps(path: &[u8], made: &mut Vec<Vec<u8>>) {
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
    if signs.has(Signs::ODD) {
        let folded = [with_letters(path, |it| it.to_lowercase()), with_letters(path, |it| it.to_uppercase())];
        made.extend(folded.into_iter().chain([without_ignored_bytes(path)]).filter(|made| made != path));
    }
    if signs.has(Signs::END | Signs::ODD) {
        let before = path.split(|byte| matches!(byte, b'?' | b'#' | 0)).next();
        made.extend(before.filter(|before| before.len() < path.len()).map(<[u8]>::to_vec));
    }
    if signs.has(Signs::END) || codes.ampersand {
        made.extend([&b"&"[..], b"%26"].iter().filter_map(|end| Some(path[..memmem::find(path, end)?].to_vec())));
    }
    if signs.has(Signs::SPACE | Signs::ODD) {
        made.push(path.iter().copied().filter(|byte| byte.is_ascii_graphic() && *byte != b'+').collect());
    }
    if codes.unicode {
        made.push(with_unicode_codes(path));
    }
}

/// The characters of a path that some step changes or interprets.
#[derive(Clone, Copy)]
struct Signs(u8);

impl Signs {
    const PERCENT: u8 = 1;
    const BACKSLASH: u8 = 1 << 1;
    const SEMICOLON: u8 = 1 << 2;
    const TWO_SLASHES: u8 = 1 << 3;
    const DOT_SEGMENT: u8 = 1 << 4;
    /// Set if the path contains a control character, or a byte outside ASCII.
    const ODD: u8 = 1 << 5;
    /// Set if the path contains a character that may end it. A NUL may also end the path, but is treated as `ODD`.
    const END: u8 = 1 << 6;
    /// Set if the path contains a space, or a `+`, which means a space in a query.
    const SPACE: u8 = 1 << 7;

    /// Collects the signs of a path. The loop has no early exit, so that the compiler can process several bytes at
    /// once.
    fn from_path(path: &[u8]) -> Self {
        let bit = |bit: u8, is_there: bool| if is_there { bit } else { 0 };
        let of = |byte: u8, next: u8| {
            bit(Self::PERCENT, byte == b'%')
                | bit(Self::BACKSLASH, byte == b'\\')
                | bit(Self::SEMICOLON, byte == b';')
                | bit(Self::TWO_SLASHES, (byte == b'/') & (next == b'/'))
                | bit(Self::DOT_SEGMENT, (byte == b'/') & (next == b'.'))
                | bit(Self::ODD, byte.wrapping_sub(b' ') > b'~' - b' ')
                | bit(Self::END, (byte == b'?') | (byte == b'#') | (byte == b'&'))
                | bit(Self::SPACE, (byte == b' ') | (byte == b'+'))
        };
        let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
        let last = path.last().map_or(0, |last| of(*last, 0));
        Self(pairs.fold(last, |signs, (byte, next)| signs | of(*byte, *next)))
    }

    const fn has(self, sign: u8) -> bool {
        self.0 & sign != 0
    }
}

/// The percent codes in a path for characters that other steps change or interpret.
#[derive(Default)]
struct Codes {
    slash: bool,
    backslash: bool,
    dot: bool,
    ampersand: bool,
    /// True if the path contains `%u`.
    unicode: bool,
}

impl Codes {
    fn from_path(path: &[u8]) -> Self {
        let mut codes = Self::default();
        for text in texts_after_percent(path) {
            codes.unicode |= matches!(text, [b'u' | b'U', ..]);
            let Some((_, byte)) = parse_percent_code(text) else { continue };
            codes.slash |= byte == b'/';
            codes.backslash |= byte == b'\\';
            codes.dot |= byte == b'.';
            codes.ampersand |= byte == b'&';
        }
        codes
    }
}

/// Returns the text after each percent sign, up to the next percent sign or the end.
fn texts_after_percent(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'%').skip(1)
}

/// Parses the two hexadecimal digits at the beginning of a text. Returns the text after the digits, and the byte.
fn parse_percent_code(text: &[u8]) -> Option<(&[u8], u8)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let ([tens, ones], rest) = text.split_first_chunk::<2>()?;
    let byte = digit(*tens)? << 4 | digit(*ones)?;
    Some((rest, u8::try_from(byte).ok()?))
}

/// Replaces each percent code with the byte that `replacement` returns for it. If `replacement` returns `None`, the
/// code stays.
fn replace_percent_codes(path: &[u8], replacement: &dyn Fn(u8) -> Option<u8>) -> Vec<u8> {
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

/// Decodes a path, except for the bytes for which `is_kept` returns true. A separator that stays encoded is a part of
/// its segment.
fn decoded(path: &[u8], is_kept: fn(u8) -> bool) -> Vec<u8> {
    replace_percent_codes(path, &|byte| (!is_kept(byte)).then_some(byte))
}

/// Replaces each percent code of this separator with a slash.
fn with_slash_for(path: &[u8], separator: u8) -> Vec<u8> {
    replace_percent_codes(path, &|byte| (byte == separator).then_some(b'/'))
}

/// Resolves dot segments as in RFC 3986 §5.2.4. `read` returns the form of a segment that is compared with `.` and
/// `..`.
fn resolved(path: &[u8], read: fn(&[u8]) -> Cow<'_, [u8]>) -> Vec<u8> {
    let mut resolved = Vec::with_capacity(path.len() + 1);
    let mut is_folder = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        is_folder = match &*read(segment) {
            b"." => true,
            b".." => {
                remove_last_segment(&mut resolved);
                true
            }
            _ => {
                add_segment(&mut resolved, segment);
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
fn add_segment(path: &mut Vec<u8>, segment: &[u8]) {
    path.push(b'/');
    path.extend(segment);
}

/// Removes the last segment of a path.
fn remove_last_segment(path: &mut Vec<u8>) {
    path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
}

/// Merges repeated slashes.
fn merged(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, slash| *next == b'/' && *slash == b'/');
    merged
}

/// Removes all slashes at the end. A route may depend on whether a path ends with a slash, but not on how many slashes
/// it ends with.
fn without_last_slashes(path: &[u8]) -> Vec<u8> {
    let last = path.iter().rposition(|byte| *byte != b'/').unwrap_or(0);
    path[..=last].to_vec()
}

/// Removes the first segment of a path with two leading slashes, because some services take it for a host.
fn without_host(path: &[u8]) -> Vec<u8> {
    let host = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    let path = path[host..].iter().position(|byte| *byte == b'/').map_or(&b"/"[..], |end| &path[host + end..]);
    path.to_vec()
}

/// Removes control characters, and bytes that are not UTF-8.
fn without_ignored_bytes(path: &[u8]) -> Vec<u8> {
    let letters = path.utf8_chunks().flat_map(|chunk| chunk.valid().chars());
    letters.filter(|letter| !letter.is_control()).collect::<String>().into()
}

/// Replaces each letter outside ASCII with its small or capital form. Patterns are compared with the result without
/// regard to the letter case of ASCII.
fn with_letters<L: Iterator<Item = char>>(path: &[u8], form: impl Fn(char) -> L) -> Vec<u8> {
    let Ok(path) = str::from_utf8(path) else { return path.to_vec() };
    let mut folded = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            // The small form of this letter is two characters, although it becomes one character in Turkish and in
            // Java.
            '\u{130}' => folded.push('i'),
            _ if letter.is_ascii() => folded.push(letter),
            _ => folded.extend(form(letter)),
        }
    }
    folded.into()
}

/// Decodes `%u` with four hexadecimal digits.
fn with_unicode_codes(path: &[u8]) -> Vec<u8> {
    let mut replaced = path.to_vec();
    for at in (0..path.len()).rev().filter(|at| path[*at..].get(..2).is_some_and(|it| it.eq_ignore_ascii_case(b"%u"))) {
        let code = path.get(at + 2..at + 6).filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| u32::from_str_radix(str::from_utf8(code).ok()?, 16).ok());
        if let Some(letter) = code.and_then(char::from_u32) {
            replaced.splice(at..at + 6, letter.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    replaced
}

/// Cuts off each segment at its first semicolon.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut cut = Vec::with_capacity(path.len());
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        add_segment(&mut cut, segment.split(|byte| *byte == b';').next().unwrap_or_default());
    }
    cut
}

/// Returns the [normalised](normalise) reading. Returns `None` if the path is already normalised, or does not begin
/// with a slash.
pub(crate) fn normalised(path: &str) -> Option<Vec<u8>> {
    if !path.starts_with('/') || !has_readings(path.as_bytes()) {
        return None;
    }
    let normal = normalise(path.as_bytes());
    (normal != path.as_bytes()).then_some(normal)
}

/// Returns the reading that everything uses except the guards. The path is decoded once, `\` becomes a slash, dot
/// segments are resolved, slashes are merged, and a trailing slash is removed. Parameters and letter case stay.
pub(crate) fn normalise(path: &[u8]) -> Vec<u8> {
    let written: Cow<'_, [u8]> = if path.contains(&b'%') { decoded(path, |_| false).into() } else { path.into() };
    let mut normal = Vec::with_capacity(written.len());
    for segment in written.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => remove_last_segment(&mut normal),
            _ => add_segment(&mut normal, segment),
        }
    }
    if normal.is_empty() {
        normal.push(b'/');
    }
    normal
}

#[cfg(test)]
mod tests;
