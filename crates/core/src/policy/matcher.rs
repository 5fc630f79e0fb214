//! Compares many patterns with a path at once, and finds those that match, beginning with the most specific (rule G0).
//!
//! The patterns are a trie of segments. At each node, the literal child is visited first, then the `{one}` child, then
//! the node's own `{*rest}`. A pattern that ends at a node is visited before `{*rest}`, and a pattern with a method is
//! visited before a pattern without a method. Walking the trie in this order visits the most specific pattern first, so
//! nothing has to be collected or sorted. Routes that share no segment with the path are never looked at.
//!
//! The settings for the routes that usually match together are made when the policy is built, so that requests need not
//! inherit settings key by key ([`FixedChain`]).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use http::Method;
use rustc_hash::FxHashMap;

use super::keys::RouteSettings;
use crate::guard::pattern::{Pattern, RemainingPath, Segment, segments_of, split_segment};
use crate::guard::reading::PathList;

/// Patterns with their indices, which are counted from `base`.
#[derive(Clone, Default)]
pub(crate) struct Matcher {
    pub(crate) base: usize,
    pub(crate) patterns: Box<[Pattern]>,
    root: Node,
}

#[derive(Clone, Default)]
struct Node {
    literals: Literals<Node>,
    one: Option<Box<Node>>,
    ends: Vec<usize>,
    rests: Vec<usize>,
}

impl Matcher {
    /// Creates a matcher for these patterns, whose indices are counted from `base`.
    ///
    /// # Errors
    ///
    /// Returns the pairs of patterns that both match some request, although neither is more specific.
    pub(super) fn new(base: usize, patterns: Vec<Pattern>) -> Result<Self, Vec<(usize, usize)>> {
        let (mut root, mut clashes) = (Node::default(), Vec::new());
        for (second, pattern) in patterns.iter().enumerate() {
            let same_path = root.same_path(pattern);
            if let Some(&first) = same_path.iter().find(|first| patterns[**first].shares_method_with(pattern)) {
                clashes.push((first, second));
                continue;
            }
            let at = same_path.partition_point(|other| patterns[*other].method_rank() <= pattern.method_rank());
            same_path.insert(at, second);
        }
        if clashes.is_empty() { Ok(Self { base, patterns: patterns.into(), root }) } else { Err(clashes) }
    }

    /// Returns the pattern with this index, or `None` if it belongs to another part.
    pub(crate) fn pattern(&self, place: usize) -> Option<&Pattern> {
        self.patterns.get(place.checked_sub(self.base)?)
    }

    /// Visits all patterns that match in any letter case, beginning with the most specific. The second argument of
    /// `visit` is true if the pattern also matches in exactly this letter case.
    #[inline]
    pub(crate) fn each_match(&self, method: &Method, path: &[u8], visit: &mut dyn FnMut(usize, bool)) {
        self.root.walk(segments_of(path), true, &mut |index, is_exact| {
            if self.patterns[index].covers_method(method) {
                visit(self.base + index, is_exact);
            }
        });
    }

    /// Visits all patterns that match the path in any letter case and with any method.
    pub(crate) fn each_path_match(&self, path: &[u8], visit: &mut dyn FnMut(&Pattern)) {
        self.root.walk(segments_of(path), true, &mut |index, _| visit(&self.patterns[index]));
    }

    /// Adds the paths to those elements of the list that a pattern has as a literal in the same position.
    pub(super) fn add_elements(&self, list: PathList<'_>, paths: &mut BTreeSet<Vec<u8>>) {
        self.root.add_elements(list.folder(), list, paths);
    }

    /// Returns the patterns that match some request that this pattern matches, too. The result contains sorted indices
    /// in this part.
    #[cfg(feature = "policy-file")]
    pub(crate) fn overlapping(&self, pattern: &Pattern) -> Vec<usize> {
        let mut found = Vec::new();
        self.root.overlapping(&pattern.segments, pattern.rest, &mut found);
        found.retain(|other| self.patterns[*other].common_request(pattern).is_some());
        found.sort_unstable();
        found
    }
}

