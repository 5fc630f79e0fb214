//! A copy of headers in one buffer. It is created for each request, but rarely read.
//!
//! A list of names and values would take three times the memory, and change the reference count of each value.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Copies the headers. Each entry has the two lengths, a byte that marks a sensitive value, the name and the value.
pub(super) fn write(headers: &HeaderMap) -> Vec<u8> {
    // Enough for most heads; the buffer grows for a longer one.
    let mut copy = Vec::with_capacity(64 * headers.len());
    for (name, value) in headers {
        let (name, sensitive) = (name.as_str(), value.is_sensitive());
        copy.extend_from_slice(&(name.len() as u32).to_ne_bytes());
        copy.extend_from_slice(&(value.len() as u32).to_ne_bytes());
        copy.push(sensitive.into());
        copy.extend_from_slice(name.as_bytes());
        copy.extend_from_slice(value.as_bytes());
    }
    copy
}

/// Reads back the headers that [`write`] was given.
pub(super) fn read(copy: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut rest = copy;
    while let Some((name, value)) = read_line(&mut rest) {
        headers.append(name, value);
    }
    headers
}

fn read_line(rest: &mut &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let mut length = || rest.split_off(..4).and_then(|bytes| Some(u32::from_ne_bytes(bytes.try_into().ok()?) as usize));
    let (name, value) = (length()?, length()?);
    let is_sensitive = *rest.split_off_first()? != 0;
    let name = HeaderName::from_bytes(rest.split_off(..name)?).ok()?;
    let mut value = HeaderValue::from_bytes(rest.split_off(..value)?).ok()?;
    value.set_sensitive(is_sensitive);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", &b"a.example"[..]), ("x-a", b""), ("x-a", b"\xff\t two"), ("accept", b"*/*")] {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        headers.get_mut("accept").unwrap().set_sensitive(true);
        let again = read(&write(&headers));
        assert_eq!(again, headers);
        assert!(again["accept"].is_sensitive() && !again["host"].is_sensitive());
        assert_eq!(read(&write(&HeaderMap::new())), HeaderMap::new());
    }
}
