//! Reads protobuf's wire format without generated code, because only a few small messages need it.

/// A field's number and its value.
pub(super) type Field = (u64, Value);

pub(super) enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// Returns the fields of a message, or `None` if the bytes are no message.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut message)?),
            1 => Value::Bytes(take(&mut message, 8)?),
            2 => {
                let length = varint(&mut message)?;
                Value::Bytes(take(&mut message, usize::try_from(length).ok()?)?)
            }
            5 => Value::Bytes(take(&mut message, 4)?),
            _ => return None,
        };
        fields.push((key >> 3, value));
    }
    Some(fields)
}

/// Returns the number in a field. A missing field is zero (proto3).
pub(super) fn number(fields: &[Field], number: u64) -> u64 {
    let last = fields.iter().rev().find(|(at, _)| *at == number);
    if let Some((_, Value::Number(value))) = last { *value } else { 0 }
}

/// Returns every value of a repeated field.
pub(super) fn all(fields: &[Field], number: u64) -> impl Iterator<Item = &[u8]> {
    fields.iter().filter_map(move |(at, value)| match value {
        Value::Bytes(bytes) if *at == number => Some(&bytes[..]),
        _ => None,
    })
}

/// Returns the text of a field, or `None` if it is not UTF-8, which a proto3 string must be.
pub(super) fn text(fields: &[Field], number: u64) -> Option<String> {
    let bytes = all(fields, number).last().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).ok()
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take(message: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let (bytes, rest) = message.split_at_checked(count)?;
    *message = rest;
    Some(bytes.to_vec())
}
