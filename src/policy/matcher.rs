//! Many patterns at once: which of them match a path, the most specific first (rule G0).
//!
//! A trie of segments. At each segment the literal child is visited before the `{one}` child, and both before the
//! `{*rest}` of the node itself; what ends at a node comes before its `{*rest}`, and a method before none. That walk is
//! the order of specificity, so that nothing is collected or sorted. Routes that share no segment with the path are
//! never looked at.

use std::fmt;

use http::Method;
use rustc_hash::FxHashMap;

use crate::guard::pattern::{Pattern, Rest, Segment, segments_of, split_segment};

/// Patterns, known by their places in the list that they came in, counted from `base`.
#[derive(Default)]
pub(super) struct Matcher {
    base: usize,
    patterns: Box<[Pattern]>,
    root: Node,
}

#[derive(Default)]
struct Node {
    /// The keys are the policy's: no client can make them collide, so that a quick hash will do.
    literals: FxHashMap<Box<[u8]>, Node>,
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
    pub(super) fn new(base: usize, patterns: Vec<Pattern>) -> Result<Self, Clash> {
        let mut root = Node::default();
        for (second, pattern) in patterns.iter().enumerate() {
            let beside = root.same_path(pattern);
            if let Some(&first) = beside.iter().find(|first| patterns[**first].shares_method_with(pattern)) {
                return Err(Clash { first, second });
            }
            beside.push(second);
            beside.sort_by_key(|index| patterns[*index].method_rank());
        }
        Ok(Self { base, patterns: patterns.into(), root })
    }

    /// The place that its own are counted from.
    #[cfg(feature = "policy-file")]
    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// The pattern of a place; `None` for places before or behind its own.
    pub(super) fn pattern(&self, place: usize) -> Option<&Pattern> {
        self.patterns.get(place.checked_sub(self.base)?)
    }

    /// All of them, by their places.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter()
    }

    /// Visits all that match, the most specific first.
    pub(super) fn each_match(&self, method: &Method, path: &[u8], visit: &mut impl FnMut(usize)) {
        self.root.walk(segments_of(path), &mut |index| {
            if self.patterns[index].covers_method(method) {
                visit(self.base + index);
            }
        });
    }
}

impl Node {
    fn walk(&self, path: Rest<'_>, visit: &mut impl FnMut(usize)) {
        if let Some(left) = path {
            let (segment, rest) = split_segment(left);
            if let Some(literal) = self.literals.get(segment) {
                literal.walk(rest, visit);
            }
            if let Some(one) = self.one.as_ref().filter(|_| !segment.is_empty()) {
                one.walk(rest, visit);
            }
        } else {
            self.ends.iter().copied().for_each(&mut *visit);
        }
        self.rests.iter().copied().for_each(visit);
    }

    /// The patterns of the same path, whatever its parameters are called.
    fn same_path(&mut self, pattern: &Pattern) -> &mut Vec<usize> {
        let mut node = self;
        for segment in pattern.segments() {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.as_bytes().into()).or_default(),
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
