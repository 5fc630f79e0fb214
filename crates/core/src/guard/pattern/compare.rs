//! Compares two patterns, for the lints of a policy. This module matches no requests.

use http::Method;

use super::{Pattern, Segment};

impl Pattern {
    /// Returns true if this pattern matches every request that `other` matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let methods = match &other.methods[..] {
            [] => self.methods.is_empty(),
            methods => methods.iter().all(|method| self.covers_method(method)),
        };
        methods && self.covers_path(other)
    }

    /// Returns true if this pattern's path matches every path that the path of `other` matches, regardless of methods.
    pub(crate) fn covers_path(&self, other: &Self) -> bool {
        let longer = other.segments.len() >= self.segments.len();
        let same = other.segments.len() == self.segments.len() && !other.rest;
        longer && (self.rest || same) && self.segments.iter().zip(&other.segments).all(|(wide, it)| wide.covers(it))
    }

    /// Returns the method and the path of a request that both patterns match, if there is one.
    pub(crate) fn common_request(&self, other: &Self) -> Option<(Method, String)> {
        let (short, long) = if self.segments.len() < other.segments.len() { (self, other) } else { (other, self) };
        if short.segments.len() < long.segments.len() && !short.rest {
            return None;
        }
        let mut path = String::new();
        for (at, segment) in long.segments.iter().enumerate() {
            let other = short.segments.get(at).unwrap_or(&Segment::One);
            path.push('/');
            path.push_str(segment.shared_with(other)?);
        }
        let path = if path.is_empty() { "/".to_owned() } else { path };
        Some((self.shared_method(other)?, path))
    }

    fn shared_method(&self, other: &Self) -> Option<Method> {
        let covered = |one: &Self, other: &Self| one.methods.iter().find(|method| other.covers_method(method)).cloned();
        match (&self.methods[..], &other.methods[..]) {
            ([], []) => Some(Method::GET),
            _ => covered(self, other).or_else(|| covered(other, self)),
        }
    }
}

impl Segment {
    fn covers(&self, other: &Self) -> bool {
        *self == Self::One || self == other
    }

    /// Returns a text that both segments match.
    fn shared_with<'a>(&'a self, other: &'a Self) -> Option<&'a str> {
        match (self, other) {
            (Self::Literal(one), Self::Literal(other)) => (one == other).then_some(one),
            (Self::Literal(literal), Self::One) | (Self::One, Self::Literal(literal)) => Some(literal),
            (Self::One, Self::One) => Some("x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(written: &str) -> Pattern {
        Pattern::parse("match", written).unwrap()
    }

    #[test]
    fn g0_a_wider_pattern_covers_a_narrower_one() {
        for (wide, narrow) in [
            ("/{*rest}", "GET /a/{b}/{*c}"),
            ("/a/{*rest}", "/a"),
            ("/a/{*rest}", "/a/{*rest}"),
            ("/{a}/b", "/x/b"),
            ("GET /a", "HEAD /a"),
            ("GET|PUT /a", "PUT /a"),
            ("/", "GET /"),
        ] {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
        }
        for (one, other) in [
            ("/a/{b}", "/a/{*rest}"),
            ("/a/b", "/a/{b}"),
            ("HEAD /a", "GET /a"),
            ("GET /a", "/a"),
            ("/a", "/a/b"),
            ("/a/{b}", "/a"),
            ("/{a}/b", "/b/{a}"),
        ] {
            assert!(!pattern(one).covers(&pattern(other)), "{one} {other}");
        }
    }

    #[test]
    fn g0_patterns_meet_where_a_request_fits_both() {
        for (one, other, meeting) in [
            ("/{tenant}/admin", "/public/{page}", Some("GET /public/admin")),
            ("POST /a/{*rest}", "/{x}/b/{y}", Some("POST /a/b/x")),
            ("GET /a", "HEAD|PUT /a", Some("HEAD /a")),
            ("GET /a", "PUT /a", None),
            ("/a/b", "/a/c", None),
            ("/a", "/a/{b}", None),
            ("/{*rest}", "/", Some("GET /")),
        ] {
            let met = pattern(one).common_request(&pattern(other)).map(|(method, path)| format!("{method} {path}"));
            assert_eq!(met.as_deref(), meeting, "{one} {other}");
        }
    }

    fn any_pattern() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("/a"), Just("/b"), Just("/{x}")];
        let methods = prop_oneof![Just(""), Just("GET "), Just("HEAD "), Just("GET|PUT ")];
        (methods, proptest::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(methods, segments, rest)| {
            // Each parameter's name must be used only once.
            let path: String = segments.iter().enumerate().map(|(at, it)| it.replace('x', &format!("x{at}"))).collect();
            let rest = if rest || path.is_empty() { "/{*rest}" } else { "" };
            format!("{methods}{path}{rest}")
        })
    }

    proptest! {
        #[test]
        fn g0_what_is_said_of_two_patterns_is_what_they_match(one in any_pattern(), other in any_pattern()) {
            let (one, other) = (pattern(&one), pattern(&other));
            let mut together = false;
            let mut only_other = false;
            for path in ["/", "/a", "/b", "/c", "/a/a", "/a/b", "/b/a", "/c/c", "/a/b/a", "/c/a/b", "/b/c/c", "/a/a/a/a"] {
                for method in [Method::GET, Method::HEAD, Method::PUT, Method::POST] {
                    let both = (one.matches(&method, path.as_bytes()), other.matches(&method, path.as_bytes()));
                    together |= both == (true, true);
                    only_other |= both == (false, true);
                }
            }
            prop_assert!(!(one.covers(&other) && only_other));
            match one.common_request(&other) {
                Some((method, path)) => {
                    prop_assert!(one.matches(&method, path.as_bytes()) && other.matches(&method, path.as_bytes()));
                }
                None => prop_assert!(!together),
            }
        }
    }
}