impl Node {
    fn walk(&self, path: RemainingPath<'_>, is_exact: bool, visit: &mut dyn FnMut(usize, bool)) {
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

    fn add_elements(&self, folder: RemainingPath<'_>, list: PathList<'_>, paths: &mut BTreeSet<Vec<u8>>) {
        let Some((segment, after)) = folder.map(split_segment) else { return self.literals.add_elements(list, paths) };
        let alike = self.literals.matching(segment).into_iter().flat_map(|literals| literals.each(segment));
        let one = self.one.as_deref().filter(|_| !segment.is_empty());
        alike.map(|(next, _)| next).chain(one).for_each(|next| next.add_elements(after, list, paths));
    }

    #[cfg(feature = "policy-file")]
    fn overlapping(&self, segments: &[Segment], rest: bool, found: &mut Vec<usize>) {
        found.extend(&self.rests);
        let all = || self.literals.entries().map(|(_, node)| node).chain(self.one.as_deref());
        match segments {
            [] => {
                found.extend(&self.ends);
                all().filter(|_| rest).for_each(|node| node.overlapping(&[], true, found));
            }
            [Segment::Literal(literal), after @ ..] => {
                let alike = self.literals.matching(literal.as_bytes()).into_iter();
                let same = alike.flat_map(|it| it.each(literal.as_bytes())).filter(|(_, is_same)| *is_same);
                same.map(|(node, _)| node)
                    .chain(self.one.as_deref())
                    .for_each(|node| node.overlapping(after, rest, found));
            }
            [Segment::One, after @ ..] => all().for_each(|node| node.overlapping(after, rest, found)),
        }
    }

    /// Returns the patterns with the same path, regardless of the names of their parameters.
    fn same_path(&mut self, pattern: &Pattern) -> &mut Vec<usize> {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.get_or_insert(literal.as_bytes()),
                Segment::One => node.one.get_or_insert_default(),
            };
        }
        if pattern.rest { &mut node.rests } else { &mut node.ends }
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.patterns.iter().map(|pattern| &pattern.written)).finish()
    }
}

/// The maximum number of routes that are stored together. In real policies, a request matches fewer routes than this.
/// If a request matches more routes, its settings are inherited when the request arrives.
const MOST: usize = 8;

/// The routes that match a request, the most specific first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MatchedRoutes {
    routes: [u32; MOST],
    number: usize,
}

/// The settings for all requests that match exactly the routes in `met`. A sample request of the first route matches
/// these routes.
#[derive(Clone, Debug)]
pub(super) struct FixedChain {
    /// The narrowest part that covers these requests.
    pub(super) part: usize,
    pub(super) met: MatchedRoutes,
    pub(super) settings: Arc<RouteSettings>,
}

impl MatchedRoutes {
    #[inline]
    pub(super) fn push(&mut self, route: usize) {
        if let (Some(place), Ok(route)) = (self.routes.get_mut(self.number), u32::try_from(route)) {
            *place = route;
        }
        self.number += 1;
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.routes.iter().take(self.number).map(|route| *route as usize)
    }
}

impl FixedChain {
    #[inline]
    pub(super) fn settings(&self, part: usize, met: &MatchedRoutes) -> Option<&Arc<RouteSettings>> {
        (self.part == part && met.number <= MOST && self.met == *met).then_some(&self.settings)
    }
}

/// A text that paths of clients hardly ever have as a segment.
pub(super) const FRESH: &str = "\u{1}";

/// Returns a request that this pattern matches, and that as few other patterns as possible match.
pub(super) fn witness(pattern: &Pattern) -> (Method, Vec<u8>) {
    let segments = pattern.segments.iter().map(|segment| match segment {
        Segment::Literal(literal) => &**literal,
        Segment::One => FRESH,
    });
    let rest = pattern.rest.then_some(FRESH);
    let path = segments.chain(rest).fold(Vec::new(), |path, segment| [&path[..], b"/", segment.as_bytes()].concat());
    (pattern.methods.first().cloned().unwrap_or(Method::GET), if path.is_empty() { b"/".to_vec() } else { path })
}

