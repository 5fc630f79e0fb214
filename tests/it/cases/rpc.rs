//! `grpc-status-details-bin` (P1), read by hand: a `google.rpc.Status` of two `Any`s needs no generated code.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// gRPC peers send the value with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) struct Details {
    pub(super) reason: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) raw: Vec<u8>,
}

pub(super) fn read(value: &str) -> Result<Details, String> {
    let raw = LENIENT.decode(value).map_err(|error| format!("grpc-status-details-bin: {error}"))?;
    let mut details = Details { reason: None, request_id: None, raw: raw.clone() };
    for (_, any) in fields(&raw).ok_or("grpc-status-details-bin is no message")?.into_iter().filter(|(at, _)| *at == 3)
    {
        let any = fields(&any).ok_or("a detail is no Any")?;
        let part =
            |number| any.iter().find(|(at, _)| *at == number).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
        let first =
            || fields(&part(2)).and_then(|inner| inner.into_iter().find(|(at, _)| *at == 1)).map(|(_, text)| text);
        let text = || first().map(|text| String::from_utf8_lossy(&text).into_owned());
        match String::from_utf8_lossy(&part(1)).rsplit('/').next() {
            Some("google.rpc.ErrorInfo") => details.reason = text(),
            Some("google.rpc.RequestInfo") => details.request_id = text(),
            _ => {}
        }
    }
    Ok(details)
}

/// The fields of a message: a number and, where it has bytes, those.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let bytes = match key & 7 {
            0 => varint(&mut message).map(|_| Vec::new())?,
            1 => take(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                take(&mut message, usize::try_from(length).ok()?)?
            }
            5 => take(&mut message, 4)?,
            _ => return None,
        };
        fields.push((key >> 3, bytes));
    }
    Some(fields)
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
