//! Finds messages in a stream of bytes, in chunks of any size (section P). Each message has a prefix of five bytes: one
//! byte of flags, and four bytes of the message's length, big-endian. gRPC-Web's text form encodes prefixes and
//! messages in base64, and each chunk may have separate padding.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A position in a stream of messages.
#[derive(Debug, Default)]
pub struct MessageDecoder {
    text: Option<Text>,
    prefix: [u8; 5],
    have: u8,
    /// The number of bytes of the message that are still missing.
    left: u32,
}

/// An item of the stream.
pub enum DecodedItem<'a> {
    Prefix(MessagePrefix),
    /// A part of the message after the last prefix.
    Payload(&'a [u8]),
}

/// The length of a prefix in bytes.
pub const PREFIX_LEN: u64 = 5;

/// Returns true if these bytes are exactly one message with its prefix.
pub(crate) fn is_one_message(data: &[u8]) -> bool {
    data.first_chunk::<5>().is_some_and(|[_, length @ ..]| u32::from_be_bytes(*length) as usize == data.len() - 5)
}

/// Returns the position of the last message in `data`. The data must end with this message. The first `begun` bytes
/// belong to an earlier message.
pub fn last_message(data: &[u8], begun: usize) -> Option<usize> {
    let mut at = begun;
    loop {
        let [_, length @ ..] = data.get(at..)?.first_chunk::<5>()?;
        let end = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(at + PREFIX_LEN as usize)?;
        if end == data.len() {
            return Some(at);
        }
        at = end;
    }
}

/// Returns the decoded bytes of a base64 text, or `None` if the text is not base64.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut reader = Text::default();
    let read = reader.read(text, &mut |decoded| {
        bytes.extend_from_slice(decoded);
        ControlFlow::Continue(())
    });
    (read.is_ok() && reader.have == 0).then_some(bytes)
}

/// The prefix of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagePrefix {
    pub flags: u8,
    pub length: u32,
}

impl MessagePrefix {
    /// Returns true if a message of a known protocol may have these flags. The flags mean a compressed message,
    /// Connect's end of a stream, or gRPC-Web's trailers.
    pub const fn is_of_a_message(self) -> bool {
        self.flags & !(COMPRESSED | END_STREAM | TRAILERS) == 0
    }
}

/// The flag of a compressed message.
pub const COMPRESSED: u8 = 0x01;

/// The flag of the last message of a Connect stream.
pub const END_STREAM: u8 = 0x02;

/// The flag of the message with gRPC-Web's trailers.
pub const TRAILERS: u8 = 0x80;

/// The error for a stream in text form that is not base64.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidBase64;

impl MessageDecoder {
    pub fn new(is_text: bool) -> Self {
        Self { text: is_text.then(Text::default), ..Self::default() }
    }

    /// Returns true if these bytes are one whole message, as most chunks are. The decoder then stores nothing.
    pub fn is_one_message(&self, data: &[u8]) -> bool {
        self.text.is_none() && self.is_between_messages() && is_one_message(data)
    }

