//! What both clients share: what to upload, and what came of it.

use bytes::Bytes;

use crate::kit::Answer;

/// True if the length is declared: over HTTP/2 "chunked" is a request without a content-length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Framing {
    Declared,
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reader {
    Slow,
    Eager,
    Late,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub(super) path: &'static str,
    pub(super) framing: Framing,
    pub(super) size: usize,
    pub(super) reader: Reader,
    /// The client keeps its last piece back until it has the head.
    pub(super) at_once: bool,
}

/// What came of an upload.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    /// The connection took another request; else it ended in good order.
    pub(super) lives_on: bool,
}

impl Upload {
    /// The body in pieces, at least two.
    pub(super) fn pieces(&self) -> Vec<Bytes> {
        const PIECE: usize = 16 * 1024;

        let body = Bytes::from(vec![b'x'; self.size]);
        (0..self.size).step_by(PIECE).map(|at| body.slice(at..self.size.min(at + PIECE))).collect()
    }
}
