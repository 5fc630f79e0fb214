//! The prepared reply to a fault. The reply has a head and a body, with gaps for the id. An error with other texts or
//! fields uses only the head of the reply, with another length and another body.
//!
//! A policy stores the faults that the layer itself reports. Each fault keeps the first reply that was written for it.
//! The next error with this fault only needs a copy of the reply and an id.

use std::fmt;
use std::mem;
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// A prepared reply, with gaps for the id.
pub struct PreparedReply {
    /// The status for which the reply was prepared. This status may differ from `status`, which is the status to send.
    prepared_for: StatusCode,
    status: StatusCode,
    head: HeadTemplate,
    /// More heads, for responses that keep some headers of the inner head. Each head belongs to one set of names of
    /// such headers. Only the first few sets get a head.
    variants: [OnceLock<HeadVariant>; 4],
    body: Box<[u8]>,
    holes: Box<[usize]>,
}

/// A prepared head, with gaps.
pub struct HeadTemplate {
    lines: HeaderMap,
    /// The values that differ between replies. Each is stored with the number of unchanged values before it, because
    /// counting is faster than looking up names.
    gaps: Box<[(usize, Hole)]>,
}

/// A value that differs between replies.
enum Hole {
    Id,
    Length,
    /// The value at this index of the inner head.
    Kept(usize),
}

/// The head of an error whose inner head had exactly these names, without duplicates.
struct HeadVariant {
    names: Box<[HeaderName]>,
    /// The head, or `None` if it depends on more than the names.
    head: Option<HeadTemplate>,
}

/// A reply that was written without a prepared one.
pub struct WrittenReply {
    pub status: StatusCode,
    pub head: HeaderMap,
    pub body: Bytes,
}

/// The prepared replies of a fault, with one slot for each form. A slot is filled by the first error in its form.
#[derive(Default)]
pub(super) struct ReplyCache(OnceLock<Box<[Slot]>>);

pub type Slot = OnceLock<Option<Box<PreparedReply>>>;

impl PreparedReply {
    /// Prepares a reply from two replies that are written with ids that no request has. Returns `None` if the two
    /// replies differ in more than the id.
    pub fn new(prepared_for: StatusCode, mut write: impl FnMut(&HeaderValue) -> WrittenReply) -> Option<Box<Self>> {
        let [hole, other] = [HOLE, OTHER].map(HeaderValue::from_static);
        let WrittenReply { status, head, body } = write(&hole);
        let head = HeadTemplate::new(head, &hole, &[]);
        let holes = body.windows(HOLE.len()).enumerate().filter(|(_, part)| *part == HOLE.as_bytes());
        let holes = holes.map(|(at, _)| at).collect();
        let prepared = Self { prepared_for, status, head, variants: Default::default(), body: (&*body).into(), holes };
        let (mut head, again) = (HeaderMap::new(), write(&other));
        prepared.head.fill(&mut head, &other, None);
        let same = head == again.head && prepared.body(&other) == again.body;
        (same && again.status == status).then(|| Box::new(prepared))
    }

    /// Returns the status for which the reply was prepared.
    #[inline]
    pub fn prepared_for(&self) -> StatusCode {
        self.prepared_for
    }

    /// Returns the status that is sent.
    #[inline]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the head, if no inner header is kept.
    #[inline]
    pub fn head(&self) -> &HeadTemplate {
        &self.head
    }

    /// Returns the head for a response that keeps headers of the inner head. Returns `None` if the head depends on more
    /// than the names of these headers. `write` makes a head from an inner head, and is called once for each set of
    /// names.
    pub fn head_beside(
        &self,
        inner: &HeaderMap,
        write: impl FnMut(HeaderMap, &HeaderValue) -> Option<HeaderMap>,
    ) -> Option<&HeadTemplate> {
        if inner.len() != inner.keys_len() {
            return None;
        }
        let known = self.variants.iter().map_while(OnceLock::get).find(|known| inner.keys().eq(&known.names));
        let variant = match known {
            Some(known) => known,
            None => {
                self.variants.iter().find(|free| free.get().is_none())?.get_or_init(|| HeadVariant::new(inner, write))
            }
        };
        // Another thread may have used the free slot in the meantime.
        variant.head.as_ref().filter(|_| known.is_some() || inner.keys().eq(&variant.names))
    }

