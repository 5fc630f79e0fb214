//! A body that plays a script: its frames, its size hints, and when it states that it has ended.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use tower_error_envelope::session::BoxError;

use super::Setting;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The body is pending once.
    Wait,
    Data(Bytes),
    Trailers(u8),
}

/// The hint about the size of the remaining data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hint {
    Unknown,
    Exact,
    Lower,
    Upper,
    /// A range that includes the true size.
    Range,
    /// The same two numbers at each time, which nobody checks in process.
    Fixed(u64, Option<u64>),
}

/// When the body states that it has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ended {
    Never,
    /// After its last frame.
    Truly,
    /// When this number of steps is left.
    Early(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    pub(super) steps: VecDeque<Step>,
    pub(super) hint: Hint,
    pub(super) ended: Ended,
}

pub(super) const HINTS: [Hint; 5] = [Hint::Unknown, Hint::Exact, Hint::Lower, Hint::Upper, Hint::Range];
pub(super) const ENDS: [Ended; 4] = [Ended::Never, Ended::Truly, Ended::Early(1), Ended::Early(usize::MAX)];

/// Returns each sequence of at most three steps, with each hint and each end.
pub(super) fn all() -> impl Iterator<Item = Script> {
    let steps = [Step::Wait, Step::Data(Bytes::new()), Step::Data(Bytes::from_static(b"some")), Step::Trailers(1)];
    let mut sequences = vec![VecDeque::new()];
    let mut longest = sequences.clone();
    for _ in 0..3 {
        let longer = longest.iter().flat_map(|begun| {
            steps.iter().map(|step| {
                let mut begun: VecDeque<_> = begun.clone();
                begun.push_back(step.clone());
                begun
            })
        });
        longest = longer.collect();
        sequences.extend_from_slice(&longest);
    }
    sequences.into_iter().flat_map(|steps| {
        let hints = HINTS.into_iter().flat_map(|hint| ENDS.map(|ended| (hint, ended)));
        hints.map(move |(hint, ended)| Script { steps: steps.clone(), hint, ended })
    })
}

/// Returns the scripts for the wire. Of the long ones, these are those that a server distinguishes: it only checks
/// whether a length is exact.
pub(super) fn for_the_wire() -> impl Iterator<Item = Script> {
    let is_distinct = |script: &Script| {
        matches!(script.hint, Hint::Unknown | Hint::Exact) && matches!(script.ended, Ended::Truly | Ended::Never)
    };
    all().filter(move |script| script.steps.len() < 3 || is_distinct(script))
}

/// Returns bodies for a 204, 205 or 304: empty ones, with any stated length. For `off` and `observe`, there are also
/// forbidden bodies, which E5 removes in `enforce`.
pub(super) fn without_a_body() -> Vec<(Setting, Script)> {
    let none = [Hint::Unknown, Hint::Exact, Hint::Fixed(4, Some(4))];
    let none = none.map(|hint| Script { steps: VecDeque::new(), hint, ended: Ended::Truly });
    let steps = VecDeque::from([Step::Data(Bytes::from_static(b"some")), Step::Trailers(1)]);
    let some = [Hint::Unknown, Hint::Exact].map(|hint| Script { steps: steps.clone(), hint, ended: Ended::Truly });
    let all = |setting| none.iter().chain(&some).map(move |script| (setting, script.clone()));
    all(Setting::Off)
        .chain(all(Setting::Observe))
        .chain(none.iter().map(|script| (Setting::Enforce, script.clone())))
        .collect()
}

impl Script {
    /// Returns true if the script does not end early, and its trailers, if any, come last.
    pub(super) fn is_well_formed(&self) -> bool {
        let mut after_trailers = self.steps.iter().skip_while(|step| !matches!(step, Step::Trailers(_))).skip(1);
        !matches!(self.ended, Ended::Early(_)) && after_trailers.all(|step| *step == Step::Wait)
    }

    fn left(&self) -> u64 {
        let length = |step: &Step| if let Step::Data(data) = step { data.len() as u64 } else { 0 };
        self.steps.iter().map(length).sum()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Wait) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Step::Trailers(sum)) => Some(Ok(Frame::trailers(HeaderMap::from_iter([(
                HeaderName::from_static("content-digest"),
                HeaderValue::from(u16::from(sum)),
            )])))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match self.ended {
            Ended::Never => false,
            Ended::Truly => self.steps.is_empty(),
            Ended::Early(left) => self.steps.len() <= left,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.left();
        let (lower, upper) = match self.hint {
            Hint::Unknown => (0, None),
            Hint::Exact => (left, Some(left)),
            Hint::Lower => (left, None),
            Hint::Upper => (0, Some(left)),
            Hint::Range => (left / 2, Some(left * 2 + 1)),
            Hint::Fixed(lower, upper) => (lower, upper),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(lower);
        if let Some(upper) = upper {
            hint.set_upper(upper);
        }
        hint
    }
}
