//! Path patterns (rule G0): `GET|POST /a/{one}/{*rest}`.
//!
//! Methods are optional, and `GET` covers `HEAD`. A literal segment matches itself. `{one}` matches one whole segment
//! that is not empty. `{*rest}`, as the last segment, matches zero or more remaining segments.
//!
//! Patterns match bytes, because a decoded path need not be UTF-8. A pattern that cannot match any normalised path is
//! refused, because a guard that never runs could look like a guard that works.

#[cfg(feature = "policy-file")]
mod compare;
mod parse;

use std::sync::Arc;

use http::Method;

use self::parse::Advice;
pub(crate) use self::parse::Segment;
use crate::table::SettingError;

/// A valid pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// The pattern as it was written.
    pub(crate) written: Arc<str>,
    /// The methods as they were written. The list is empty if any method matches.
    pub(crate) methods: Box<[Method]>,
    pub(crate) segments: Box<[Segment]>,
    /// True if the pattern ends in `{*rest}`.
    pub(crate) rest: bool,
}

/// The part of a path that is not matched yet, or `None` after its last segment.
pub(crate) type RemainingPath<'p> = Option<&'p [u8]>;

impl Pattern {
    /// Parses a pattern. `key` is the key that an error names.
    pub(crate) fn parse(key: &'static str, written: &str) -> Result<Self, SettingError> {
        let parse = || {
            let (methods, path) = parse::split_methods(written)?;
            let (segments, rest) = parse::parse_path(path)?;
            Ok(Self { written: written.into(), methods, segments: segments.into(), rest })
        };
        parse().map_err(|(wrong, right): Advice| SettingError::new(key, wrong, right))
    }

    /// Returns the literal segments.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(literal) => Some(&**literal),
            Segment::One => None,
        })
    }

    /// Returns the sort key that puts the most specific of several matching patterns first. The key compares the kinds
    /// of the patterns' segments. If the kinds are equal, patterns with a method come before patterns without a method.
    pub(crate) fn specificity(&self) -> impl Ord + use<> {
        (self.kinds(), self.method_rank())
    }

    /// Returns the kind of each segment. A literal is more specific than `{one}`, which is more specific than
    /// `{*rest}`. If two patterns match the same path and have the same kinds, they can differ only in letter case and
    /// in methods.
    pub(crate) fn kinds(&self) -> Vec<u8> {
        let kind = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::One => 1,
        };
        self.segments.iter().map(kind).chain(self.rest.then_some(2)).collect()
    }

    pub(crate) fn is_same_path(&self, other: &Self) -> bool {
        (&self.segments, self.rest) == (&other.segments, other.rest)
    }

    /// Returns true if the pattern matches a path that begins with these segments.
    pub(crate) fn meets_prefix<'a>(&self, mut prefix: impl Iterator<Item = &'a str>) -> bool {
        let fitting = self.segments.iter().all(|segment| prefix.next().is_none_or(|it| segment.fits(it.as_bytes())));
        fitting && (self.rest || prefix.next().is_none())
    }

    #[inline]
    pub(crate) fn covers_method(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || method == Method::HEAD && self.methods.contains(&Method::GET)
    }

    /// Returns the rank of the methods. Of two patterns with the same path, the one with the lower rank is more
    /// specific.
    pub(crate) fn method_rank(&self) -> u8 {
        match &self.methods[..] {
            [] => 2,
            methods if methods.contains(&Method::HEAD) => 0,
            _ => 1,
        }
    }

    /// Returns true if both patterns have a common method, or if neither has a method. In this function, `GET` does not
    /// cover `HEAD`, just as in the comparison of specificity.
    pub(crate) fn shares_method_with(&self, other: &Self) -> bool {
        match (&self.methods[..], &other.methods[..]) {
            ([], []) => true,
            (methods, others) => methods.iter().any(|method| others.contains(method)),
        }
    }

    /// Returns true if the pattern matches `path` in exactly this spelling.
    pub(crate) fn matches(&self, method: &Method, path: &[u8]) -> bool {
        let mut rest = segments_of(path);
        for segment in &self.segments {
            let Some(left) = rest else { return false };
            let (first, after) = split_segment(left);
            if !segment.fits(first) {
                return false;
            }
            rest = after;
        }
        (self.rest || rest.is_none()) && self.covers_method(method)
    }
}

/// Returns the segments of a path, which are then taken off one by one. A target that is not a path (`*`, an authority)
/// is guarded like the root, because it names no resource.
#[inline]
pub(crate) fn segments_of(path: &[u8]) -> RemainingPath<'_> {
    path.strip_prefix(b"/").filter(|after| !after.is_empty())
}

/// Returns the first segment of a path, and the rest of the path behind the slash.
#[inline]
pub(crate) fn split_segment(path: &[u8]) -> (&[u8], RemainingPath<'_>) {
    match slash_at(path) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// Returns the position of the first slash. Most segments end within the first eight bytes, which are compared as one
/// word.
#[inline]
fn slash_at(path: &[u8]) -> Option<usize> {
    const EACH: u64 = u64::MAX / 255;

    let mut before = 0;
    while let Some(word) = path[before..].first_chunk::<8>() {
        let differs = u64::from_le_bytes(*word) ^ (EACH * b'/' as u64);
        // The lowest zero byte is found exactly, because a borrow only changes the bytes above it.
        let slashes = differs.wrapping_sub(EACH) & !differs & EACH << 7;
        if slashes != 0 {
            return Some(before + slashes.trailing_zeros() as usize / 8);
        }
        before += 8;
    }
    path[before..].iter().position(|byte| *byte == b'/').map(|at| before + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, method: Method, path: &str) -> bool {
        Pattern::parse("match", pattern).unwrap().matches(&method, path.as_bytes())
    }

    proptest! {
        #[test]
        fn the_first_slash_is_found_wherever_it_is(path in prop::collection::vec(prop::sample::select(b"/0.\xaf\x2e\x30a".to_vec()), 0..40)) {
            prop_assert_eq!(slash_at(&path), path.iter().position(|byte| *byte == b'/'));
        }
    }

    #[test]
    fn g0_a_pattern_matches_whole_segments() {
        for (pattern, good, bad) in [
            ("/", &["/", "", "*"][..], &["//", "/a"][..]),
            ("/a", &["/a"], &["/a/", "/A", "/ab", "/a/b", "a"]),
            ("/a/{id}", &["/a/b", "/a/%2F"], &["/a", "/a/", "/a//", "/a/b/"]),
            ("/a/{*rest}", &["/a", "/a/", "/a//", "/a/b/c"], &["/ab", "/", "/b/a"]),
            ("/{*rest}", &["/", "//", "/a", "*", ""], &[]),
            ("/{a}/x/{*b}", &["/1/x", "/x/x/x"], &["//x", "/1/y"]),
            ("/é", &["/é"], &["/%C3%A9"]),
        ] {
            for path in good {
                assert!(matches(pattern, Method::GET, path), "{pattern} {path}");
            }
            for path in bad {
                assert!(!matches(pattern, Method::GET, path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn g0_get_covers_head_and_nothing_else() {
        assert!(matches("GET /a", Method::HEAD, "/a") && !matches("HEAD /a", Method::GET, "/a"));
        assert!(matches("PUT|PATCH /a", Method::PATCH, "/a") && !matches("PUT|PATCH /a", Method::HEAD, "/a"));
        assert!(matches("M-SEARCH /a", Method::from_bytes(b"M-SEARCH").unwrap(), "/a"));
    }
}
