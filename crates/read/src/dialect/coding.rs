//! Decodes bodies with content codings, within the byte budget (R5; feature `decompress`).
//!
//! The codings are gzip, deflate, br and zstd. The codings are decoded in the reverse of their order in
//! `content-encoding`. A body is unreadable if it does not match the header, is cut off, or grows past the budget. The
//! status alone then decides the code.

use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName};

use super::charset::is_charset;
use crate::fields;

/// Returns the codings of a body, with the outermost last. Returns `None` if a coding is not supported. The name of a
/// charset is not treated as a coding.
#[inline]
pub fn codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    if fields::has(headers, &CONTENT_ENCODING) { named_codings(headers) } else { Some(Vec::new()) }
}

#[cold]
fn named_codings(headers: &HeaderMap) -> Option<Vec<Coding>> {
    let mut codings = Vec::new();
    for line in headers.get_all(CONTENT_ENCODING) {
        for name in line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Coding::by_name(name) {
                Some(coding) => codings.push(coding),
                None if name.eq_ignore_ascii_case("identity") || is_charset(name) => {}
                None => return None,
            }
        }
    }
    // Each coding can expand a few bytes enormously. Real bodies have at most this many codings.
    (codings.len() <= MAX_CODINGS).then_some(codings)
}

/// Returns the coding of a call's compressed messages, which this header names. Returns `None` if the header names no
/// supported coding.
pub fn of_messages(headers: &HeaderMap, name: &HeaderName) -> Option<Coding> {
    Coding::by_name(fields::first(headers, name)?.to_str().ok()?)
}

const MAX_CODINGS: usize = 3;

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// Returns the coding with this name. Without the feature `decompress`, no coding is supported.
    fn by_name(name: &str) -> Option<Self> {
        const NAMES: [(&str, Coding); 5] = [
            ("gzip", Coding::Gzip),
            ("x-gzip", Coding::Gzip),
            ("deflate", Coding::Deflate),
            ("br", Coding::Brotli),
            ("zstd", Coding::Zstd),
        ];
        let is_known = |(known, _): &(&str, Self)| cfg!(feature = "decompress") && name.eq_ignore_ascii_case(known);
        NAMES.into_iter().find(is_known).map(|(_, coding)| coding)
    }
}

/// Returns the decoded body, or `None` if it does not match its codings, or grows past `max` bytes while it is decoded.
#[cfg(not(feature = "decompress"))]
pub fn decoded(_: &[Coding], _: &[u8], _: u64) -> Option<Vec<u8>> {
    None
}

#[cfg(feature = "decompress")]
pub use undo::decoded;

#[cfg(feature = "decompress")]
mod undo {
    use std::io::Read;

    use brotli_decompressor::Decompressor;
    use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
    use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

    use super::Coding;

    /// The largest zstd window that RFC 9659 allows over HTTP.
    const MAX_WINDOW: u64 = 8 * 1024 * 1024;
    /// The number of bytes that the decoder of brotli reads at once.
    const BUFFER: usize = 4096;

    /// Returns the decoded body, or `None` if it does not match its codings, or grows past `max` bytes while it is
    /// decoded.
    pub fn decoded(codings: &[Coding], body: &[u8], max: u64) -> Option<Vec<u8>> {
        let mut codings = codings.iter().rev();
        let first = undo(*codings.next()?, body, max)?;
        codings.try_fold(first, |body, coding| undo(*coding, &body, max))
    }

    fn undo(coding: Coding, body: &[u8], max: u64) -> Option<Vec<u8>> {
        match coding {
            Coding::Gzip => read(MultiGzDecoder::new(body), max),
            // HTTP's deflate means the format of zlib. Some servers send deflate without that format, which browsers
            // accept.
            Coding::Deflate => read(ZlibDecoder::new(body), max).or_else(|| read(DeflateDecoder::new(body), max)),
            Coding::Brotli => read(Decompressor::new(body, BUFFER), max),
            Coding::Zstd => {
                let mut frames = FrameDecoder::new();
                frames.set_max_window_size(MAX_WINDOW);
                read(StreamingDecoder::new_with_decoder(body, frames).ok()?, max)
            }
        }
    }

    fn read(decoder: impl Read, max: u64) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        decoder.take(max.saturating_add(1)).read_to_end(&mut body).ok()?;
        (body.len() as u64 <= max).then_some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use std::io::Read;

    fn coded(mut encoder: impl Read) -> Vec<u8> {
        let mut body = Vec::new();
        encoder.read_to_end(&mut body).unwrap();
        body
    }

    fn decode(names: &[&'static str], body: &[u8]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        decoded(&codings(&headers)?, body, 64)
    }

    #[test]
    fn r5_each_coding_is_undone() {
        let text = b"Room not found".as_slice();
        let gzip = coded(GzEncoder::new(text, Compression::fast()));
        assert_eq!(decode(&["gzip"], &gzip).as_deref(), Some(text));
        assert_eq!(decode(&["X-GZIP"], &gzip).as_deref(), Some(text));
        assert_eq!(decode(&["deflate"], &coded(ZlibEncoder::new(text, Compression::fast()))).as_deref(), Some(text));
        assert_eq!(decode(&["deflate"], &coded(DeflateEncoder::new(text, Compression::fast()))).as_deref(), Some(text));
        // The tools `brotli` and `zstd` wrote these bytes.
        let brotli = b"\x8b\x06\x80Room not found\x03";
        assert_eq!(decode(&["br"], brotli).as_deref(), Some(text));
        let zstd = b"\x28\xb5\x2f\xfd\x00\x58\x71\x00\x00Room not found";
        assert_eq!(decode(&["zstd"], zstd).as_deref(), Some(text));
    }

    #[test]
    fn r5_codings_are_undone_in_reverse() {
        let text = b"{}".as_slice();
        let twice = coded(GzEncoder::new(&*coded(ZlibEncoder::new(text, Compression::fast())), Compression::fast()));
        assert_eq!(decode(&["deflate, gzip"], &twice).as_deref(), Some(text));
        assert_eq!(decode(&["deflate", "identity", "gzip"], &twice).as_deref(), Some(text));
        assert_eq!(decode(&["gzip, deflate"], &twice), None);
        assert_eq!(decode(&["gzip, gzip, gzip, gzip"], &twice), None);
    }

    #[test]
    fn r5_what_is_not_what_it_says_is_unreadable() {
        let gzip = coded(GzEncoder::new(b"Room not found".as_slice(), Compression::fast()));
        for (name, body) in [
            ("gzip", b"Room not found".as_slice()),
            ("gzip", &gzip[..gzip.len() - 3]),
            ("gzip", b""),
            ("br", &gzip),
            ("zstd", &gzip),
            ("x-rot13", b"Ebbz abg sbhaq"),
        ] {
            assert_eq!(decode(&[name], body), None, "{name}");
        }
    }

    #[test]
    fn r5_a_bomb_stops_at_the_budget() {
        let bomb = coded(GzEncoder::new(std::io::repeat(b' ').take(50_000_000), Compression::best()));
        assert_eq!(decode(&["gzip"], &bomb), None);
        let fits = coded(GzEncoder::new(std::io::repeat(b' ').take(64), Compression::best()));
        assert_eq!(decode(&["gzip"], &fits).map(|body| body.len()), Some(64));
    }

    proptest::proptest! {
        #[test]
        fn r5_no_bytes_make_it_panic(body: Vec<u8>, name in proptest::sample::select(vec!["gzip", "deflate", "br", "zstd"])) {
            let _ = decode(&[name], &body);
        }
    }
}