    pub fn body(&self, id: &HeaderValue) -> Bytes {
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
}

impl HeadVariant {
    /// Prepares a head by writing it with two ids and two sets of values that no response has.
    fn new(inner: &HeaderMap, mut write: impl FnMut(HeaderMap, &HeaderValue) -> Option<HeaderMap>) -> Self {
        let names: Box<[HeaderName]> = inner.keys().cloned().collect();
        let mut sample = |id, mark: &str| {
            let id = HeaderValue::from_static(id);
            let value = |at| HeaderValue::try_from(format!("{mark}{at}")).ok();
            let values: Vec<_> = (0..names.len()).filter_map(value).collect();
            let inner: HeaderMap = names.iter().cloned().zip(values.iter().cloned()).collect();
            let head = write(inner.clone(), &id)?;
            Some((id, inner, values, head))
        };
        let head = sample(HOLE, "a").zip(sample(OTHER, "b")).and_then(|(one, other)| {
            let (head, mut again) = (HeadTemplate::new(one.3, &one.0, &one.2), other.1);
            head.fill(&mut again, &other.0, None);
            (again == other.3).then_some(head)
        });
        Self { names, head }
    }
}

impl HeadTemplate {
    fn new(lines: HeaderMap, id: &HeaderValue, kept: &[HeaderValue]) -> Self {
        let holes = lines.iter().enumerate().filter_map(|(at, (name, value))| match () {
            () if value == id => Some((at, Hole::Id)),
            () if *name == CONTENT_LENGTH => Some((at, Hole::Length)),
            () => kept.iter().position(|kept| kept == value).map(|place| (at, Hole::Kept(place))),
        });
        let mut next = 0;
        let gaps = holes.map(|(at, hole)| (at - mem::replace(&mut next, at + 1), hole)).collect();
        Self { lines, gaps }
    }

    /// Writes this head over `head`, with an id. If a length is given, it is written as the length of the body. Values
    /// that are kept are taken from the inner head, which must have the names for which this head was made.
    pub fn fill(&self, head: &mut HeaderMap, id: &HeaderValue, length: Option<usize>) {
        let mut lines = self.lines.clone();
        let mut values = lines.values_mut();
        for (gap, hole) in &self.gaps {
            let Some(value) = values.nth(*gap) else { break };
            match hole {
                Hole::Id => *value = id.clone(),
                Hole::Length => {
                    if let Some(length) = length {
                        *value = length_value(length);
                    }
                }
                Hole::Kept(place) => {
                    if let Some(kept) = head.values().nth(*place) {
                        value.clone_from(kept);
                    }
                }
            }
        }
        let was = mem::replace(head, lines);
        // An empty map owns no memory, but dropping it takes as long as half a header.
        if was.capacity() == 0 {
            mem::forget(was);
        }
    }
}

/// Returns a number of bytes as a header value. Most bodies are short, so the values for short bodies are stored.
/// Cloning a stored value does not change a reference count.
pub fn length_value(length: usize) -> HeaderValue {
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| (0..1024).map(|length| length.to_string()).collect());
    static VALUES: LazyLock<Vec<HeaderValue>> =
        LazyLock::new(|| TEXTS.iter().map(|text| HeaderValue::from_static(text)).collect());

    VALUES.get(length).cloned().unwrap_or_else(|| HeaderValue::from(length))
}

/// The cache is cloned only with a fault that is then changed. The prepared replies would not fit the changed fault, so
/// the clone has none.
impl Clone for ReplyCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl ReplyCache {
    /// Returns the slot for a reply in this form. `forms` returns the number of forms.
    #[inline]
    pub(super) fn slot(&self, form: usize, forms: impl FnOnce() -> usize) -> Option<&Slot> {
        self.0.get_or_init(|| (0..forms()).map(|_| Slot::new()).collect()).get(form)
    }
}

impl fmt::Debug for PreparedReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A text that has the form of an id. No request gets this id.
const HOLE: &str = "req_00000000000000000000000000";
const OTHER: &str = "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZ";