/// Values by literal segment, in any letter case. Comparing a few literals is faster than hashing a segment.
#[derive(Clone, Debug)]
pub(super) struct Literals<T> {
    few: Vec<Alike<T>>,
    /// All literals, if there are more than a few, by the hash of their letters in one case. The keys are from the
    /// policy, so no client can make them collide, and a simple hash is enough.
    many: FxHashMap<u64, Vec<Alike<T>>>,
}

/// A literal with its value, and further literals that only differ from it in letter case.
#[derive(Clone, Debug)]
struct Alike<T> {
    literal: Box<[u8]>,
    value: T,
    other_cases: Vec<(Box<[u8]>, T)>,
}

/// The literals that equal a segment in any letter case.
pub(super) struct Matching<'l, T> {
    alike: &'l Alike<T>,
    /// True if `alike.literal` equals the segment in letter case, too.
    is_exact: bool,
}

const FEW: usize = 4;

impl<T> Default for Literals<T> {
    fn default() -> Self {
        Self { few: Vec::new(), many: FxHashMap::default() }
    }
}

impl<T> Literals<T> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// Returns all literals with their values, in no particular order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &T)> {
        let alike = self.few.iter().chain(self.many.values().flatten());
        alike.flat_map(|alike| {
            let others = alike.other_cases.iter().map(|(literal, value)| (&**literal, value));
            std::iter::once((&*alike.literal, &alike.value)).chain(others)
        })
    }

    /// Returns the values of the literals that equal this segment in any letter case.
    #[inline]
    pub(super) fn matching(&self, segment: &[u8]) -> Option<Matching<'_, T>> {
        let near = match self.many.is_empty() {
            true => &self.few,
            false => self.many.get(&folded_hash(segment))?,
        };
        near.iter().find_map(|alike| Some(Matching { alike, is_exact: is_same(&alike.literal, segment)? }))
    }

    /// Adds the paths of the elements that equal one of the literals in any letter case.
    pub(super) fn add_elements(&self, list: PathList<'_>, paths: &mut BTreeSet<Vec<u8>>) {
        match list.has_any() {
            true => paths.extend(self.entries().map(|(literal, _)| list.path_to(literal))),
            false => {
                let named = list.elements().filter(|element| self.matching(element).is_some());
                paths.extend(named.map(|element| list.path_to(element)));
            }
        }
    }

    /// Returns the value of this literal in exactly this letter case, or a new one.
    pub(super) fn get_or_insert(&mut self, literal: &[u8]) -> &mut T
    where
        T: Default,
    {
        if self.many.is_empty() && self.few.len() == FEW && self.matching(literal).is_none() {
            for alike in std::mem::take(&mut self.few) {
                self.many.entry(folded_hash(&alike.literal)).or_default().push(alike);
            }
        }
        let near = match self.many.is_empty() {
            true => &mut self.few,
            false => self.many.entry(folded_hash(literal)).or_default(),
        };
        match near.iter().position(|alike| is_same(&alike.literal, literal).is_some()) {
            Some(at) => near[at].get_or_insert(literal),
            None => {
                near.push(Alike { literal: literal.into(), value: T::default(), other_cases: Vec::new() });
                let last = near.len() - 1;
                &mut near[last].value
            }
        }
    }
}

impl<'l, T> Matching<'l, T> {
    /// Returns the value, if there is only one, and true if its literal equals the segment in letter case, too.
    #[inline]
    pub(super) fn only(&self) -> Option<(&'l T, bool)> {
        self.alike.other_cases.is_empty().then_some((&self.alike.value, self.is_exact))
    }

    /// Returns all values. Each value is returned with true if its literal equals the segment in letter case, too.
    pub(super) fn each(self, segment: &[u8]) -> impl Iterator<Item = (&'l T, bool)> {
        let others = self.alike.other_cases.iter().map(move |(literal, value)| (value, **literal == *segment));
        std::iter::once((&self.alike.value, self.is_exact)).chain(others)
    }
}

