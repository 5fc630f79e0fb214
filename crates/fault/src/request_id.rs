//! The request id: `req_` and a ULID (I1, I2, I4).
//!
//! An id has 16 bytes: 48 bits of milliseconds, and 80 bits that the adapter takes from a CSPRNG. The same 128 bits are
//! a valid W3C trace id, so one id finds both logs and traces.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::HeaderValue;
use ulid::{ULID_LEN, Ulid};
use uuid::Uuid;

const PREFIX: &str = "req_";
const TEXT_LEN: usize = PREFIX.len() + ULID_LEN;

/// All pairs of characters of Crockford's base 32. An id is written for each request, and writing it by pairs takes
/// half as long as by single characters.
static PAIRS: [[u8; 2]; 1024] = {
    let characters = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut pairs = [[0; 2]; 1024];
    let mut index = 0;
    while index < pairs.len() {
        pairs[index] = [characters[index / 32], characters[index % 32]];
        index += 1;
    }
    pairs
};

/// The id of a request. A request has the same id in the handler, the logs, the headers and the body.
///
/// The layer adds the id to the extensions of the request. The text of an id is `req_` and 26 characters in Crockford's
/// base32. An id can be parsed from that text, from a ULID without the prefix in any letter case, and from a UUID with
/// or without hyphens. The 128 bits of a UUID stay the same.
///
/// ```
/// use tower_error_envelope::RequestId;
///
/// let id: RequestId = "0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50".parse()?;
/// assert_eq!(id.to_string(), "req_01JER3WYH0FK2RMJWZ3GPKWKTG");
/// assert_eq!(id, "req_01JER3WYH0FK2RMJWZ3GPKWKTG".parse()?);
/// # Ok::<(), tower_error_envelope::ParseRequestIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    // The id has two words instead of a `u128`, which would require an alignment of 16 bytes in every type that
    // contains an id.
    high: u64,
    low: u64,
}

impl RequestId {
    /// Creates an id from milliseconds since the Unix epoch (of which 48 bits are used) and random bits (of which 80
    /// are used).
    ///
    /// The bits must come from a CSPRNG and be new for each id. A client that guesses an id could request another
    /// client's data (I1).
    #[must_use]
    #[inline]
    pub const fn from_parts(timestamp_ms: u64, random: u128) -> Self {
        let id = Ulid::from_parts(timestamp_ms & ((1 << Ulid::TIME_BITS) - 1), random & ((1 << Ulid::RAND_BITS) - 1));
        // An id must not be all zeros: see `FromStr`.
        if id.is_nil() { Self::new(1) } else { Self::new(id.0) }
    }

    /// Returns the time at which the id was generated, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_ms(self) -> u64 {
        self.ulid().timestamp_ms()
    }

    /// Returns the 128 bits, big-endian, which are the trace id of a W3C trace context (I4).
    #[must_use]
    pub const fn trace_id(self) -> [u8; 16] {
        self.ulid().to_bytes()
    }

    /// Returns the value of the header `traceparent` with which this request begins a trace that is sampled (I4).
    ///
    /// The parent id is the last 64 bits of the request id. Its lowest bit is always set, so that it is never zero. The
    /// sampled flag is set because a sampler that follows its parent would otherwise drop the trace.
    pub fn traceparent(self) -> HeaderValue {
        let bits = self.ulid().0;
        let text = format!("00-{bits:032x}-{:016x}-01", bits as u64 | 1);
        HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Returns the id's text as the value of a header. Clones of the value share one allocation.
    #[inline]
    pub fn header_value(self) -> HeaderValue {
        let shared = Bytes::from_owner(self.text());
        HeaderValue::from_maybe_shared(shared).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Returns the id's text, without an allocation.
    #[inline]
    #[must_use]
    pub fn text(self) -> [u8; TEXT_LEN] {
        let mut text = *b"req_00000000000000000000000000";
        let bits = self.ulid().0;
        let (pairs, _) = text[PREFIX.len()..].as_chunks_mut();
        for (index, pair) in pairs.iter_mut().rev().enumerate() {
            *pair = PAIRS[(bits >> (10 * index)) as usize % PAIRS.len()];
        }
        text
    }

    const fn new(bits: u128) -> Self {
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    const fn ulid(self) -> Ulid {
        Ulid((self.high as u128) << 64 | self.low as u128)
    }

    fn from_bits(bits: u128) -> Result<Self, ParseRequestIdError> {
        // W3C trace context forbids a trace id of all zeros, and it would not identify any request.
        if bits == 0 { Err(ParseRequestIdError(())) } else { Ok(Self::new(bits)) }
    }
}

/// Returns true if a text is an id in the form that only a layer writes.
pub fn is_of_layer(id: &str) -> bool {
    id.starts_with(PREFIX) && id.parse::<RequestId>().is_ok()
}

/// Returns the trace id in a valid W3C `traceparent` (L1).
pub fn trace_id_of(value: &[u8]) -> Option<&str> {
    if is_traceparent(value) { str::from_utf8(value.get(3..35)?).ok() } else { None }
}

/// Returns true if a text is a valid W3C `traceparent` (I4), so that another tracer would continue its trace.
pub fn is_traceparent(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let Some((fixed, further)) = value.split_at_checked(55) else { return false };
    let (version, trace, parent, flags) = (&fixed[..2], &fixed[3..35], &fixed[36..52], &fixed[53..]);
    [fixed[2], fixed[35], fixed[52]] == *b"---"
        && [version, trace, parent, flags].into_iter().all(hex)
        && version != b"ff"
        && !zero(trace)
        && !zero(parent)
        && (further.is_empty() || version != b"00" && further[0] == b'-')
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Validating whole words is several times faster than validating single bytes.
        let mut words = [0; TEXT_LEN.next_multiple_of(2 * size_of::<usize>())];
        words[..TEXT_LEN].copy_from_slice(&self.text());
        f.pad(str::from_utf8(&words).map_or("", |text| &text[..TEXT_LEN]))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RequestId {
    type Err = ParseRequestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = ParseRequestIdError(());
        match text.len() {
            TEXT_LEN => text.strip_prefix(PREFIX).ok_or(error).and_then(from_ulid),
            ULID_LEN => from_ulid(text),
            // nginx writes `$request_id` without hyphens.
            32 | 36 => Uuid::try_parse(text).map_err(|_| error).and_then(|uuid| Self::from_bits(uuid.as_u128())),
            _ => Err(error),
        }
    }
}

fn from_ulid(text: &str) -> Result<RequestId, ParseRequestIdError> {
    // 26 characters have 130 bits. The crate `ulid` would drop the upper two bits, so that two different texts would
    // become the same id.
    if !matches!(text.as_bytes().first(), Some(b'0'..=b'7')) {
        return Err(ParseRequestIdError(()));
    }
    let ulid = Ulid::from_string(text).map_err(|_| ParseRequestIdError(()))?;
    RequestId::from_bits(ulid.0)
}

impl From<RequestId> for u128 {
    fn from(id: RequestId) -> Self {
        id.ulid().0
    }
}

impl From<RequestId> for Ulid {
    fn from(id: RequestId) -> Self {
        id.ulid()
    }
}

impl TryFrom<Ulid> for RequestId {
    type Error = ParseRequestIdError;

    /// Fails only for the ULID of all zeros.
    fn try_from(ulid: Ulid) -> Result<Self, ParseRequestIdError> {
        Self::from_bits(ulid.0)
    }
}

impl From<RequestId> for Uuid {
    fn from(id: RequestId) -> Self {
        Self::from_u128(id.ulid().0)
    }
}

impl TryFrom<Uuid> for RequestId {
    type Error = ParseRequestIdError;

    /// Fails only for the UUID of all zeros.
    fn try_from(uuid: Uuid) -> Result<Self, ParseRequestIdError> {
        Self::from_bits(uuid.as_u128())
    }
}

/// The error for a text that is neither a ULID, with or without `req_`, nor a UUID, or that is all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseRequestIdError(());

impl fmt::Display for ParseRequestIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a request id: expected req_ and a ULID, a ULID, or a UUID, and not all zeros")
    }
}

