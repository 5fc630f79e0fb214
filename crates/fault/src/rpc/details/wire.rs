//! The wire format of protobuf, as far as the messages of google.rpc need it.

/// A message while it is written. Add the fields in the order of their numbers. A field with its default value is left
/// out.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn number(self, tag: u8, value: u64) -> Self {
        if value == 0 { self } else { self.key(tag, VARINT).varint(value) }
    }

    pub(super) fn text(self, tag: u8, text: &str) -> Self {
        self.bytes(tag, text.as_bytes())
    }

    pub(super) fn bytes(self, tag: u8, value: &[u8]) -> Self {
        if value.is_empty() { self } else { self.field(tag, value) }
    }

    pub(super) fn list(self, tag: u8, messages: impl IntoIterator<Item = Self>) -> Self {
        messages.into_iter().fold(self, |list, message| list.field(tag, &message.0))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The length that the message has as a field of another one.
    pub(super) fn field_len(&self) -> usize {
        1 + varint_len(self.len()) + self.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn field(self, tag: u8, value: &[u8]) -> Self {
        let mut message = self.key(tag, LENGTH_DELIMITED).varint(value.len() as u64);
        message.0.extend_from_slice(value);
        message
    }

    /// The key of a field is one byte, because all tags here are below 16.
    fn key(mut self, tag: u8, wire_type: u8) -> Self {
        self.0.push(tag << 3 | wire_type);
        self
    }

    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }
}

/// How many bytes a number takes, with seven bits in each.
fn varint_len(number: usize) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;
const GROUP: u8 = 3;
const END_GROUP: u8 = 4;
const FIXED_32: u8 = 5;

/// How deeply groups may be nested.
const MAX_DEPTH: u8 = 100;

/// The value of a field.
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A value of a type that no field of these messages has.
    Other,
}

impl<'a> Value<'a> {
    pub(super) fn number(&self) -> Option<u64> {
        if let Self::Varint(number) = *self { Some(number) } else { None }
    }

    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = *self { Some(bytes) } else { None }
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }
}

/// Calls `field` with the number and the value of each field of a message. `None` if the bytes are not a message, or if
/// `field` returns `None`.
pub(super) fn read<'a>(mut bytes: &'a [u8], field: &mut dyn FnMut(u32, Value<'a>) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let (tag, wire_type) = read_key(&mut bytes)?;
        field(tag, read_value(&mut bytes, tag, wire_type, MAX_DEPTH)?)?;
    }
    Some(())
}

fn read_key(bytes: &mut &[u8]) -> Option<(u32, u8)> {
    let key = u32::try_from(read_varint(bytes)?).ok()?;
    let tag = key >> 3;
    (tag > 0).then_some((tag, (key & 0b111) as u8))
}

fn read_value<'a>(bytes: &mut &'a [u8], tag: u32, wire_type: u8, depth: u8) -> Option<Value<'a>> {
    if depth == 0 {
        return None;
    }
    let value = match wire_type {
        VARINT => Value::Varint(read_varint(bytes)?),
        LENGTH_DELIMITED => {
            let length = read_varint(bytes)?;
            Value::Bytes(take(bytes, length)?)
        }
        FIXED_64 => take(bytes, 8).map(|_| Value::Other)?,
        FIXED_32 => take(bytes, 4).map(|_| Value::Other)?,
        GROUP => skip_group(bytes, tag, depth - 1).map(|()| Value::Other)?,
        _ => return None,
    };
    Some(value)
}

fn skip_group(bytes: &mut &[u8], tag: u32, depth: u8) -> Option<()> {
    loop {
        match read_key(bytes)? {
            (end, END_GROUP) => return (end == tag).then_some(()),
            (inner, wire_type) => {
                read_value(bytes, inner, wire_type, depth)?;
            }
        }
    }
}

/// Reads a number of at most ten bytes, of which the last one only has one bit.
fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}