impl<T> Alike<T> {
    fn get_or_insert(&mut self, literal: &[u8]) -> &mut T
    where
        T: Default,
    {
        if *self.literal == *literal {
            return &mut self.value;
        }
        let at = self.other_cases.iter().position(|(it, _)| **it == *literal).unwrap_or_else(|| {
            self.other_cases.push((literal.into(), T::default()));
            self.other_cases.len() - 1
        });
        &mut self.other_cases[at].1
    }
}

/// Returns true if two texts are the same, false if they differ only in letter case, and `None` otherwise.
#[inline]
fn is_same(literal: &[u8], segment: &[u8]) -> Option<bool> {
    // Most segments that differ also differ in length. If they have the same length, most are equal.
    match literal.len() == segment.len() {
        true if literal == segment => Some(true),
        true => literal.eq_ignore_ascii_case(segment).then_some(false),
        false => None,
    }
}

/// Returns a hash that ignores letter case. Some other characters also share a hash, which only costs one more
/// comparison.
#[inline]
fn folded_hash(segment: &[u8]) -> u64 {
    const ONE_CASE: u64 = 0x2020_2020_2020_2020;
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    let mix = |hash: u64, word: u64| (hash.rotate_left(5) ^ (word | ONE_CASE)).wrapping_mul(FACTOR);
    let start = segment.len() as u64;
    let Some(last) = segment.last_chunk::<8>() else {
        return mix(start, segment.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    };
    let words = segment.as_chunks::<8>().0;
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    // The last eight bytes form one word, although some of them were already mixed in.
    mix(hash, u64::from_le_bytes(*last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g0_a_literal_is_found_in_any_letter_case_however_many_there_are() {
        for count in [1, FEW, FEW + 1, 1_000] {
            let mut literals = Literals::<usize>::default();
            let names: Vec<String> = (0..count).map(|at| format!("Segment-{at}")).collect();
            names.iter().enumerate().for_each(|(at, name)| *literals.get_or_insert(name.as_bytes()) = at);
            *literals.get_or_insert(b"SEGMENT-0") = count;
            let found = |segment: &str| {
                let alike = literals.matching(segment.as_bytes());
                let all = alike.into_iter().flat_map(|alike| alike.each(segment.as_bytes()));
                let mut found: Vec<_> = all.map(|(at, same)| (*at, same)).collect();
                found.sort_unstable();
                found
            };
            assert_eq!(found("Segment-0"), [(0, true), (count, false)]);
            assert_eq!(found("segment-0"), [(0, false), (count, false)]);
            assert_eq!(found("SEGMENT-0"), [(0, false), (count, true)]);
            assert!(found("segment_0").is_empty() && found("").is_empty());
            let last = count - 1;
            assert!(found(&names[last].to_uppercase()).iter().any(|(at, _)| *at == last));
        }
    }

    #[test]
    fn g0_all_that_meet_are_found() {
        let segments = ["/a", "/b", "/{x}", ""];
        let mut written = vec!["/".to_owned(), "/{*rest}".to_owned()];
        for first in &segments[..3] {
            for second in segments {
                let path = format!("{first}{}", second.replace('x', "y"));
                written.extend([
                    format!("{path}/{{*rest}}"),
                    format!("GET {path}"),
                    path.clone(),
                    format!("PUT {path}/c"),
                ]);
            }
        }
        let patterns: Vec<_> = written.iter().map(|written| Pattern::parse("match", written).unwrap()).collect();
        let matcher = Matcher::new(0, patterns.clone()).unwrap();
        for pattern in &patterns {
            let meets = |other: &usize| patterns[*other].common_request(pattern).is_some();
            let naive: Vec<_> = (0..patterns.len()).filter(meets).collect();
            assert_eq!(matcher.overlapping(pattern), naive, "{}", pattern.written);
        }
    }
}
