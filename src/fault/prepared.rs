//! What a client gets of a fault whose every word is known beforehand: its head and its body, with holes for the id.
//!
//! A policy keeps the faults that the layer itself answers with, and each keeps what was written of it the first time: the
//! next such error is a copy and an id.

use std::fmt;
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, StatusCode};

/// A reply with holes for the id.
pub(crate) struct Prepared {
    /// What was asked for, and what it leaves with.
    asked: StatusCode,
    status: StatusCode,
    head: HeaderMap,
    /// The values that have the id, and the one that has the length, each by how many others are between it and the one
    /// before: to count them is cheaper than to look their names up.
    gaps: Box<[(usize, Hole)]>,
    body: Box<[u8]>,
    holes: Box<[usize]>,
}

/// What is not the same in all replies.
enum Hole {
    Id,
    Length,
}

/// What was written by hand.
pub(crate) struct Sample {
    pub(crate) status: StatusCode,
    pub(crate) head: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is prepared of a fault, form by form; nothing until the first error of a form.
pub(super) struct Memo(OnceLock<Box<[Slot]>>);

pub(crate) type Slot = OnceLock<Option<Box<Prepared>>>;

impl Prepared {
    /// From what is written with two ids that no request has; `None` where it differs in more than the id.
    pub(crate) fn of(asked: StatusCode, mut write: impl FnMut(&HeaderValue) -> Sample) -> Option<Box<Self>> {
        let [hole, other] = [HOLE, OTHER].map(HeaderValue::from_static);
        let Sample { status, head, body } = write(&hole);
        let gaps = gaps(&head, &hole);
        let holes = body.windows(HOLE.len()).enumerate().filter(|(_, part)| *part == HOLE.as_bytes());
        let holes = holes.map(|(at, _)| at).collect();
        let prepared = Self { asked, status, gaps, head, body: (&*body).into(), holes };
        let again = write(&other);
        let same = prepared.head(&other) == again.head && prepared.body(&other) == again.body;
        (same && again.status == status).then(|| Box::new(prepared))
    }

    /// The status that it was prepared for.
    pub(crate) fn asked(&self) -> StatusCode {
        self.asked
    }

    /// The status that it leaves with.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn head(&self, id: &HeaderValue) -> HeaderMap {
        self.filled(id, None)
    }

    /// The head of the same code with a body of another length.
    pub(crate) fn head_of(&self, length: usize, id: &HeaderValue) -> HeaderMap {
        self.filled(id, Some(length_value(length)))
    }

    pub(crate) fn body(&self, id: &HeaderValue) -> Bytes {
        let mut body = Vec::with_capacity(self.body.len());
        body.extend_from_slice(&self.body);
        for hole in &self.holes {
            if let Some(hole) = body.get_mut(*hole..*hole + HOLE.len())
                && hole.len() == id.len()
            {
                hole.copy_from_slice(id.as_bytes());
            }
        }
        body.into()
    }

    fn filled(&self, id: &HeaderValue, length: Option<HeaderValue>) -> HeaderMap {
        let mut head = self.head.clone();
        let mut values = head.values_mut();
        let mut length = length;
        for (gap, hole) in &self.gaps {
            let Some(value) = values.nth(*gap) else { break };
            match hole {
                Hole::Id => *value = id.clone(),
                Hole::Length => {
                    if let Some(length) = length.take() {
                        *value = length;
                    }
                }
            }
        }
        head
    }
}

fn gaps(head: &HeaderMap, id: &HeaderValue) -> Box<[(usize, Hole)]> {
    let holes = head.iter().enumerate().filter_map(|(at, (name, value))| match () {
        () if value == id => Some((at, Hole::Id)),
        () if *name == CONTENT_LENGTH => Some((at, Hole::Length)),
        () => None,
    });
    let mut next = 0;
    holes.map(|(at, hole)| (at - std::mem::replace(&mut next, at + 1), hole)).collect()
}

/// A number of bytes. Most bodies are short: their digits are at hand.
pub(crate) fn length_value(length: usize) -> HeaderValue {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1024).map(|length| length.to_string()).collect());

    match TEXTS.get(length) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(length),
    }
}

impl Memo {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The place of a form, of so many in all.
    pub(super) fn slot(&self, form: usize, forms: usize) -> Option<&Slot> {
        self.0.get_or_init(|| (0..forms).map(|_| Slot::new()).collect()).get(form)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Of the form of an id, and none that a request gets.
const HOLE: &str = "req_00000000000000000000000000";
const OTHER: &str = "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
