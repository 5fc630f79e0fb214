//! The shared part of both clients: uploads and their results.

use bytes::Bytes;

use crate::kit::Answer;

/// How the body is framed. Over HTTP/2, "chunked" is a request without a content-length.
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
    /// True if the client keeps its last piece until it has the head.
    pub(super) at_once: bool,
}

/// The result of an upload.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    /// True if the connection took another request. Otherwise, it ended properly.
    pub(super) lives_on: bool,
}

impl Upload {
    /// Cuts the body into at least two pieces.
    pub(super) fn pieces(&self) -> Vec<Bytes> {
        const PIECE: usize = 16 * 1024;

        let body = Bytes::from(vec![b'x'; self.size]);
        (0..self.size).step_by(PIECE).map(|at| body.slice(at..self.size.min(at + PIECE))).collect()
    }
}
