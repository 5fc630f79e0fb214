//! Writes and reads bodies of length-prefixed messages, as gRPC, gRPC-Web and Connect's streams have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The length of a prefix: a flag, and four bytes for the length of the message.
const PREFIX: usize = 5;

/// One message of a case's body. An omitted key has the value of a proper message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    #[serde(default)]
    flags: u8,
    #[serde(default)]
    text: String,
    #[serde(default = "once")]
    count: usize,
    /// The length in the prefix, if it is wrong.
    length: Option<u32>,
}

/// gRPC-Web's text is base64, with padding, of the whole body or of each message.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum WebText {
    Whole,
    Frames,
}

pub(super) fn body(messages: &[Message], text: Option<WebText>) -> Vec<u8> {
    let messages = messages.iter().map(Message::bytes);
    match text {
        None => messages.collect::<Vec<_>>().concat(),
        Some(WebText::Whole) => STANDARD.encode(messages.collect::<Vec<_>>().concat()).into_bytes(),
        Some(WebText::Frames) => messages.map(|bytes| STANDARD.encode(bytes)).collect::<String>().into_bytes(),
    }
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        let data = self.text.repeat(self.count).into_bytes();
        let length = self.length.unwrap_or_else(|| u32::try_from(data.len()).expect("a message within 4 GiB"));
        [&[self.flags][..], &length.to_be_bytes(), &data].concat()
    }
}

/// The messages that a body has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// The complete messages with their flags.
    pub(super) whole: Vec<(u8, Vec<u8>)>,
    /// The number of bytes of an incomplete message.
    pub(super) rest: usize,
}

pub(super) fn read(mut bytes: &[u8]) -> Read {
    let mut read = Read::default();
    while let Some((prefix, after)) = bytes.split_first_chunk::<PREFIX>() {
        let [flags, length @ ..] = *prefix;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a length that memory has");
        let Some((data, after)) = after.split_at_checked(length) else { break };
        read.whole.push((flags, data.to_vec()));
        bytes = after;
    }
    Read { rest: bytes.len(), ..read }
}

/// Returns the bytes of gRPC-Web's text, or `None` if it is no base64. Padding may be between any two groups of four.
pub(super) fn untexted(text: &[u8]) -> Option<Vec<u8>> {
    let groups = text.chunks(4).map(|group| STANDARD.decode(group).ok());
    groups.collect::<Option<Vec<_>>>().map(|groups| groups.concat())
}

fn once() -> usize {
    1
}