    /// Reads the next bytes of the stream, until `visit` stops the decoder.
    pub fn read(
        &mut self,
        data: &[u8],
        visit: &mut impl FnMut(DecodedItem<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, InvalidBase64> {
        let Some(mut text) = self.text.take() else { return Ok(self.read_binary(data, visit)) };
        let read = text.read(data, &mut |decoded| self.read_binary(decoded, visit));
        self.text = Some(text);
        read
    }

    /// Returns true if the stream is between two messages.
    pub fn is_between_messages(&self) -> bool {
        self.have == 0 && self.left == 0 && self.text.as_ref().is_none_or(|text| text.have == 0)
    }

    /// Returns how many decoded bytes of the current message are missing. Returns `None` inside a prefix, and inside a
    /// group of four base64 characters.
    pub fn payload_left(&self) -> Option<usize> {
        let is_aligned = self.have == 0 && self.text.as_ref().is_none_or(|text| text.have == 0);
        if is_aligned { usize::try_from(self.left).ok() } else { None }
    }

    /// Returns how many bytes of the stream are missing until the end of the current message.
    pub fn left(&self) -> u64 {
        let left = u64::from(self.left);
        if self.text.is_some() { left.div_ceil(3) * 4 } else { left }
    }

    fn read_binary(
        &mut self,
        mut data: &[u8],
        visit: &mut impl FnMut(DecodedItem<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        while !data.is_empty() {
            if self.left > 0 {
                let (payload, rest) = data.split_at(data.len().min(self.left as usize));
                self.left -= payload.len() as u32;
                data = rest;
                if flow.is_continue() {
                    flow = visit(DecodedItem::Payload(payload));
                }
            } else if let Some(prefix) = self.push(data[0]) {
                data = &data[1..];
                if flow.is_continue() {
                    flow = visit(DecodedItem::Prefix(prefix));
                }
            } else {
                data = &data[1..];
            }
        }
        flow
    }

    fn push(&mut self, byte: u8) -> Option<MessagePrefix> {
        self.prefix[usize::from(self.have)] = byte;
        self.have += 1;
        if self.have < 5 {
            return None;
        }
        self.have = 0;
        let [flags, length @ ..] = self.prefix;
        self.left = u32::from_be_bytes(length);
        Some(MessagePrefix { flags, length: self.left })
    }
}

/// Decodes base64 in chunks. The decoder stores the characters of an incomplete group of four.
#[derive(Debug, Default)]
struct Text {
    quantum: [u8; 4],
    have: u8,
}

impl Text {
    fn read(
        &mut self,
        data: &[u8],
        decoded: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, InvalidBase64> {
        let mut flow = ControlFlow::Continue(());
        for byte in data {
            self.quantum[usize::from(self.have)] = *byte;
            self.have += 1;
            if self.have == 4 {
                self.have = 0;
                let mut bytes = [0; 3];
                let length = STANDARD.decode_slice(self.quantum, &mut bytes).map_err(|_| InvalidBase64)?;
                let next = decoded(&bytes[..length]);
                if flow.is_continue() {
                    flow = next;
                }
            }
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Message = (u8, Vec<u8>);

    /// Returns the messages of a stream that arrives in these chunks. The flag is true if the stream ends between two
    /// messages.
    fn messages(is_text: bool, chunks: &[&[u8]]) -> Result<(Vec<Message>, bool), InvalidBase64> {
        let mut frames = MessageDecoder::new(is_text);
        let mut messages: Vec<Message> = Vec::new();
        for chunk in chunks {
            let _ = frames.read(chunk, &mut |piece| {
                match piece {
                    DecodedItem::Prefix(prefix) => messages.push((prefix.flags, Vec::new())),
                    DecodedItem::Payload(payload) => messages.last_mut().unwrap().1.extend_from_slice(payload),
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok((messages, frames.is_between_messages()))
    }

    fn framed(messages: &[Message]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (flags, payload) in messages {
            bytes.push(*flags);
            bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    #[test]
    fn p2_text_is_decoded_chunk_by_chunk() {
        let (messages, between) = messages(true, &[b"AAAA", b"AAJo", b"aQ==gAAAAAA="]).unwrap();
        assert_eq!((messages, between), (vec![(0, b"hi".to_vec()), (0x80, Vec::new())], true));
        assert_eq!(self::messages(true, &[b"AA*A"]), Err(InvalidBase64));
    }

    #[test]
    fn p1_what_is_left_of_a_message_is_known() {
        let mut frames = MessageDecoder::default();
        assert_eq!(frames.read(&[0, 0, 0, 0, 9, 1], &mut |_| ControlFlow::Break(())), Ok(ControlFlow::Break(())));
        assert_eq!((frames.left(), frames.is_between_messages()), (8, false));
    }

    #[test]
    fn p2_the_last_message_is_found_where_the_data_ends_with_it() {
        let two = framed(&[(0, b"hi".to_vec()), (0x80, b"end".to_vec())]);
        for (data, begun, at) in [
            (&two[..], 0, Some(7)),
            (&two[7..], 0, Some(0)),
            (&two[5..], 2, Some(2)),
            (&two[..7], 0, Some(0)),
            (&two[..14], 0, None),
            (&two[..9], 0, None),
            (&two[5..6], 2, None),
            (&b"\0\xff\xff\xff\xff"[..], 0, None),
            (b"", 0, None),
        ] {
            assert_eq!(last_message(data, begun), at, "{data:?} {begun}");
        }
    }

    proptest! {
        #[test]
        fn p1_messages_are_found_however_the_stream_is_cut(
            sent in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..6),
            cuts in prop::collection::vec(1usize..9, 1..20),
            is_text: bool,
        ) {
            let bytes = framed(&sent);
            let bytes = if is_text { STANDARD.encode(bytes).into_bytes() } else { bytes };
            let mut rest = &bytes[..];
            let mut chunks = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, after) = rest.split_at(rest.len().min(*cut));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(messages(is_text, &chunks), Ok((sent, true)));
        }

        #[test]
        fn p1_no_bytes_make_it_panic(bytes: Vec<u8>, is_text: bool) {
            let _ = messages(is_text, &[&bytes]);
        }
    }
}
