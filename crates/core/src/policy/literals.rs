//! Finds values by literal segments, in any letter case (rule G0).

use rustc_hash::FxHashMap;

/// Values by literal segment. Comparing a few literals is faster than hashing a segment.
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
    /// Whether `alike.literal` equals the segment in letter case, too.
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

    /// All literals with their values, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &T)> {
        let alike = self.few.iter().chain(self.many.values().flatten());
        alike.flat_map(|alike| {
            let others = alike.other_cases.iter().map(|(literal, value)| (&**literal, value));
            std::iter::once((&*alike.literal, &alike.value)).chain(others)
        })
    }

    /// The values of the literals that equal this segment in any letter case.
    #[inline]
    pub(super) fn matching(&self, segment: &[u8]) -> Option<Matching<'_, T>> {
        let near = match self.many.is_empty() {
            true => &self.few,
            false => self.many.get(&folded_hash(segment))?,
        };
        near.iter().find_map(|alike| Some(Matching { alike, is_exact: is_same(&alike.literal, segment)? }))
    }

    /// The value of this literal in exactly this letter case, or a new one.
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
    /// The value, if there is only one, and whether its literal equals the segment in letter case, too.
    #[inline]
    pub(super) fn only(&self) -> Option<(&'l T, bool)> {
        self.alike.other_cases.is_empty().then_some((&self.alike.value, self.is_exact))
    }

    /// All values, each with whether its literal equals the segment in letter case, too.
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

/// Whether two texts are the same; `None` if they differ in more than letter case.
#[inline]
fn is_same(literal: &[u8], segment: &[u8]) -> Option<bool> {
    // Most segments that differ already differ in length. Of the same length, most are equal.
    match literal.len() == segment.len() {
        true if literal == segment => Some(true),
        true => literal.eq_ignore_ascii_case(segment).then_some(false),
        false => None,
    }
}

/// A hash that ignores letter case. Some other characters also share a hash, which only costs one more comparison.
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
    // The last eight bytes as one word: some of them were already mixed in.
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
}
