//! Many patterns at once: which of them match a path, the most specific first (rule G0).
//!
//! A trie of segments. At each segment the literal child is visited before the `{one}` child, and both before the
//! `{*rest}` of the node itself. A pattern that ends at a node comes before its `{*rest}`, and one with a method before
//! one without. That walk is the order of specificity, so that nothing is collected or sorted. Routes that share no
//! segment with the path are never examined.

use std::fmt;

use http::Method;

use super::literals::{Literals, Matching};
use crate::guard::pattern::{Pattern, RemainingPath, Segment, segments_of, split_segment};

/// Patterns, known by their places in the list that they came in, counted from `base`.
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

/// Two patterns that some request would match with neither before the other.
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

    /// The place of its first pattern; places are numbered across all parts.
    #[cfg(feature = "policy-file")]
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// The pattern of a place; `None` for a place of another part.
    pub(crate) fn pattern(&self, place: usize) -> Option<&Pattern> {
        self.patterns.get(place.checked_sub(self.base)?)
    }

    /// All patterns, in the order of their places.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter()
    }

    /// Visits all that match in any letter case, the most specific first, and whether the case is the same in them.
    #[inline]
    pub(crate) fn each_match(&self, method: &Method, path: &[u8], visit: &mut impl FnMut(usize, bool)) {
        self.root.walk(segments_of(path), true, &mut |index, is_exact| {
            if self.patterns[index].covers_method(method) {
                visit(self.base + index, is_exact);
            }
        });
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
                // Nothing else is to be visited behind it, so that nothing has to be kept.
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

    /// The patterns of the same path, with any names of parameters.
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
