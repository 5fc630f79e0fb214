//! Lists the changes to a head, for adapters whose proxy owns the heads.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

/// A header whose lines have changed.
#[derive(Clone, Debug)]
pub struct HeaderMutation<'a> {
    /// The header's name.
    pub name: Cow<'a, HeaderName>,
    /// True if the head had no line of this name before, so that an adapter has no line to remove.
    pub is_new: bool,
    head: &'a HeaderMap,
}

impl<'a> HeaderMutation<'a> {
    /// Returns the lines that replace the old lines. Returns no lines if the header was removed.
    pub fn values(&self) -> impl Iterator<Item = &'a HeaderValue> + use<'a> {
        self.head.get_all(&*self.name).into_iter()
    }
}

/// Lists every difference between the old and the new lines of a head. An adapter makes these changes to its own head
/// after it has passed a copy to [`Session::begin`](crate::session::request::state::Session::begin) or
/// [`Session::respond`](crate::session::request::state::Session::respond). `before` contains the old names and values.
/// Leave out lines whose names the crate `http` does not accept, such as `:path`.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use error_envelope_core::session::changes;
///
/// let after: HeaderMap = HeaderMap::from_iter([(http::header::VARY, HeaderValue::from_static("accept"))]);
/// let before = [(&b"etag"[..], &b"1"[..])];
/// let changed: Vec<_> = changes(before.into_iter(), &after).into_iter().map(|it| (it.name.to_string(), it.values().count())).collect();
/// assert_eq!(changed, [("vary".to_owned(), 1), ("etag".to_owned(), 0)]);
/// ```
#[must_use]
pub fn changes<'b, 'a>(
    before: impl Iterator<Item = (&'b [u8], &'b [u8])> + Clone,
    after: &'a HeaderMap,
) -> Vec<HeaderMutation<'a>> {
    let text = |(name, value)| Some((str::from_utf8(name).ok()?, value));
    let mut before: Vec<(&str, &[u8])> = before.filter_map(text).collect();
    // A head may have thousands of lines. Sorting them first avoids comparing each line with every other line.
    crate::sort_by(&mut before, &|one, other| one.0 > other.0);
    compare_heads(&before, after)
}

/// Compares the two heads. `before` is sorted by name.
fn compare_heads<'a>(before: &[(&str, &[u8])], after: &'a HeaderMap) -> Vec<HeaderMutation<'a>> {
    let mut changes = Vec::new();
    for name in after.keys() {
        let (old, new) = (lines(before, name.as_str()), after.get_all(name));
        if !new.iter().map(HeaderValue::as_bytes).eq(old.iter().map(|(_, value)| *value)) {
            changes.push(HeaderMutation { name: Cow::Borrowed(name), is_new: old.is_empty(), head: after });
        }
    }
    for lines in before.chunk_by(|(name, _), (next, _)| name == next) {
        if !after.contains_key(lines[0].0)
            && let Ok(name) = lines[0].0.parse()
        {
            changes.push(HeaderMutation { name: Cow::Owned(name), is_new: false, head: after });
        }
    }
    changes
}

fn lines<'l, 'b>(before: &'l [(&'b str, &'b [u8])], name: &str) -> &'l [(&'b str, &'b [u8])] {
    let behind = &before[before.partition_point(|(old, _)| *old < name)..];
    &behind[..behind.partition_point(|(old, _)| *old == name)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutations(before: &[(&str, &str)], after: &[(&'static str, &'static str)]) -> Vec<String> {
        let before = before.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let mut map = HeaderMap::new();
        for (name, value) in after {
            map.append(*name, HeaderValue::from_static(value));
        }
        let one = |it: HeaderMutation<'_>| {
            let values: Vec<_> = it.values().map(|value| value.to_str().unwrap()).collect();
            format!("{}{}={}", if it.is_new { "new " } else { "" }, it.name, values.join("+"))
        };
        changes(before, &map).into_iter().map(one).collect()
    }

    #[test]
    fn every_difference_is_told_once_and_nothing_else() {
        let before = [("a", "1"), ("b", "1"), ("b", "2"), ("c", "1"), ("gone", "1"), ("gone", "2")];
        let after = [("a", "1"), ("b", "2"), ("b", "1"), ("c", "2"), ("new", "1"), ("new", "2")];
        assert_eq!(mutations(&before, &after), ["b=2+1", "c=2", "new new=1+2", "gone="]);
        assert_eq!(mutations(&before[..4], &[("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")]), [] as [&str; 0]);
    }

    #[test]
    fn what_is_added_at_the_end_is_told_alone() {
        let before = [("a", "1"), ("b", "1"), ("b", "2")];
        let with = |more: &[(&'static str, &'static str)]| {
            let after: Vec<_> = before.iter().copied().chain(more.iter().copied()).collect();
            mutations(&before, &after)
        };
        assert_eq!(with(&[]), [] as [&str; 0]);
        assert_eq!(with(&[("new", "1"), ("new", "2"), ("more", "")]), ["new new=1+2", "new more="]);
        assert_eq!(with(&[("b", "3")]), ["b=1+2+3"]);
        assert_eq!(with(&[("a", "3")]), ["a=1+3"]);
        assert_eq!(mutations(&[], &[("new", "1")]), ["new new=1"]);
    }

    #[test]
    fn many_lines_are_told_as_few_are() {
        let before: Vec<_> = (0..100).map(|_| ("a", "1")).chain([("gone", "1"), ("b", "1")]).collect();
        let after: Vec<_> = (0..99).map(|_| ("a", "1")).chain([("b", "1")]).collect();
        let changed = mutations(&before, &after);
        assert_eq!(changed.len(), 2);
        assert!(changed[0].starts_with("a=1+1") && changed[1] == "gone=");
        assert_eq!(mutations(&before, &before), [] as [&str; 0]);
    }
}