impl std::error::Error for ParseRequestIdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i1_the_text_is_that_of_the_ulid() {
        for shift in 0..128 {
            for bits in [1 << shift, u128::MAX >> shift, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210 >> shift] {
                let text = RequestId::new(bits).text();
                assert_eq!(text[..PREFIX.len()], *PREFIX.as_bytes());
                assert_eq!(text[PREFIX.len()..], *Ulid(bits).to_string().as_bytes(), "{bits:x}");
            }
        }
    }

    #[test]
    fn i2_well_formed_ids_keep_their_bits() {
        let id: RequestId = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse().unwrap();
        assert_eq!(id.to_string(), "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D");
        assert_eq!("01jd2v5w8z3q4r6t8y0a1b2c3d".parse(), Ok(id));
        assert_eq!(
            "0193B03E-7A20-7CC5-8A4B-9F1C2D3E4F50".parse(),
            "req_01JER3WYH0FK2RMJWZ3GPKWKTG".parse::<RequestId>()
        );
        for digits in ["0193b03e7a207cc58a4b9f1c2d3e4f50", "0193B03E7A207CC58A4B9F1C2D3E4F50"] {
            assert_eq!(digits.parse(), "req_01JER3WYH0FK2RMJWZ3GPKWKTG".parse::<RequestId>());
        }
    }

    #[test]
    fn i2_everything_else_is_refused() {
        for bad in [
            "",
            "req_",
            "REQ_01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
            "req_81JD2V5W8Z3Q4R6T8Y0A1B2C3D",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3U",
            "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3",
            "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D ",
            "req_0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50",
            "req_0193b03e7a207cc58a4b9f1c2d3e4f50",
            "0193b03e7a207cc58a4b9f1c2d3e4f5",
            "0193b03e7a207cc58a4b9f1c2d3e4f500",
            "0193b03e7a207cc58a4b9f1c2d3e4f5g",
            "0193b03e-7a207cc58a4b9f1c2d3e4f5",
            "{193b03e7a207cc58a4b9f1c2d3e4f5}",
            "+193b03e7a207cc58a4b9f1c2d3e4f50",
            "00000000000000000000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "00000000000000000000000000",
        ] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn i1_ids_sort_by_millisecond() {
        let early = RequestId::from_parts(1_700_000_000_000, u128::MAX);
        let late = RequestId::from_parts(1_700_000_000_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.timestamp_ms(), 1_700_000_000_000);
    }

    #[test]
    fn i4_a_traceparent_is_judged_by_w3c() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(valid.as_bytes()));
        assert!(is_traceparent(format!("cc{}-more", &valid[2..]).as_bytes()));
        for bad in [
            valid.to_uppercase(),
            format!("{valid}-more"),
            format!("ff{}", &valid[2..]),
            valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            valid.replace("00f067aa0ba902b7", &"0".repeat(16)),
            valid.replace('-', "_"),
            valid[..54].to_owned(),
            String::new(),
        ] {
            assert!(!is_traceparent(bad.as_bytes()), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn i4_the_traceparent_made_is_valid(ms: u64, random: u128) {
            let id = RequestId::from_parts(ms, random);
            proptest::prop_assert!(is_traceparent(id.traceparent().as_bytes()));
            proptest::prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
