//! Writes HTTP/2 by hand: frames that no client library would send (RFC 9113, section 4), and heads without
//! compression.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = (self.payload.len() as u32).to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 9];
        from.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        from.read_exact(&mut payload).await?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & (u32::MAX >> 1);
        Ok(Self { kind: head[3], flags: head[4], stream, payload })
    }

    /// Returns what this frame ends (a stream or the connection) and why, or `None` if it ends nothing.
    pub(crate) fn ends(&self) -> Option<String> {
        let reason = |at: usize| {
            let code = self
                .payload
                .get(at..at + 4)
                .map_or(u32::MAX, |code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
            h2::Reason::from(code)
        };
        match self.kind {
            RST_STREAM => Some(format!("stream reset: {:?}", reason(0))),
            GOAWAY => Some(format!("goodbye: {:?}", reason(4))),
            _ => None,
        }
    }
}

/// Returns the preface and a SETTINGS frame. If `window` is set, it is the initial window of each stream.
pub(crate) fn opening(window: Option<u32>) -> Vec<u8> {
    let mut settings = Vec::new();
    if let Some(window) = window {
        settings.extend([0, 4]);
        settings.extend(window.to_be_bytes());
    }
    [PREFACE, &Frame::new(SETTINGS, 0, 0, settings).bytes()].concat()
}

/// Writes header fields as literals (RFC 7541, section 6.2.2), even if the fields are not valid.
pub(crate) fn head(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend(*text);
        }
    }
    block
}

/// Writes a length in the form of RFC 7541, section 5.1, with a prefix of 7 bits.
pub(crate) fn length(mut length: usize, block: &mut Vec<u8>) {
    if length < 127 {
        return block.push(length as u8);
    }
    block.push(127);
    length -= 127;
    while length >= 128 {
        block.push(length as u8 | 128);
        length >>= 7;
    }
    block.push(length as u8);
}

pub(crate) fn request(method: &str, path: &str) -> Vec<u8> {
    head(&[
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"new.example"),
        (b":path", path.as_bytes()),
    ])
}

/// Returns the status at the beginning of a response's head. Returns `None` if the status has a form that servers do
/// not use.
pub(crate) fn status(block: &[u8]) -> Option<u16> {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        // The head may begin with a change of the decoder's table size.
        [first, rest @ ..] if first & 0xe0 == 0x20 => status(rest),
        [first @ 0x88..=0x8e, ..] => Some(INDEXED[usize::from(first - 0x88)]),
        [0x48 | 0x08, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        [0x48 | 0x08, length @ 0x82..=0x83, digits @ ..] => huffman(digits.get(..usize::from(length - 0x80))?),
        _ => None,
    }
}

/// Decodes a text that consists only of digits (RFC 7541, appendix B). The digits 0 to 2 have five bits, and the other
/// digits have six.
fn huffman(bytes: &[u8]) -> Option<u16> {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let (mut rest, mut number) = (&*bits, 0);
    for _ in 0..3 {
        let five = u16::from_str_radix(rest.get(..5)?, 2).ok()?;
        let (digit, length) = if five < 3 {
            (five, 5)
        } else {
            (u16::from_str_radix(rest.get(..6)?, 2).ok()?.checked_sub(0b011001)? + 3, 6)
        };
        number = number * 10 + digit;
        rest = &rest[length..];
    }
    Some(number)
}
