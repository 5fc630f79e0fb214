//! Compares many patterns with a path at once, and finds those that match, beginning with the most specific (rule G0).
//!
//! The patterns are a trie of segments. At each node, the literal child is visited before the `{one}` child, and both
//! before the node's own `{*rest}`. A pattern that ends at a node comes before `{*rest}`, and one with a method before
//! one without. Walking the trie in this order visits the most specific pattern first, so nothing has to be collected
//! or sorted. Routes that share no segment with the path are never looked at.

use std::fmt;

use http::Method;

use super::literals::{Literals, Matching};
use crate::guard::pattern::{Pattern, RemainingPath, Segment, segments_of, split_segment};

/// Patterns with their indices, which are counted from `base`.
#[derive(Clone, Default)]
pub(crate) struct Matcher {
    base: usize,
    patterns: Box<[Pattern]>,
    root: Node,
}

#[derive(Clone, Default)]
struct Node {
    literals: Literals<Node>,
    one: Option<Box<Node>>,
    ends: Vec<usize>,
    rests: Vec<usize>,
}

/// Two patterns that both match some request, although neither is more specific.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clash {
    pub(super) first: usize,
    pub(super) second: usize,
}

impl Matcher {
    /// # Errors
    ///
    /// The patterns that clash with an earlier one.
    pub(super) fn new(base: usize, patterns: Vec<Pattern>) -> Result<Self, Vec<Clash>> {
        let (mut root, mut clashes) = (Node::default(), Vec::new());
        for (second, pattern) in patterns.iter().enumerate() {
            let same_path = root.same_path(pattern);
            if let Some(&first) = same_path.iter().find(|first| patterns[**first].shares_method_with(pattern)) {
                clashes.push(Clash { first, second });
                continue;
            }
            same_path.push(second);
            same_path.sort_by_key(|index| patterns[*index].method_rank());
        }
        if clashes.is_empty() { Ok(Self { base, patterns: patterns.into(), root }) } else { Err(clashes) }
    }

    /// The index of the first pattern. Indices are counted over all parts.
    #[cfg(feature = "policy-file")]
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// The pattern with this index; `None` if it belongs to another part.
    pub(crate) fn pattern(&self, place: usize) -> Option<&Pattern> {
        self.patterns.get(place.checked_sub(self.base)?)
    }

    /// All patterns, in the order of their indices.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter()
    }

    /// Visits all patterns that match in any letter case, beginning with the most specific, each with whether it also
    /// matches in exactly this letter case.
    #[inline]
    pub(crate) fn each_match(&self, method: &Method, path: &[u8], visit: &mut impl FnMut(usize, bool)) {
        self.root.walk(segments_of(path), true, &mut |index, is_exact| {
            if self.patterns[index].covers_method(method) {
                visit(self.base + index, is_exact);
            }
        });
    }

    /// Visits all patterns that match the path in any letter case, whatever their methods.
    pub(crate) fn each_path_match(&self, path: &[u8], visit: &mut impl FnMut(&Pattern)) {
        self.root.walk(segments_of(path), true, &mut |index, _| visit(&self.patterns[index]));
    }
}

impl Node {
    fn walk(&self, path: RemainingPath<'_>, is_exact: bool, visit: &mut impl FnMut(usize, bool)) {
        let (mut node, mut path, mut is_exact) = (self, path, is_exact);
        while let Some(left) = path {
            if node.literals.is_empty() && node.one.is_none() {
                break;
            }
            let (segment, rest) = split_segment(left);
            let one = node.one.as_deref().filter(|_| !segment.is_empty());
            let literals = node.literals.matching(segment);
            let only = literals.as_ref().and_then(Matching::only);
            node = match (only, literals, one) {
                // Nothing else has to be visited after this child, so nothing has to be stored.
                (Some((only, is_same)), _, None) if node.rests.is_empty() => {
                    is_exact &= is_same;
                    only
                }
                (None, None, Some(only)) if node.rests.is_empty() => only,
                (_, literals, one) => {
                    for (next, is_same) in literals.into_iter().flat_map(|literals| literals.each(segment)) {
                        next.walk(rest, is_exact && is_same, visit);
                    }
                    one.inspect(|one| one.walk(rest, is_exact, visit));
                    break;
                }
            };
            path = rest;
        }
        if path.is_none() {
            node.ends.iter().for_each(|index| visit(*index, is_exact));
        }
        node.rests.iter().for_each(|index| visit(*index, is_exact));
    }

    /// The patterns with the same path, whatever the names of their parameters.
    fn same_path(&mut self, pattern: &Pattern) -> &mut Vec<usize> {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => node.literals.get_or_insert(literal.as_bytes()),
                Segment::One => node.one.get_or_insert_default(),
            };
        }
        if pattern.has_rest() { &mut node.rests } else { &mut node.ends }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns.iter().map(Pattern::written)).finish()
    }
}
