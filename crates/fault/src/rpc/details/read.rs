//! Reads a google.rpc.Status.

use std::time::Duration;

use super::{BAD_REQUEST, ERROR_INFO, REQUEST_INFO, RETRY_INFO, RpcDetails, Violation, wire};
use crate::rpc::status::Status;

impl RpcDetails {
    /// Parses the bytes; `None` if they are not a google.rpc.Status. Details that are unknown or cannot be read are
    /// skipped.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let mut rich = Self::new(Status::OK, String::new());
        wire::read(bytes, &mut |tag, value| {
            match tag {
                1 => rich.status = status_of(value.number()?),
                2 => rich.message = value.text()?.to_owned(),
                3 => rich.add_any(value.bytes()?)?,
                _ => {}
            }
            Some(())
        })?;
        Some(rich)
    }

    /// Adds the detail in a google.protobuf.Any.
    fn add_any(&mut self, bytes: &[u8]) -> Option<()> {
        let (mut type_url, mut detail) = ("", &[][..]);
        wire::read(bytes, &mut |tag, value| {
            match tag {
                1 => type_url = value.text()?,
                2 => detail = value.bytes()?,
                _ => {}
            }
            Some(())
        })?;
        self.add(type_url, detail);
        Some(())
    }

    /// Adds a detail by the name of its type, after any prefix.
    pub fn add(&mut self, type_url: &str, value: &[u8]) {
        match type_url.rsplit('/').next().unwrap_or_default() {
            ERROR_INFO => self.add_info(value),
            REQUEST_INFO => self.request_id = texts::<1>(value).map_or_else(String::new, |[id]| id),
            RETRY_INFO => self.retry_delay = retry_delay(value),
            BAD_REQUEST => self.violations.extend(violations(value).unwrap_or_default()),
            _ => {}
        }
    }

    /// Adds an `ErrorInfo`. The first one counts: a service that passes on the error of another one puts its own first.
    fn add_info(&mut self, value: &[u8]) {
        if !self.reason.is_empty() {
            return;
        }
        let (texts, entries) = (texts(value), list(value, 3, texts));
        if let (Some([reason, domain]), Some(entries)) = (texts, entries) {
            (self.reason, self.domain) = (reason, domain);
            self.metadata = entries.into_iter().map(|[key, value]| (key, value)).collect();
        }
    }
}

/// The status with this number, of which an int32 is the low half.
fn status_of(number: u64) -> Status {
    u8::try_from(number as i32).map_or(Status::UNKNOWN, Status::new)
}

/// The delay in a google.rpc.RetryInfo. A negative delay counts as none.
fn retry_delay(info: &[u8]) -> Option<Duration> {
    let mut delay = None;
    wire::read(info, &mut |tag, value| {
        if tag == 1 { add_duration(delay.get_or_insert_default(), value.bytes()?) } else { Some(()) }
    })?;
    let (seconds, nanos): (u64, u64) = delay?;
    let nanos = u32::try_from(nanos as i32).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    i64::try_from(seconds).is_ok().then(|| Duration::new(seconds, nanos))
}

/// Adds a google.protobuf.Duration. If it is sent in several parts, they are joined.
fn add_duration((seconds, nanos): &mut (u64, u64), bytes: &[u8]) -> Option<()> {
    wire::read(bytes, &mut |tag, value| {
        match tag {
            1 => *seconds = value.number()?,
            2 => *nanos = value.number()?,
            _ => {}
        }
        Some(())
    })
}

/// The violations in a google.rpc.BadRequest.
fn violations(request: &[u8]) -> Option<Vec<Violation>> {
    list(request, 1, |bytes| {
        let [field, description, reason] = texts(bytes)?;
        Some(Violation { field, description, reason })
    })
}

/// The fields 1 to N of a message, all of which are texts. A missing text is empty.
fn texts<const N: usize>(bytes: &[u8]) -> Option<[String; N]> {
    let mut texts = [const { String::new() }; N];
    wire::read(bytes, &mut |tag, value| {
        if let Some(text) = texts.get_mut(tag as usize - 1) {
            value.text()?.clone_into(text);
        }
        Some(())
    })?;
    Some(texts)
}

/// The messages in a repeated field.
fn list<T>(bytes: &[u8], field: u32, parse: fn(&[u8]) -> Option<T>) -> Option<Vec<T>> {
    let mut list = Vec::new();
    wire::read(bytes, &mut |tag, value| {
        if tag == field {
            list.push(parse(value.bytes()?)?);
        }
        Some(())
    })?;
    Some(list)
}
